package mcpserver

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

// stuck is a client that sends one request and never reads.
func (h *host) stuck(r *http.Request) net.Conn {
	h.t.Helper()
	conn, err := h.network.dial(context.Background(), "", "")
	if err != nil {
		h.t.Fatal(err)
	}
	if err := r.Write(conn); err != nil {
		h.t.Fatal(err)
	}
	return conn
}

// A client that does not read gets so much queued and no more; whoever pushes to
// it, and everybody else, goes on at once. After a while its stream is cut.
func TestStuckClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		stuck, other := h.initialize("/mcp"), ""
		session := h.last().session
		other = h.initialize("/mcp")
		conn := h.stuck(h.request("GET", "/mcp", stuck, ""))
		defer conn.Close()
		synctest.Wait()
		check(t, "in memory", session.busy(), true)

		began, sent := time.Now(), 0
		message := []byte(`{"x":"` + strings.Repeat("x", 10_000) + `"}`)
		for range 10_000 {
			if session.Send(message) {
				sent++
			}
		}
		session.Changed(AllChanged)
		if total := sent * len(message); total < maxQueued/2 || total > 3*maxQueued {
			t.Errorf("%d bytes queued", total)
		}
		if !h.works("/mcp", stuck) || !h.works("/mcp", other) {
			t.Error("calls do not work meanwhile")
		}
		check(t, "all that took", time.Since(began), 0)
		time.Sleep(time.Minute)
		session.mu.Lock()
		own := session.own
		session.mu.Unlock()
		own.mu.Lock()
		check(t, "has its stream after a minute", own.isRead(), false)
		own.mu.Unlock()
		check(t, "busy after a minute", session.busy(), false)

		// What it could not be told is told on the next stream.
		h.open(stuck).expect("tools/list_changed", "prompts/list_changed", "resources/list_changed")
	})
}

// What was on its way to a client that cannot be reached any more is told again on
// its next stream.
func TestNewsIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		defer h.stuck(h.request("GET", "/mcp", id, "")).Close()
		synctest.Wait()
		h.last().session.Changed(ToolsChanged)
		time.Sleep(time.Minute)
		h.open(id).expect("tools/list_changed")
	})
}

// A large message goes out whole, and no second one waits behind it.
func TestLargeMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		session := h.last().session
		large := []byte(`"` + strings.Repeat("l", 2*maxQueued) + `"`)
		stream := h.open(id)
		check(t, "large", session.Send(large), true)
		if got := stream.event(); len(got) != len(large) {
			t.Errorf("got %d bytes, want %d", len(got), len(large))
		}
		stream.Body.Close()
		synctest.Wait()

		defer h.stuck(h.request("GET", "/mcp", id, "")).Close()
		synctest.Wait()
		check(t, "small", session.Send([]byte(note)), true)
		check(t, "large behind it", session.Send(large), true)
		check(t, "a second one", session.Send(large), false)
		check(t, "a small one", session.Send([]byte(note)), false)
	})
}

// A call whose client does not read ends when the time to read is over, whatever
// the form of its answer.
func TestStuckCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
			if string(c.Message.ID) == "1" {
				for range 200 {
					c.Send([]byte(`"` + strings.Repeat("x", 10_000) + `"`))
				}
			}
			return jsonrpc.Raw(`"` + strings.Repeat("x", 100_000) + `"`), nil
		}
		for n := range 2 {
			defer h.stuck(h.request("POST", "/mcp", id, call(n, `{}`))).Close()
		}
		synctest.Wait()
		check(t, "active", h.server.active.Load(), 2)
		time.Sleep(2 * time.Minute)
		check(t, "active after two minutes", h.server.active.Load(), 0)
		check(t, "busy", h.last().session.busy(), false)
	})
}
