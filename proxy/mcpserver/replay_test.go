package mcpserver

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

// progress is a notification that can be told from others.
func progress(n int) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":%d}}`, n)
}

// counting answers a call after sending so many notifications, a second each.
func counting(notes int) func(context.Context, *Call) (jsonrpc.Raw, error) {
	return func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
		for n := range notes {
			c.Send(progress(n))
			time.Sleep(time.Second)
		}
		return jsonrpc.Raw(`{"done":true}`), nil
	}
}

// A client that lost its connection in a call gets the rest of the stream, each
// event once, and the response: while the call runs, and when it is over.
func TestResumeACall(t *testing.T) {
	for _, away := range []time.Duration{500 * time.Millisecond, 10 * time.Second, 4 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, Options{}, Access{})
			id := h.initialize("/mcp")
			h.answer = counting(4)
			first := h.send(h.request("POST", "/mcp", id, call(1, `{}`)))
			first.expect(`"progress":0`, `"progress":1`)
			first.Body.Close()
			time.Sleep(away)
			rest := h.send(h.request("GET", "/mcp", id, "", "Last-Event-ID: "+first.lastID))
			rest.expect(`"progress":2`, `"progress":3`, `"done":true`, "end")
			check(t, "in flight afterwards", len(h.last().session.InFlight()), 0)
		})
	}
}

// What the client's own stream had to carry while it was broken comes when it is
// resumed.
func TestResumeTheOwnStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		own := h.open(id)
		session := h.last().session
		session.Send(progress(1))
		own.expect(`"progress":1`)
		own.Body.Close()
		synctest.Wait()
		check(t, "taken while nobody reads", session.Send(progress(2)), true)
		session.Changed(ToolsChanged)
		again := h.send(h.request("GET", "/mcp", id, "", "Last-Event-ID: "+own.lastID))
		again.expect(`"progress":2`, "tools/list_changed")
		session.Send(progress(3))
		again.expect(`"progress":3`)
		again.Body.Close()
		time.Sleep(keepFor + time.Second)
		check(t, "taken when nobody has read for long", session.Send(progress(4)), false)
	})
}

// A stream that cannot be resumed is never met with silence: its call is answered.
func TestResumeWhatIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeys(t, keyOne)
		h := newHost(t, Options{Keys: keys}, Access{})
		id := h.initialize("/mcp")
		h.answer = counting(1)
		got := h.send(h.request("POST", "/mcp", id, call(77, `{}`)))
		got.expect(`"progress":0`, `"done":true`)
		restarted := newHost(t, Options{Keys: keys}, Access{})
		restarted.send(restarted.request("GET", "/mcp", id, "", "Last-Event-ID: "+got.lastID)).
			expect(`{"jsonrpc":"2.0","id":77,"error":{"code":-32603,"message":"the hub restarted; outcome unknown"}}`, "end")
		time.Sleep(keepFor + 2*time.Minute)
		h.send(h.request("GET", "/mcp", id, "", "Last-Event-ID: "+got.lastID)).
			expect(`"id":77,"error":{"code":-32603,"message":"the stream is not kept any more; outcome unknown"}`, "end")
		for _, madeUp := range []string{"x", "....", "a.b.c.!", "a.1.1.bm90IGpzb24", "a.-1.1", strings.Repeat("9", 5000)} {
			check(t, madeUp, h.do("GET", "/mcp", id, "", "Last-Event-ID: "+madeUp).StatusCode, 400)
		}
	})
}

// A server that closes a call's stream before the response has the client come
// back for it; clients before 2025-11-25 would not, and keep their connection.
func TestPart(t *testing.T) {
	for version, parts := range map[string]bool{"2025-11-25": true, "2025-06-18": false} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, Options{}, Access{})
			got := h.do("POST", "/mcp", "", strings.Replace(hello(`{}`, `{}`), "2025-11-25", version, 1))
			id := got.Header.Get(headerSession)
			h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
				c.Prime(500 * time.Millisecond)
				c.Part()
				time.Sleep(time.Second)
				return jsonrpc.Raw(`{"done":true}`), nil
			}
			first := h.send(h.request("POST", "/mcp", id, call(1, `{}`)))
			if !parts {
				check(t, "answer", first.whole().body, `{"jsonrpc":"2.0","id":1,"result":{"done":true}}`)
				return
			}
			first.expect("retry: 500\ndata: ", "end")
			h.send(h.request("GET", "/mcp", id, "", "Last-Event-ID: "+first.lastID)).expect(`"done":true`, "end")
		})
	}
}

// A server may mean to part from its client while something else is on its way to that;
// for the race detector.
func TestPrimeWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
			c.Send([]byte(`{"x":1}`))
			runtime.Gosched()
			c.Prime(500 * time.Millisecond)
			return jsonrpc.Raw(`{"done":true}`), nil
		}
		for n := range 200 {
			h.send(h.request("POST", "/mcp", id, call(n, `{}`))).expect(`{"x":1}`, "retry: 500", `"done":true`, "end")
		}
	})
}

// The streams that are kept have a bound in number and in bytes, and what they
// count comes back to nothing.
func TestKeptStreamsHaveABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
			c.Send([]byte(`{"x":"` + strings.Repeat("x", 10_000) + `"}`))
			return jsonrpc.Raw(`{}`), nil
		}
		for n := range 3 * maxStreams {
			h.do("POST", "/mcp", id, call(n, `{}`))
		}
		session := h.last().session
		session.mu.Lock()
		check(t, "streams", len(session.streams), maxStreams)
		session.mu.Unlock()
		if kept := h.server.kept.Load(); kept < 10_000*maxStreams || kept > 11_000*maxStreams {
			t.Errorf("%d bytes are kept", kept)
		}
		time.Sleep(keepFor + 2*time.Minute)
		check(t, "kept after a while", h.server.kept.Load(), 0)
		h.do("POST", "/mcp", id, call(1, `{}`))
		h.do("DELETE", "/mcp", id, "")
		check(t, "kept after the session", h.server.kept.Load(), 0)
	})
}

// A client that comes back when it has had everything is told not to come again.
func TestResumeWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		resume := func(last string) *reply { return h.do("GET", "/mcp", id, "", "Last-Event-ID: "+last) }
		h.answer = counting(1)
		answered := h.send(h.request("POST", "/mcp", id, call(1, `{}`)))
		answered.expect(`"progress":0`)
		before := answered.lastID
		answered.expect(`"done":true`, "end")
		check(t, "after the response", resume(answered.lastID).StatusCode, 204)
		check(t, "before the response", resume(before).StatusCode, 200)

		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			c.Send(progress(0))
			<-ctx.Done()
			return nil, ctx.Err()
		}
		dropped := h.send(h.request("POST", "/mcp", id, call(2, `{}`)))
		dropped.expect(`"progress":0`)
		h.do("POST", "/mcp", id, cancelled("2"))
		dropped.expect("end")
		check(t, "after the call was cancelled", resume(dropped.lastID).StatusCode, 204)
	})
}

// A client that opens its own stream again and again loses no stream of a call by
// that.
func TestOwnStreamsCrowdNothingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		h.answer = counting(1)
		first := h.send(h.request("POST", "/mcp", id, call(1, `{}`)))
		first.expect(`"progress":0`)
		first.Body.Close()
		time.Sleep(10 * time.Second)
		for range 2 * maxStreams {
			h.open(id).Body.Close()
		}
		h.do("POST", "/mcp", id, call(2, `{}`))
		h.send(h.request("GET", "/mcp", id, "", "Last-Event-ID: "+first.lastID)).expect(`"done":true`, "end")
		session := h.last().session
		session.mu.Lock()
		check(t, "streams", len(session.streams), 3)
		session.mu.Unlock()
	})
}

func FuzzEventID(f *testing.F) {
	f.Add("ABCDEFGHIJ.1.2.MQ")
	f.Add("ABCDEFGHIJ.1.2")
	f.Add("ABCDEFGHIJ.1.2.WzEsIDIsImEiXQ") // [1, 2,"a"]
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := parseEventID(text)
		if err != nil {
			return
		}
		again, err := parseEventID(id.String())
		if err != nil || again.boot != id.boot || again.stream != id.stream || again.number != id.number || string(again.request) != string(id.request) {
			t.Errorf("%q: read as %+v, written and read again as %+v, %v", text, id, again, err)
		}
	})
}
