package mcpserver

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

// Drain waits for calls in flight and takes no new ones; answers and notifications
// go on.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		stream := h.open(id)
		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			time.Sleep(5 * time.Second)
			got := <-h.ask(ctx, c.Session, nil)
			return jsonrpc.Raw(got.answer), got.err
		}
		answered := make(chan string, 1)
		go func() { answered <- h.do("POST", "/mcp", id, call(1, `{}`)).body }()
		time.Sleep(time.Second)
		drained := make(chan time.Duration, 1)
		go func() {
			began := time.Now()
			h.server.Drain(context.Background())
			drained <- time.Since(began)
		}()
		synctest.Wait()
		for what, body := range map[string]string{"call": call(2, `{}`), "initialize": hello(`{}`, `{}`)} {
			got := h.do("POST", "/mcp", id, body)
			if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(got.body, "shutting down") || strings.Contains(got.body, `"id":null`) {
				t.Errorf("%s while draining: %d %s", what, got.StatusCode, got.body)
			}
		}
		check(t, "notification", h.do("POST", "/mcp", id, `{"jsonrpc":"2.0","method":"notifications/x"}`).StatusCode, 202)
		h.respond(id, questionOf(stream), `"kept"`)
		if got := <-answered; !strings.Contains(got, "kept") {
			t.Errorf("the call in flight: %s", got)
		}
		if took := <-drained; took < 4*time.Second || took > 4100*time.Millisecond {
			t.Errorf("drained after %v", took)
		}
		stream.Body.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		h.answer = func(ctx context.Context, _ *Call) (jsonrpc.Raw, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		go func() {
			if resp, err := h.client.Do(h.request("POST", "/mcp", id, call(1, `{}`))); err == nil {
				resp.Body.Close()
			}
		}()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		began := time.Now()
		h.server.Drain(ctx)
		check(t, "patience with a call that does not end", time.Since(began), 8*time.Second)
	})
}

// A token that is taken away ends the calls and streams of its sessions, at once,
// and of no others.
func TestRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := func(token string) Access {
			return Access{Endpoints: map[string]Rule{"/mcp": {true, token}, "/mcp/server/x": {true, "x"}}}
		}
		h := newHost(t, Options{}, rules("a"))
		a, x := "Authorization: Bearer a", "Authorization: Bearer x"
		id, other := h.initialize("/mcp", a), h.initialize("/mcp/server/x", x)
		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			if string(c.Message.Params) == `{"x":1}` {
				return c.Message.Params, nil
			}
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		revoked, kept := h.send(h.request("GET", "/mcp", id, "", a)), h.send(h.request("GET", "/mcp/server/x", other, "", x))
		var group sync.WaitGroup
		group.Go(func() {
			if got := h.do("POST", "/mcp", id, call(1, `{}`), a); !strings.Contains(got.body, "error") {
				t.Errorf("the call: %s", got.body)
			}
		})
		synctest.Wait()
		began := time.Now()
		h.guard.Set(rules("b"))
		h.server.Revoke(h.guard.Admits)
		group.Wait()
		revoked.expect("end")
		check(t, "took", time.Since(began), 0)
		check(t, "sessions in memory", h.server.Sessions(), 1)
		check(t, "with the old token", h.do("POST", "/mcp", id, call(2, `{}`), a).StatusCode, 401)
		check(t, "with the new token", h.do("POST", "/mcp", id, call(2, `{}`), "Authorization: Bearer b").StatusCode, 404)
		check(t, "the other works", h.works("/mcp/server/x", other, x), true)
		kept.expect(": alive")
		kept.Body.Close()
	})
}

// When the server ends, so do streams and calls, each peer is closed once, and no
// session comes afterwards.
func TestServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		ended := make(chan struct{})
		ctx, stop := context.WithCancel(context.Background())
		go func() {
			defer close(ended)
			h.server.Run(ctx)
		}()
		id := h.initialize("/mcp")
		stream := h.open(id)
		stop()
		<-ended
		stream.expect("end")
		check(t, "sessions", h.server.Sessions(), 0)
		check(t, "closed", h.last().closed.Load(), 1)
		got := h.do("GET", "/mcp", id, "")
		if got.StatusCode != 503 || !strings.Contains(got.body, "shutting down") {
			t.Errorf("revival afterwards: %d %s", got.StatusCode, got.body)
		}
		for _, p := range h.peers {
			check(t, "closed", p.closed.Load(), 1)
		}
	})
}
