package mcpserver

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mcphub/proxy/jsonrpc"
)

var (
	errPutAway   = errors.New("the session was put away")
	errDeleted   = errors.New("the session was ended by its client")
	errCancelled = errors.New("the client cancelled the request")
)

// Session is one client's session at one endpoint. It holds no goroutine of its
// own; while no request and no stream is open it costs its memory only.
type Session struct {
	State State // never modified

	server *Server
	id     string
	peer   Peer
	used   atomic.Int64 // Unix time of the last request, in seconds

	mu      sync.Mutex // guards what follows; held for these operations only
	calls   map[string]*Call
	asks    map[int64]func(*jsonrpc.Message) // questions to the client, by id
	lastAsk int64
	stream  *stream       // the client's own (GET); nil while there is none
	changed Changes       // not told yet, for want of a stream
	opened  chan struct{} // closed when a stream opens; nil if nobody waits
	over    bool
}

// Changes is a set of lists that have changed.
type Changes uint8

// The lists, as in the list_changed notifications.
const (
	ToolsChanged Changes = 1 << iota
	PromptsChanged
	ResourcesChanged

	AllChanged = ToolsChanged | PromptsChanged | ResourcesChanged
)

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

// busy reports whether a call or a stream is open.
func (s *Session) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls) > 0 || s.stream != nil
}

// close ends all that is open in the session and its peer. Call it once, after
// the session has left the table.
func (s *Session) close(cause error) {
	s.mu.Lock()
	s.over = true
	calls, stream := s.calls, s.stream
	s.calls, s.asks = nil, nil
	s.mu.Unlock()
	for _, c := range calls {
		c.cancel(cause)
	}
	if stream != nil {
		stream.end()
	}
	s.peer.Close()
}

// register makes a call known by its id, so that it can be cancelled.
func (s *Session) register(c *Call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return jsonrpc.Errorf(jsonrpc.CodeInternal, "the session has ended")
	}
	if s.calls[string(c.Message.ID)] != nil {
		return jsonrpc.Errorf(jsonrpc.CodeInvalidRequest, "a request with the id %s is still being answered", c.Message.ID)
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
	calls := make([]*Call, 0, len(s.calls))
	for _, c := range s.calls {
		calls = append(calls, c)
	}
	return calls
}

// Changed tells the client that lists have changed: at once if it holds a stream
// open, else when it opens one.
func (s *Session) Changed(lists Changes) {
	s.mu.Lock()
	stream := s.stream
	if stream == nil {
		s.changed |= lists
	}
	s.mu.Unlock()
	if stream != nil && !stream.push(lists.messages()...) {
		s.mu.Lock()
		s.changed |= lists
		s.mu.Unlock()
	}
}

// messages returns the notifications that tell of the changes.
func (c Changes) messages() (out [][]byte) {
	for i, method := range []string{
		"notifications/tools/list_changed",
		"notifications/prompts/list_changed",
		"notifications/resources/list_changed",
	} {
		if c&(1<<i) != 0 {
			out = append(out, jsonrpc.AppendNotification(nil, method, nil))
		}
	}
	return out
}

// Send puts a notification on the client's own stream. It reports whether there
// is one with room.
func (s *Session) Send(message []byte) bool {
	s.mu.Lock()
	stream := s.stream
	s.mu.Unlock()
	return stream != nil && stream.push(message)
}

// holdQuestion is how long a question waits for a stream to the client.
const holdQuestion = 30 * time.Second

// ErrNoStream says that a question could not be put to the client.
var ErrNoStream = errors.New("the client holds no stream open on which it could be asked")

// Ask sends a request to the client: on the stream of call, if that is not nil
// and open, else on the client's own stream, which it waits for up to 30 s. The
// answer is returned; its bytes belong to the caller.
func (s *Session) Ask(ctx context.Context, call *Call, method string, params jsonrpc.Raw) (*jsonrpc.Message, error) {
	answers := make(chan *jsonrpc.Message, 1)
	id, err := s.expect(func(m *jsonrpc.Message) { answers <- m })
	if err != nil {
		return nil, err
	}
	defer s.forget(id)
	message := jsonrpc.AppendRequest(nil, askID(id), method, params)
	if call == nil || !call.stream.push(message) {
		if err := s.sendHeld(ctx, message); err != nil {
			return nil, err
		}
	}
	select {
	case m := <-answers:
		return m, nil
	case <-ctx.Done():
		s.withdraw(call, id, context.Cause(ctx))
		return nil, context.Cause(ctx)
	}
}

// maxAsks bounds the questions to one client that wait for an answer.
const maxAsks = 256

// expect allots an id for a question whose answer goes to deliver.
func (s *Session) expect(deliver func(*jsonrpc.Message)) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || len(s.asks) >= maxAsks {
		return 0, &BusyError{Reason: "too many questions to this client are open (" + strconv.Itoa(maxAsks) + ")"}
	}
	if s.asks == nil {
		s.asks = make(map[int64]func(*jsonrpc.Message))
	}
	s.lastAsk++
	s.asks[s.lastAsk] = deliver
	return s.lastAsk, nil
}

func (s *Session) forget(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asks, id)
}

func askID(id int64) jsonrpc.Raw { return strconv.AppendInt(nil, id, 10) }

// answer delivers a response of the client. One that nobody asked for is
// dropped.
func (s *Session) answer(m *jsonrpc.Message) {
	id, err := strconv.ParseInt(string(m.ID), 10, 64)
	if err != nil {
		return
	}
	s.mu.Lock()
	deliver := s.asks[id]
	delete(s.asks, id)
	s.mu.Unlock()
	if deliver != nil {
		deliver(m)
	}
}

// sendHeld puts a message on the client's own stream, waiting for one to open.
func (s *Session) sendHeld(ctx context.Context, message []byte) error {
	deadline := time.NewTimer(holdQuestion)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		stream := s.stream
		if stream == nil && s.opened == nil {
			s.opened = make(chan struct{})
		}
		opened := s.opened
		s.mu.Unlock()
		if stream != nil {
			if stream.push(message) {
				return nil
			}
			return ErrNoStream
		}
		select {
		case <-opened:
		case <-deadline.C:
			return ErrNoStream
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// withdraw tells the client that a question needs no answer any more.
func (s *Session) withdraw(call *Call, id int64, cause error) {
	params := append(jsonrpc.Raw(`{"requestId":`), askID(id)...)
	params = append(append(params, `,"reason":`...), jsonrpc.Quote(cause.Error())...)
	message := jsonrpc.AppendNotification(nil, "notifications/cancelled", append(params, '}'))
	if call == nil || !call.stream.push(message) {
		s.Send(message)
	}
}

// attach makes st the client's own stream, in place of the one before, and puts
// on it what waited for it.
func (s *Session) attach(st *stream) error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return errPutAway
	}
	before, changed, opened := s.stream, s.changed, s.opened
	s.stream, s.changed, s.opened = st, 0, nil
	s.mu.Unlock()
	if before != nil {
		before.end()
	}
	st.push(changed.messages()...)
	if opened != nil {
		close(opened)
	}
	s.peer.StreamOpened()
	return nil
}

// detach forgets st if it is still the client's own stream.
func (s *Session) detach(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == st {
		s.stream = nil
	}
}
