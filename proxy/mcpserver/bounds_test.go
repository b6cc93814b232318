package mcpserver

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

// Beyond the bound of all large bodies another one is refused; small ones and what
// comes when there is room again are taken.
func TestLargeBodiesHaveABound(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	id := h.initialize("/mcp")
	large := call(1, `{"x":"`+strings.Repeat("x", 2*firstPiece)+`"}`)
	h.server.bodies.Add(maxBodies - firstPiece)
	got := h.do("POST", "/mcp", id, large)
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || !strings.Contains(got.body, "too many large requests") {
		t.Errorf("beyond the bound: %d %v %s", got.StatusCode, got.Header, got.body)
	}
	check(t, "small", h.works("/mcp", id), true)
	h.server.bodies.Add(firstPiece - maxBodies)
	check(t, "room again", h.do("POST", "/mcp", id, large).StatusCode, 200)
	soon(t, "bodies held", func() bool { return h.server.bodies.Load() == 0 })
}

// soon waits for what comes right after an answer.
func soon(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("never: " + what)
		}
	}
}

// A large result beyond the bound of those that are not read is not delivered, and
// its client told so.
func TestLargeResultsHaveABound(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	id := h.initialize("/mcp")
	h.answer = func(context.Context, *Call) (jsonrpc.Raw, error) {
		return jsonrpc.Raw(`"` + strings.Repeat("r", firstPiece) + `"`), nil
	}
	h.server.results.Add(maxResults - firstPiece)
	if got := h.do("POST", "/mcp", id, call(1, `{}`)); !strings.Contains(got.body, `"id":1,"error":{"code":-32603,"message":"the call was answered`) {
		t.Errorf("beyond the bound: %.300s", got.body)
	}
	h.server.results.Add(firstPiece - maxResults)
	check(t, "room again", len(h.do("POST", "/mcp", id, call(1, `{}`)).body) > firstPiece, true)
	soon(t, "results held", func() bool { return h.server.results.Load() == 0 })
}

// Where the streams of all keep too much, one that has ended is not kept, and the
// one who asks for it is told; an open one queues less.
func TestStreamsInATightPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		h.answer = counting(2)
		h.server.kept.Add(maxKeptAll)
		got := h.send(h.request("POST", "/mcp", id, call(1, `{}`)))
		got.expect(`"progress":0`, `"progress":1`, `"done":true`, "end")
		synctest.Wait()
		check(t, "kept", h.server.kept.Load(), maxKeptAll)
		h.send(h.request("GET", "/mcp", id, "", "Last-Event-ID: "+got.lastID)).expect("outcome unknown", "end")

		defer h.stuck(h.request("GET", "/mcp", id, "")).Close()
		synctest.Wait()
		sent := 0
		for range 1000 {
			if h.last().session.Send([]byte(`"` + strings.Repeat("x", 1000) + `"`)) {
				sent += 1000
			}
		}
		if sent < maxTight/2 || sent > 2*maxTight+10_000 {
			t.Errorf("%d bytes queued", sent)
		}
		h.server.kept.Add(-maxKeptAll)
	})
}

// What is kept of a call's stream is not the body of its request, nor the streams
// that took each other's place.
func TestLittleIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		session := h.last().session
		h.answer = counting(1)
		got := h.send(h.request("POST", "/mcp", id, call(1, `{"x":"`+strings.Repeat("x", 100_000)+`"}`)))
		got.expect(`"progress":0`, `"done":true`, "end")
		synctest.Wait()
		for _, st := range session.streams {
			if st.conn != nil || cap(st.request) > 100 {
				t.Errorf("a stream that is over keeps connection %v and %d bytes for its id", st.conn != nil, cap(st.request))
			}
		}
		for range 100 {
			h.open(id)
		}
		session.mu.Lock()
		check(t, "streams", len(session.streams), 2)
		session.mu.Unlock()
	})
}

// What net/http says of a panic is an error; the rest is for those who look closely.
func TestPanicsAreLogged(t *testing.T) {
	var log strings.Builder
	said := NewHTTPServer(nil, slog.New(slog.NewTextHandler(&log, nil))).ErrorLog
	said.Print("http: TLS handshake error")
	check(t, "said of a client", log.String(), "")
	said.Print("http: panic serving 127.0.0.1: x")
	check(t, "said of a panic", strings.Contains(log.String(), "level=ERROR"), true)
}
