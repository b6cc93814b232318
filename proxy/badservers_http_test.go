package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcphub/proxy/jsonrpc"
)

// badHTTP are servers whose connections or sessions do not last.
var badHTTP = []badServer{
	{name: "dies during a call, HTTP", beside: overEvents, run: diesDuringACall},
	{name: "returns while a call waits", beside: overStdio, run: returnsInTime},
	{name: "answers 404 for its session", beside: overEvents, run: forgetsSessions},
	{name: "answers 503 once when it is back", beside: overJSON, run: busyOnce},
	{name: "closes its GET stream again and again", beside: overEvents, run: endsStreams},
	{name: "closes each stream at once with a new id", beside: overEvents, run: numbersNothing},
	{name: "refuses clients but not the hub", beside: overEvents, run: refusesClients},
}

func diesDuringACall(x *trial) {
	var h *host
	var calls atomic.Int32
	h = x.host(overEvents, spoiling("tools/call", func(http.ResponseWriter, *http.Request, *jsonrpc.Message) {
		calls.Add(1)
		h.down()
	}))
	x.serve("bad", h.spec())
	x.expect("bad", connected)
	got := x.connect("/mcp", "user", `{}`).call(`tools/call {"name":"bad__do"}`)
	x.fails("the call", got, `server \"bad\": the connection was lost during the call; its outcome is unknown`)
	x.expect("bad", away, "connect to "+h.url+"/mcp: connection refused")
	want(x.t, "times it was called", calls.Load(), 1)
	h.set(nil)
	h.up()
	x.works("bad")
}

func returnsInTime(x *trial) {
	h := x.host(overJSON, nil)
	x.serve("bad", h.spec())
	x.works("bad")
	c := x.connect("/mcp", "waiting", `{}`)
	h.down()
	x.expect("bad", away, "connection refused")
	var called sync.WaitGroup
	called.Go(func() {
		if err := obtain(c, "tools/call", `{"name":"bad__do"}`, new(any)); err != nil {
			x.t.Errorf("the call that waits: %v", err)
		}
	})
	if l := x.hub.linkTo("bad"); !eventually(func() bool { return l.waiting.Load() > 0 }) {
		x.t.Error("the call does not wait")
	}
	h.up()
	called.Wait()
	want(x.t, "calls that came", h.count("tools/call"), 2)
}

// forgetsSessions answers 404 to a call, which it has not run, and later to a
// client that asks for the rest of one that it may have run.
func forgetsSessions(x *trial) {
	h := x.host(overEvents, nil)
	x.serve("bad", h.spec())
	x.expect("bad", connected)
	c := x.connectIn("2025-06-18", "/mcp", "user", `{}`) // which gets the answer on the stream of the call
	c.call(`tools/call {"name":"bad__do"}`)
	h.forgetSessions()
	equal(x.t, "the call after", c.result(`tools/call {"name":"bad__do"}`), `{"content":[]}`)
	want(x.t, "calls that came", h.count("tools/call"), 2)

	var calls atomic.Int32
	h.set(func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		switch {
		case m != nil && m.Method == "tools/call":
			calls.Add(1)
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "id: 1\nretry: 10\ndata:\n\n")
		case r.Header.Get("Last-Event-Id") != "":
			h.forgetSessions()
			w.WriteHeader(http.StatusNotFound)
		default:
			return false
		}
		return true
	})
	x.fails("a call that may have run", c.call(`tools/call {"name":"bad__do"}`), `server \"bad\": `, "its outcome is unknown", "HTTP 404")
	want(x.t, "times it was called", calls.Load(), 1)
	h.set(nil)
	x.works("bad")
}

// busyOnce breaks the hub's stream, and later all connections, and each time asks
// once for patience.
func busyOnce(x *trial) {
	var streams, hellos atomic.Int32
	broken := make(chan struct{})
	h := x.host(overEvents, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		switch {
		case m != nil && m.Method == "initialize" && hellos.Add(1) == 2:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "starting", http.StatusServiceUnavailable)
		case r.Method == http.MethodGet && streams.Add(1) == 1:
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			<-broken
		case r.Method == http.MethodGet && streams.Load() == 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			return false
		}
		return true
	})
	x.serve("bad", h.spec())
	x.expect("bad", connected)
	close(broken)
	if !eventually(func() bool { return h.streamsOf("mcphub") == 1 }) {
		x.t.Fatal("the stream is not opened again")
	}
	h.offer("do", "more")
	h.tellHub("notifications/tools/list_changed")
	x.await("the new tool", func(v *view) bool { return len(v.catalogs["/mcp/server/bad"].names[tools]) == 4 })

	h.down()
	x.expect("bad", away)
	h.up()
	x.expect("bad", away, "initialize: the server answered HTTP 503 Service Unavailable: starting")
	x.works("bad")
}

// endsStreams ends each stream at once, and so gives no reason to ask for the next
// at once.
func endsStreams(x *trial) {
	var streams atomic.Int32
	h := x.host(overEvents, func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) bool {
		if r.Method != http.MethodGet {
			return false
		}
		streams.Add(1)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "retry: 1\n\ndata: {}\n\n")
		return true
	})
	x.serve("bad", h.spec())
	x.expect("bad", connected)
	since, began := x.hub.view().servers["bad"].since, time.Now()
	if !eventually(func() bool { return streams.Load() >= 4 }) {
		x.t.Fatal("the stream is not opened again")
	}
	time.Sleep(500 * time.Millisecond)
	if n, most := streams.Load(), 4+int32(time.Since(began)/(firstBackoff/2)); n > most {
		x.t.Errorf("%d streams in %v, want %d at most", n, time.Since(began), most)
	}
	x.works("bad")
	want(x.t, "connected since", x.hub.view().servers["bad"].since, since)
}

// firstBackoff is what a client of a server waits for before it asks for a stream
// for the second time.
const firstBackoff = 250 * time.Millisecond

// numbersNothing ends its streams at once, that of a call for a while, with nothing
// but a new id, and asks to be asked again after a millisecond.
func numbersNothing(x *trial) {
	var own, ofCall atomic.Int32
	var id atomic.Pointer[jsonrpc.Message]
	h := x.host(overEvents, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		name, count := "own", &own
		switch {
		case m != nil && m.Method == "tools/call":
			id.Store(m)
			fallthrough
		case strings.HasPrefix(r.Header.Get("Last-Event-Id"), "call"):
			name, count = "call", &ofCall
		case r.Method != http.MethodGet:
			return false
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "id: %s %d\nretry: 1\n\n", name, count.Add(1))
		if m := id.Load(); count == &ofCall && count.Load() == 12 {
			writeEvent(w, right(m, `{"content":[]}`))
		}
		return true
	})
	began := time.Now()
	x.serve("bad", h.spec())
	x.expect("bad", connected)
	c, called := x.connectIn("2025-06-18", "/mcp", "user", `{}`), time.Now()
	equal(x.t, "the call", c.result(`tools/call {"name":"bad__do"}`), `{"content":[]}`)
	if n, took := ofCall.Load(), time.Since(called); n != 12 || n > askedWithin(took) {
		x.t.Errorf("%d streams of a call in %v, want 12 and at most %d", n, took, askedWithin(took))
	}
	if !eventually(func() bool { return own.Load() >= 12 }) {
		x.t.Fatal("the stream is not opened again")
	}
	if n, took := own.Load(), time.Since(began); n > askedWithin(took) {
		x.t.Errorf("%d streams in %v, want %d at most", n, took, askedWithin(took))
	}
	h.set(nil)
	x.works("bad")
}

// askedWithin is how often in a time a stream may be asked for that brings nothing:
// each time 10 ms later than before.
func askedWithin(d time.Duration) (n int32) {
	const step = 10 * time.Millisecond
	for gap := 2 * step; d > 0; gap += step {
		d -= gap
		n++
	}
	return n
}

func refusesClients(x *trial) {
	h := x.host(overJSON, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		if m == nil || m.Method != "initialize" || strings.Contains(string(m.Params), `"mcphub"`) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"go away%s"}}`, m.ID, strings.Repeat("!", 1<<20))
		return true
	})
	x.serve("bad", h.spec())
	x.expect("bad", connected)
	got := x.connect("/mcp", "user", `{}`).call(`tools/call {"name":"bad__do"}`)
	x.fails("the call", got, `server \"bad\": initialize: the server refused: go away`)
	want(x.t, "the answer is short", len(got[0]) < 1000, true)
	h.set(nil)
	x.works("bad")
}
