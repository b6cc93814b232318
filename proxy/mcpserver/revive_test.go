package mcpserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

// A session survives a restart of the hub: at its next request it is there, as
// the client has declared itself, and its first stream tells that all lists may
// have changed.
func TestRevival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeys(t, keyOne)
		before := newHost(t, Options{Keys: keys}, Access{})
		id := before.initialize("/mcp")
		state := before.last().session.State

		h := newHost(t, Options{Keys: keys}, Access{})
		if !h.works("/mcp", id) {
			t.Fatal("the id does not revive")
		}
		if got := h.last().session.State; got.ProtocolVersion != state.ProtocolVersion || string(got.ClientInfo) != string(state.ClientInfo) || got.Issued != state.Issued {
			t.Errorf("got %+v, want %+v", got, state)
		}
		stream := h.open(id)
		stream.expect("tools/list_changed", "prompts/list_changed", "resources/list_changed", ": alive")
		stream.Body.Close()
		synctest.Wait()
		second := h.open(id)
		second.expect(": alive")
		second.Body.Close()

		fresh := h.initialize("/mcp")
		h.last().session.Changed(PromptsChanged) // while there is no stream
		stream = h.open(fresh)
		stream.expect("prompts/list_changed", ": alive")
		h.last().session.Changed(ToolsChanged)
		stream.expect("tools/list_changed")
		stream.Body.Close()
	})
}

func TestRevivalByGetAndDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeys(t, keyOne)
		id := newHost(t, Options{Keys: keys}, Access{}).initialize("/mcp")
		h := newHost(t, Options{Keys: keys}, Access{})
		stream := h.open(id)
		stream.expect("tools/list_changed")
		check(t, "DELETE", h.do("DELETE", "/mcp", id, "").StatusCode, http.StatusNoContent)
		stream.expect("prompts", "resources", "end")

		h = newHost(t, Options{Keys: keys}, Access{})
		check(t, "DELETE of a session not in memory", h.do("DELETE", "/mcp", id, "").StatusCode, http.StatusNoContent)
		check(t, "after it", h.do("POST", "/mcp", id, call(1, `{}`)).StatusCode, http.StatusNotFound)
		check(t, "sessions in memory", h.server.Sessions(), 0)
	})
}

func TestTombstones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{Keys: newKeys(t, keyOne), IdleAfter: 24 * time.Hour}, Access{})
		id := h.initialize("/mcp")
		peer := h.last()
		check(t, "DELETE", h.do("DELETE", "/mcp", id, "").StatusCode, http.StatusNoContent)
		check(t, "closed", peer.closed.Load(), 1)
		check(t, "second DELETE", h.do("DELETE", "/mcp", id, "").StatusCode, http.StatusNotFound)
		check(t, "POST", h.do("POST", "/mcp", id, call(1, `{}`)).StatusCode, http.StatusNotFound)
		check(t, "GET", h.do("GET", "/mcp", id, "").StatusCode, http.StatusNotFound)
		check(t, "peers made", len(h.peers), 1)
		count := func() int {
			h.server.sessions.mu.Lock()
			defer h.server.sessions.mu.Unlock()
			return len(h.server.sessions.tombstones)
		}
		check(t, "tombstones", count(), 1)
		time.Sleep(sessionLife + time.Hour)
		check(t, "tombstones of expired sessions", count(), 0)
	})
}

func TestTombstonesHaveABound(t *testing.T) {
	var table sessions
	table.init()
	bury := func(i int) {
		table.bury(&Session{id: fmt.Sprint(i), State: State{Issued: time.Unix(int64(i), 0)}})
	}
	for i := range maxTombstones {
		bury(i)
	}
	bury(maxTombstones)
	check(t, "tombstones", len(table.tombstones), maxTombstones-maxTombstones/10+1)
	check(t, "the oldest is remembered", table.deleted("0"), false)
	check(t, "the newest is remembered", table.deleted(fmt.Sprint(maxTombstones)), true)
}

// To be put away for being idle only frees memory.
func TestIdleSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		peer := h.last()
		time.Sleep(58 * time.Minute)
		h.do("POST", "/mcp", id, `{"jsonrpc":"2.0","method":"notifications/x"}`)
		time.Sleep(58 * time.Minute)
		check(t, "sessions in memory, used 58 minutes ago", h.server.Sessions(), 1)
		time.Sleep(4 * time.Minute)
		check(t, "sessions in memory, used over an hour ago", h.server.Sessions(), 0)
		check(t, "peer closed", peer.closed.Load(), 1)
		if !h.works("/mcp", id) {
			t.Error("the id does not revive")
		}
		check(t, "sessions in memory", h.server.Sessions(), 1)
		if h.last() == peer {
			t.Error("a closed peer is used again")
		}
		check(t, "first peer closed", peer.closed.Load(), 1)
	})
}

// A stream or a call that is open keeps its session, and the hour begins when it
// ends.
func TestBusySessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		h.answer = func(context.Context, *Call) (jsonrpc.Raw, error) {
			time.Sleep(5 * time.Hour)
			return jsonrpc.Raw(`"late"`), nil
		}
		streaming, calling := h.initialize("/mcp"), h.initialize("/mcp")
		stream := h.open(streaming)
		go func() { _, _ = io.Copy(io.Discard, stream.Body) }()
		answer := make(chan string)
		go func() { answer <- h.do("POST", "/mcp", calling, call(1, `{}`)).body }()
		time.Sleep(4 * time.Hour)
		check(t, "sessions in memory", h.server.Sessions(), 2)
		if got := <-answer; !strings.Contains(got, "late") {
			t.Errorf("got %s", got)
		}
		stream.Body.Close()
		time.Sleep(58 * time.Minute)
		check(t, "sessions in memory an hour after their use", h.server.Sessions(), 2)
		time.Sleep(4 * time.Minute)
		check(t, "sessions in memory later", h.server.Sessions(), 0)
	})
}

// At a bound the session that was idle longest is put away first; if none is
// idle, there is no room.
func TestBoundsOfSessions(t *testing.T) {
	for name, o := range map[string]Options{
		"in all":           {MaxSessions: 3, Keys: newKeys(t, keyOne)},
		"of one principal": {MaxPerPrincipal: 3, Keys: newKeys(t, keyOne)},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, o, Access{Endpoints: map[string]Rule{"/mcp/server/other": {true, "t"}}})
			other := ""
			if o.MaxPerPrincipal > 0 {
				other = h.initialize("/mcp/server/other", "Authorization: Bearer t")
			}
			var ids []string
			for range 3 {
				ids = append(ids, h.initialize("/mcp"))
				time.Sleep(2 * time.Second)
			}
			h.works("/mcp", ids[0])
			time.Sleep(2 * time.Second)
			ids = append(ids, h.initialize("/mcp"))
			inMemory := func() (in string) {
				for _, id := range ids {
					in += map[bool]string{true: "x", false: "-"}[h.server.sessions.get(id) != nil]
				}
				return in
			}
			check(t, name+": in memory", inMemory(), "x-xx")
			if other != "" && h.server.sessions.get(other) == nil {
				t.Error("another principal pays")
			}
			if !h.works("/mcp", ids[1]) {
				t.Errorf("%s: the one put away does not revive", name)
			}
			check(t, name+": in memory after revival", inMemory(), "xx-x")

			for _, i := range []int{0, 1, 3} {
				defer h.open(ids[i]).Body.Close()
			}
			for what, got := range map[string]*reply{
				"initialize": h.do("POST", "/mcp", "", hello(`{}`, `{}`)),
				"revival":    h.do("POST", "/mcp", ids[2], call(1, `{}`)),
			} {
				if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "5" || !strings.Contains(got.body, "too many sessions") {
					t.Errorf("%s: %s when all are busy: %d %v %s", name, what, got.StatusCode, got.Header, got.body)
				}
			}
			if !h.works("/mcp", ids[0]) {
				t.Errorf("%s: a busy session does not work at the bound", name)
			}
		})
	}
}

// However slow their peers answer initialize, sessions that open at the same time
// do not get over the bound.
func TestBoundHoldsInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{MaxSessions: 5}, Access{})
		h.hello = func() { time.Sleep(time.Second) }
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() { h.do("POST", "/mcp", "", hello(`{}`, `{}`)) })
		}
		group.Wait()
		check(t, "sessions", h.server.Sessions(), 5)
		var closed int32
		for _, p := range h.peers {
			closed += p.closed.Load()
		}
		check(t, "peers closed", closed, 45)
	})
}

// Requests that bring back one session at the same time get one session.
func TestParallelRevival(t *testing.T) {
	keys := newKeys(t, keyOne)
	id := newHost(t, Options{Keys: keys}, Access{}).initialize("/mcp")
	h := newHost(t, Options{Keys: keys}, Access{})
	var used sync.Map
	h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
		used.Store(c.Session, true)
		return c.Message.Params, nil
	}
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			if got := h.do("POST", "/mcp", id, call(i, `{}`)); got.StatusCode != http.StatusOK {
				t.Errorf("got %d %s", got.StatusCode, got.body)
			}
		})
	}
	group.Wait()
	sessions := 0
	used.Range(func(any, any) bool { sessions++; return true })
	check(t, "sessions used", sessions, 1)
	check(t, "sessions in memory", h.server.Sessions(), 1)
	open := slices.DeleteFunc(slices.Clone(h.peers), func(p *peer) bool { return p.closed.Load() == 1 })
	check(t, "peers not closed once", len(open), 1)
}

// A request that comes while its session is being put away is served.
func TestPutAwayMeetsRequest(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	id := h.initialize("/mcp")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				h.server.putAway(h.server.sessions.all())
			}
		}
	}()
	for i := range 500 {
		if got := h.do("POST", "/mcp", id, call(i, `{}`)); got.StatusCode != http.StatusOK || !strings.Contains(got.body, "result") {
			t.Fatalf("call %d: %d %s", i, got.StatusCode, got.body)
		}
	}
	close(stop)
	<-stopped
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.peers {
		if p.closed.Load() > 1 {
			t.Errorf("a peer closed %d times", p.closed.Load())
		}
	}
}

// A session that is deleted while requests bring it back stays deleted.
func TestDeleteMeetsRevival(t *testing.T) {
	keys := newKeys(t, keyOne)
	h := newHost(t, Options{Keys: keys}, Access{})
	for range 50 {
		id := h.initialize("/mcp")
		h.server.putAway(h.server.sessions.all())
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() { h.do("POST", "/mcp", id, call(i, `{}`)) })
		}
		group.Go(func() { h.do("DELETE", "/mcp", id, "") })
		group.Wait()
		if h.works("/mcp", id) || h.server.Sessions() > 0 {
			t.Fatal("a deleted session lives")
		}
	}
	id := h.initialize("/mcp")
	before := h.last().session
	h.server.putAway(h.server.sessions.all())
	revived := h.server.newSession(id, before.State) // and at this moment it is deleted
	h.server.sessions.bury(before)
	if there, err := h.server.admit(revived); there != nil || err != error(errNoSession) {
		t.Errorf("admitted: %v, %v", there, err)
	}
}
