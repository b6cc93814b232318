package proxy

import (
	"strconv"
	"sync"
	"sync/atomic"

	"mcphub/proxy/jsonrpc"
)

// fakeSession is a session at a fake.
type fakeSession struct {
	id      string
	client  string      // the name that the client gave itself
	hello   string      // the params of initialize
	say     chan string // for the stream that belongs to no call
	over    chan struct{}
	overing sync.Once
	streams int // GET streams that were opened

	loggedIn atomic.Bool // as a test uses it
}

func (s *fakeSession) ended() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

func (s *fakeSession) end() { s.overing.Do(func() { close(s.over) }) }

// newSession makes a session known.
func (f *fake) newSession() *fakeSession {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &fakeSession{id: "s" + strconv.Itoa(len(f.sessions)+1), say: make(chan string, 10_000), over: make(chan struct{})}
	f.sessions = append(f.sessions, s)
	return s
}

func (f *fake) session(id string) *fakeSession {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}

// sessionOf returns the latest session that a client, or the hub itself
// ("mcphub"), has here: not one that the hub has opened to list for a declaration.
func (f *fake) sessionOf(client string) *fakeSession {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.sessions) - 1; i >= 0; i-- {
		s := f.sessions[i]
		declares := string(jsonrpc.Get(jsonrpc.Raw(s.hello), "capabilities")) != "{}"
		if s.client == client && !(client == "mcphub" && (s.ended() || declares)) {
			return s
		}
	}
	f.t.Fatalf("%s: no session of %s", f.id, client)
	return nil
}

// streamsOf returns how many GET streams a client's session has opened.
func (f *fake) streamsOf(client string) int {
	s := f.sessionOf(client)
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.streams
}

// forgetSessions makes all sessions unknown.
func (f *fake) forgetSessions() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions = nil
}
