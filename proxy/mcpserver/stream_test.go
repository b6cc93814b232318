package mcpserver

import (
	"context"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

const note = `{"jsonrpc":"2.0","method":"notifications/progress"}`

// An answer is JSON if nothing came before it, else an event stream.
func TestFormOfAnswers(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	id := h.initialize("/mcp")
	big := `"` + strings.Repeat("b", 100_000) + `"`
	for _, test := range []struct {
		name, result string
		notes        int
		err          error
	}{
		{"small", `{}`, 0, nil},
		{"big", big, 0, nil},
		{"small after notes", `{}`, 3, nil},
		{"big after notes", big, 1, nil},
		{"of many lines", "{\r\n\"a\":\n1}", 1, nil},
		{"error", ``, 0, jsonrpc.Errorf(-7, "no")},
		{"error after notes", ``, 2, jsonrpc.Errorf(-7, "no")},
		{"busy after notes", ``, 1, &BusyError{Reason: "no", RetryAfter: time.Second}},
	} {
		h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
			for range test.notes {
				if !c.Send([]byte(note)) {
					t.Error("not sent")
				}
			}
			return jsonrpc.Raw(test.result), test.err
		}
		got := h.send(h.request("POST", "/mcp", id, call(1, `{}`)))
		want := `{"jsonrpc":"2.0","id":1,"result":` + strings.NewReplacer("\r", " ", "\n", " ").Replace(test.result) + `}`
		if test.err != nil {
			want = `"message":"no"`
		}
		kind := "application/json"
		if test.notes > 0 {
			kind = "text/event-stream"
			for range test.notes {
				got.expect(note)
			}
			got.expect(want)
		}
		if rest := got.whole().body; !strings.Contains(rest, want) && test.notes == 0 || test.notes > 0 && rest != "" {
			t.Errorf("%s: rest %.200q", test.name, rest)
		}
		check(t, test.name, got.Header.Get("Content-Type"), kind)
		check(t, test.name, got.StatusCode, 200)
	}
}

// A comment comes whenever there was silence for 15 seconds, on the stream of a
// call and on the client's own; a call that is quick has none.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
			time.Sleep(10 * time.Second)
			if string(c.Message.Params) == `{"long":1}` {
				time.Sleep(10 * time.Second)
				c.Send([]byte(note))
				time.Sleep(16 * time.Second)
			}
			return jsonrpc.Raw(`{}`), nil
		}
		began := time.Now()
		at := func(r *reply, what string, want time.Duration) {
			t.Helper()
			r.expect(what)
			check(t, what, time.Since(began), want)
		}
		got := h.do("POST", "/mcp", id, call(1, `{}`))
		check(t, "quick", got.body, `{"jsonrpc":"2.0","id":1,"result":{}}`)
		began = time.Now()
		slow := h.send(h.request("POST", "/mcp", id, call(1, `{"long":1}`)))
		check(t, "headers after", time.Since(began), 15*time.Second)
		at(slow, ": alive", 15*time.Second)
		at(slow, note, 20*time.Second)
		at(slow, ": alive", 35*time.Second)
		at(slow, "result", 36*time.Second)
		at(slow, "end", 36*time.Second)

		began = time.Now()
		own := h.open(id)
		at(own, ": alive", 15*time.Second)
		at(own, ": alive", 30*time.Second)
		time.Sleep(7 * time.Second)
		h.last().session.Send([]byte(note))
		at(own, note, 37*time.Second)
		at(own, ": alive", 52*time.Second)
		own.Body.Close()
	})
}

func TestNothingAfterTheAnswer(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	id := h.initialize("/mcp")
	var kept *Call
	h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
		kept = c
		return jsonrpc.Raw(`{}`), nil
	}
	h.do("POST", "/mcp", id, call(1, `{}`))
	check(t, "sent after the answer", kept.Send([]byte(note)), false)
	check(t, "calls in flight", len(h.last().session.InFlight()), 0)
	check(t, "sent on a stream that is not there", h.last().session.Send([]byte(note)), false)
}

// A cancelled call gets no response, whatever its peer says; the stream ends.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		for _, result := range []jsonrpc.Raw{nil, jsonrpc.Raw(`"too late"`)} {
			for _, before := range []int{0, 1} {
				id := h.initialize("/mcp")
				h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
					for range before {
						c.Send([]byte(note))
					}
					if string(c.Message.ID) != `"a"` {
						return jsonrpc.Raw(`{}`), nil
					}
					<-ctx.Done()
					if result == nil {
						return nil, context.Cause(ctx)
					}
					return result, nil
				}
				answered := make(chan *reply)
				go func() {
					answered <- h.do("POST", "/mcp", id, strings.Replace(call(1, `{}`), `"id":1`, `"id":"a"`, 1))
				}()
				synctest.Wait()
				for _, other := range []string{`1`, `"b"`, `null`} {
					h.do("POST", "/mcp", id, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+other+`}}`)
				}
				synctest.Wait()
				check(t, "in flight", len(h.last().session.InFlight()), 1)
				h.do("POST", "/mcp", id, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`)
				got := <-answered
				if got.StatusCode != 200 || got.Header.Get("Content-Type") != "text/event-stream" || strings.Count(got.body, "data:") != before || strings.Contains(got.body, "late") {
					t.Errorf("got %d %v %q", got.StatusCode, got.Header, got.body)
				}
			}
		}
	})
}

// A client that loses its connection has not cancelled.
func TestDisconnectDoesNotCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		finished := make(chan error, 1)
		var sends []bool
		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			sends = append(sends, c.Send([]byte(note)))
			time.Sleep(5 * time.Second) // before any heartbeat finds out
			sends = append(sends, c.Send([]byte(note)))
			finished <- ctx.Err()
			return jsonrpc.Raw(`{}`), nil
		}
		got := h.send(h.request("POST", "/mcp", id, call(1, `{}`)))
		got.expect(note)
		got.Body.Close()
		if err := <-finished; err != nil {
			t.Errorf("the call was ended: %v", err)
		}
		check(t, "what was sent before and after", fmt.Sprint(sends), "[true true]") // it can be resumed
		synctest.Wait()
		check(t, "in flight afterwards", len(h.last().session.InFlight()), 0)
	})
}

// Many push to one stream: every message that was taken arrives whole, and each
// pusher's in its order.
func TestManyPushers(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	id := h.initialize("/mcp")
	h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
		var group sync.WaitGroup
		for p := range 8 {
			group.Go(func() {
				for n := range 100 {
					if !c.Send(fmt.Appendf(nil, `{"p":%d,"n":%d}`, p, n)) {
						t.Error("not sent")
					}
				}
			})
		}
		group.Wait()
		return jsonrpc.Raw(`"done"`), nil
	}
	got := h.send(h.request("POST", "/mcp", id, call(1, `{}`)))
	var next [8]int
	for range 800 {
		var p, n int
		if _, err := fmt.Sscanf(got.event(), `{"p":%d,"n":%d}`, &p, &n); err != nil || next[p] != n {
			t.Fatalf("pusher %d: got %d, want %d (%v)", p, n, next[p], err)
		}
		next[p]++
	}
	got.expect("done", "end")
}

// A session without a stream owns no goroutine.
func TestSessionsOwnNoGoroutine(t *testing.T) {
	keys := newKeys(t)
	h := newHost(t, Options{Keys: keys}, Access{})
	const sessions = 1000
	id := h.initialize("/mcp")
	before := runtime.NumGoroutine()
	for range sessions {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/mcp", strings.NewReader(hello(`{"sampling":{}}`, `{}`)))
		h.server.Serve(w, r, "/mcp")
		r = httptest.NewRequest("POST", "/mcp", strings.NewReader(call(1, `{}`)))
		r.Header.Set(headerSession, w.Header().Get(headerSession))
		h.server.Serve(httptest.NewRecorder(), r, "/mcp")
	}
	check(t, "sessions", h.server.Sessions(), sessions+1)
	if after := runtime.NumGoroutine(); after > before+20 {
		t.Errorf("%d goroutines before, %d after %d sessions", before, after, sessions)
	}
	if !h.works("/mcp", id) {
		t.Error("the first session is lost")
	}
}
