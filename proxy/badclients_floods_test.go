package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var badFloods = []badClient{
	{"sessions that are never deleted", neverDeleted},
	{"a hundred initializes at once", manyInitializes},
	{"a flood of calls to a server that is away", awayFlood},
	{"calls without end", callsWithoutEnd},
	{"a flood of notifications", notificationFlood},
	{"a thousand own streams at once", manyOwnStreams},
}

// several runs f so many times, by eight goroutines.
func several(times int, f func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(8, times) {
		group.Go(func() {
			for i := int(next.Add(1)); i <= times; i = int(next.Add(1)) {
				f(i)
			}
		})
	}
	group.Wait()
}

// neverDeleted opens more sessions than one principal may have in memory. Those
// longest idle are put away, and their ids stay good.
func neverDeleted(t *testing.T, y *yard) {
	const most, more = 16_384, 600 // as mcpserver.Options has it
	before := y.measure()
	first := y.open("first", `{}`)
	hello := helloOf("flood", `{}`)
	ids := make([]string, most+more)
	several(len(ids), func(i int) {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://localhost/mcp", strings.NewReader(hello))
		if y.handler.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Errorf("initialize: %d %s", w.Code, w.Body)
		}
		ids[i-1] = w.Header().Get("Mcp-Session-Id")
	})
	if n := y.hub.clients.Sessions(); n > most || n < most/2 {
		t.Errorf("%d sessions in memory, want %d at most and half of that at least", n, most)
	}
	y.grown(before, most*8<<10)
	y.works(first)
	several(len(ids), func(i int) { // so that what they cost can be seen to end
		r := httptest.NewRequest(http.MethodDelete, "http://localhost/mcp", nil)
		r.Header.Set("Mcp-Session-Id", ids[i-1])
		y.handler.ServeHTTP(httptest.NewRecorder(), r)
	})
	y.delete(first)
}

func manyInitializes(t *testing.T, y *yard) {
	var ids sync.Map
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			got, err := y.post("", helloOf(fmt.Sprint("c", i%20), everything))
			if err != nil || got.status != http.StatusOK {
				t.Errorf("initialize: %d %s %v", got.status, got.body, err)
			}
			if _, known := ids.LoadOrStore(got.header.Get("Mcp-Session-Id"), true); known {
				t.Error("two clients have one session")
			}
		})
	}
	group.Wait()
	ids.Range(func(id, _ any) bool {
		y.works(id.(string))
		y.delete(id.(string))
		return true
	})
}

// awayFlood makes more calls than may wait for a server. When it comes back, those
// that waited are answered.
func awayFlood(t *testing.T, y *yard) {
	const most = 64 // as the hub has it
	session := y.open("flood", `{}`)
	y.away.Store(true)
	y.srv.breakDown()
	y.eventually("the server is away", func() bool { return y.hub.view().servers["srv"].phase != connected })
	y.hub.held.Add(256 << 20) // as if others waited with so much
	want(t, "beyond the bytes", y.mustPost(session, toolCall(`"held"`, "do")).status, http.StatusServiceUnavailable)
	y.hub.held.Add(-256 << 20)
	var refused, answered atomic.Int64
	var group sync.WaitGroup
	for i := range 3 * most {
		group.Go(func() {
			got, err := y.post(session, toolCall(fmt.Sprint(i), "do"))
			switch {
			case err != nil:
				t.Error(err)
			case got.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") != "" && strings.Contains(got.body, "too many calls wait"):
				refused.Add(1)
			case got.status == http.StatusOK && strings.Contains(got.body, `"result"`):
				answered.Add(1)
			default:
				t.Errorf("%d %v %s", got.status, got.header, got.body)
			}
		})
	}
	y.eventually("all beyond the bound are refused", func() bool { return refused.Load() == 2*most })
	y.srv.start(t)
	y.declare(y.good, y.srv)
	group.Wait()
	want(t, "answered when the server was back", answered.Load(), most)
	y.awaitPhase("srv", connected)
	y.away.Store(false)
	y.delete(session)
}

// callsWithoutEnd calls and goes away, again and again. The calls go on, up to a
// bound; other sessions are not concerned.
func callsWithoutEnd(t *testing.T, y *yard) {
	const most = 1024 // as mcpserver has it
	session, other := y.open("bad", `{}`), y.open("other", `{}`)
	several(most, func(i int) { y.stream(http.MethodPost, session, toolCall(fmt.Sprint(i), "hold")).close() })
	y.eventually("the server has the calls", func() bool { return y.held.Load() == most })
	got := y.mustPost(session, toolCall(`"more"`, "do"))
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "1024") {
		t.Errorf("one more: %d %v %s", got.status, got.header, got.body)
	}
	y.works(other)
	close(y.letGo)
	y.eventually("room again", func() bool { return y.mustPost(session, toolCall(`"more"`, "do")).status == http.StatusOK })
	y.delete(session, other)
}

// notificationFlood sends what the hub knows, what it passes on, and what it drops.
func notificationFlood(t *testing.T, y *yard) {
	session := y.open("flood", `{}`)
	y.works(session)
	notes := []string{
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`,
		`{"jsonrpc":"2.0","method":"x","params":{"deep":[[[[]]]]}}`,
	}
	several(10_000, func(i int) {
		if got, err := y.post(session, notes[i%len(notes)]); err != nil || got.status != http.StatusAccepted || got.body != "" {
			t.Errorf("%d %s %v", got.status, got.body, err)
		}
	})
	y.works(session)
	y.delete(session)
}

// manyOwnStreams opens streams of which each takes the place of the one before.
func manyOwnStreams(t *testing.T, y *yard) {
	session := y.open("bad", `{}`)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			for range 100 {
				y.stream(http.MethodGet, session, "").close()
			}
		})
	}
	group.Wait()
	last := y.stream(http.MethodGet, session, "")
	want(t, "the last one", last.status, http.StatusOK)
	y.eventually("one connection of all is left", func() bool { return y.conns.Load() < 120 })
	last.close()
	y.works(session)
	y.delete(session)
}
