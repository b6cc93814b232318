package mcpserver

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mcphub/proxy/jsonrpc"
)

var (
	errPutAway   = errors.New("the session was put away")
	errShutdown  = errors.New("the hub is shutting down; whether the server has run the call is unknown")
	errDeleted   = errors.New("the session was ended by its client")
	errCancelled = errors.New("the client cancelled the request")
)

const (
	maxCalls = 1024     // of one session that are being answered; those whose client is gone go on
	maxID    = 16 << 10 // bytes of a request's id, which every event of its stream carries
)

var errTooManyCalls = &BusyError{
	Reason:     "too many calls of this session are being answered (" + strconv.Itoa(maxCalls) + ")",
	RetryAfter: time.Second,
}

// Session is one client's session at one endpoint. It holds no goroutine of its
// own; while no request and no stream is open it costs its memory only.
type Session struct {
	State State // never modified

	server *Server
	id     string
	peer   Peer
	used   atomic.Int64 // Unix time when a request last began or ended, in seconds

	mu         sync.Mutex // guards what follows; held for these operations only
	requests   int        // HTTP requests under way, the client's own stream among them
	calls      map[string]*Call
	asks       map[int64]chan<- *jsonrpc.Message // questions to the client, by id
	lastAsk    int64
	own        *stream           // the client's own (GET); nil before the first
	streams    map[int64]*stream // those that can be resumed, by number
	lastStream int64
	changed    Changes       // not told yet, for want of a stream
	opened     chan struct{} // closed when a stream opens; nil if nobody waits
	over       bool
}

func (s *Server) newSession(id string, state State) *Session {
	session := &Session{State: state, server: s, id: id}
	session.touch()
	session.peer = s.options.Open(session)
	return session
}

// Peer returns the peer that Options.Open made for the session.
func (s *Session) Peer() Peer { return s.peer }

func (s *Session) touch()              { s.used.Store(time.Now().Unix()) }
func (s *Session) lastUsed() time.Time { return time.Unix(s.used.Load(), 0) }

// enter notes that an HTTP request is under way. It reports false if the session
// has ended.
func (s *Session) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.requests++
	s.touch()
	return true
}

func (s *Session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests--
	s.touch()
}

func (s *Session) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests > 0
}

func (s *Session) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// end ends all that is open in the session, and its peer. Only the first time
// counts.
func (s *Session) end(cause error) { s.endIf(cause, func() bool { return true }) }

// endIdle ends the session if it is idle. It reports whether it has done so.
func (s *Session) endIdle(cause error) bool {
	return s.endIf(cause, func() bool { return s.requests == 0 })
}

// endIf asks allowed with s.mu held, so that no request comes in between.
func (s *Session) endIf(cause error, allowed func() bool) bool {
	s.mu.Lock()
	if s.over || !allowed() {
		s.mu.Unlock()
		return false
	}
	s.over = true
	calls, asks, own, streams, opened := s.calls, s.asks, s.own, s.streams, s.opened
	s.calls, s.asks, s.own, s.streams, s.opened = nil, nil, nil, nil, nil
	s.mu.Unlock()
	for _, c := range calls {
		c.cancel(cause)
	}
	for _, answer := range asks {
		answer <- nil
	}
	if own != nil {
		own.disconnect()
	}
	for _, st := range streams {
		st.disconnect()
		st.forget()
	}
	if opened != nil {
		close(opened)
	}
	s.peer.Close()
	return true
}

// register makes a call known by its id, so that it can be cancelled.
func (s *Session) register(c *Call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errEnded
	}
	if len(c.Message.ID) > maxID {
		return jsonrpc.Errorf(jsonrpc.CodeInvalidRequest, "the id of the request is longer than %d bytes", maxID)
	}
	if len(s.calls) >= maxCalls {
		return errTooManyCalls
	}
	if s.calls[string(c.Message.ID)] != nil {
		return jsonrpc.Errorf(jsonrpc.CodeInvalidRequest, "a request with the id %.100s is still being answered", c.Message.ID)
	}
	if s.calls == nil {
		s.calls = make(map[string]*Call)
	}
	s.calls[string(c.Message.ID)] = c
	return nil
}

func (s *Session) unregister(c *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, string(c.Message.ID))
	if len(s.calls) == 0 {
		s.calls = nil // an idle session keeps no map
	}
}

// cancel ends the call with the id that a notifications/cancelled names.
func (s *Session) cancel(m *jsonrpc.Message) {
	s.mu.Lock()
	c := s.calls[string(m.Field(jsonrpc.RequestID))]
	s.mu.Unlock()
	if c != nil {
		c.cancel(errCancelled)
	}
}

// InFlight returns the calls that are being answered.
func (s *Session) InFlight() []*Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.calls))
}
