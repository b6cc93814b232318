package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mcphub/proxy/jsonrpc"
)

// patience bounds what the session does for good order's sake: telling the server
// of a cancelled call, or that the session is over.
const patience = 5 * time.Second

// Session is one session with one server. All its methods may be called at the
// same time.
type Session struct {
	agreement
	options Options
	wire    wire
	lastID  atomic.Int64
	amiss   complaints

	endOnce   sync.Once
	done      chan struct{}
	err       error // why it ended; set before done is closed
	closeOnce sync.Once
}

// Dial opens a session with the server that t reaches. ctx bounds all of it; on
// an error everything opened is closed again. The Session is to be closed, even
// when it has ended by itself.
func Dial(ctx context.Context, t Transport, o Options) (*Session, error) {
	if o.Strays == nil {
		o.Strays = new(atomic.Int64)
	}
	s := &Session{options: o, done: make(chan struct{})}
	w, err := t.open(ctx, s)
	if err != nil {
		return nil, err
	}
	s.wire = w
	w.start()
	if err := s.initialize(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// ID returns the server's id of the session; empty where the transport has none
// or the server gave none.
func (s *Session) ID() string { return s.id }

// Era returns the era that the session speaks.
func (s *Session) Era() Era { return s.era }

// ProtocolVersion returns the version agreed on.
func (s *Session) ProtocolVersion() string { return s.version }

// Capabilities returns what the server declared, an object.
func (s *Session) Capabilities() jsonrpc.Raw { return s.capabilities }

// ServerInfo returns what the server says of itself, an object.
func (s *Session) ServerInfo() jsonrpc.Raw { return s.serverInfo }

// Instructions returns what the server tells the model; may be empty.
func (s *Session) Instructions() string { return s.instructions }

// InitializeResult returns the whole answer to initialize.
func (s *Session) InitializeResult() jsonrpc.Raw { return s.result }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns why the session ended, nil as long as it has not.
func (s *Session) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Listen opens the stream for what belongs to no call, where the transport has a
// separate one, and keeps it open. Calling it again opens no other. It returns at
// once; the channel is closed when the server has answered. What the server says
// before may be lost.
func (s *Session) Listen() <-chan struct{} { return s.wire.listen() }

// listening is what a wire's listen returns that has no separate stream.
var listening = func() <-chan struct{} {
	answered := make(chan struct{})
	close(answered)
	return answered
}()

// Close ends the session, on the server's side too, and waits for everything that
// belongs to it. It must not be called from a Receive function.
func (s *Session) Close() {
	s.end(ErrClosed)
	s.closeOnce.Do(s.wire.close) // whoever comes second waits
}

// End makes the session ended because of what happened outside of it: what is in
// flight fails with the reason, which counts if it is the first. It does not wait; the
// Session is to be closed all the same.
func (s *Session) End(reason error) { s.end(reason) }

// end makes the session ended; the first reason counts. It does not wait.
func (s *Session) end(reason error) {
	s.endOnce.Do(func() {
		s.err = reason
		close(s.done)
		s.wire.ended()
	})
}

// over returns what a call is told that comes when the session has ended.
func (s *Session) over() error {
	if errors.Is(s.err, ErrClosed) {
		return fmt.Errorf("%w: %w", ErrNotSent, s.err)
	}
	return fmt.Errorf("%w: %w: %w", ErrNotSent, ErrClosed, s.err)
}

// interrupted returns what a call is told during which the session ended.
func (s *Session) interrupted() error {
	if errors.Is(s.err, ErrClosed) {
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, ErrClosed)
	}
	return outcomeUnknown(s.err)
}

// givenUp is how a wire reports a call that it stopped waiting for while the
// server may be at it.
type givenUp struct{ cause error }

func (g givenUp) Error() string { return g.cause.Error() }

// Call sends a request and returns its response, a message that has a Result or
// an Error. Its own errors are ErrNotSent, ErrSessionLost, ErrOutcomeUnknown or
// ErrClosed with the details, a *StatusError, or the cause of ctx's end. When ctx
// ends, or c.Receive returns an error, the server is told at once.
func (s *Session) Call(ctx context.Context, c *Call) (*jsonrpc.Message, error) {
	if s.Err() != nil {
		return nil, s.over()
	}
	id := s.lastID.Add(1)
	c.ID = id
	m, err := s.wire.call(ctx, id, c)
	if g, ok := errors.AsType[givenUp](err); ok {
		if c.Method != methodInitialize { // which must not be cancelled
			s.cancelled(id, g.cause)
		}
		return nil, g.cause
	}
	return m, err
}

// cancelled tells the server that nobody waits for a call any more.
func (s *Session) cancelled(id int64, cause error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	params := strconv.AppendInt([]byte(`{"requestId":`), id, 10)
	params = append(params, `,"reason":`...)
	params = append(append(params, jsonrpc.Quote(printable([]byte(cause.Error()), 200))...), '}')
	if err := s.Notify(ctx, "notifications/cancelled", params); err != nil {
		s.options.Log.Debug("server not told of a cancelled call", "err", err)
	}
}

// Notify sends a notification. Nil params are left out.
func (s *Session) Notify(ctx context.Context, method string, params jsonrpc.Raw) error {
	if s.Err() != nil {
		return s.over()
	}
	return s.wire.send(ctx, jsonrpc.AppendNotification(nil, method, params))
}

// Respond answers a request of the server: with e, or else with result.
func (s *Session) Respond(ctx context.Context, id, result jsonrpc.Raw, e *jsonrpc.Error) error {
	if s.Err() != nil {
		return s.over()
	}
	return s.wire.send(ctx, response(id, result, e))
}

func response(id, result jsonrpc.Raw, e *jsonrpc.Error) []byte {
	if e != nil {
		return jsonrpc.AppendError(nil, id, e)
	}
	return jsonrpc.AppendResult(nil, id, result)
}

// deliver hands over what belongs to no call. m's memory is no longer the
// caller's.
func (s *Session) deliver(m *jsonrpc.Message) {
	switch {
	case s.answeredPing(m):
	case m.Kind() == jsonrpc.Response:
		s.options.Strays.Add(1)
	case s.options.Receive != nil:
		s.options.Receive(s, m)
	default:
		s.refuse(m)
	}
}

// late hands over progress under a token that no call in flight has, if it is one
// that a call had: what it belongs to may last longer (see Call.ID).
func (s *Session) late(m *jsonrpc.Message) {
	if id, ok := number(m.Field(jsonrpc.ProgressToken)); ok && id <= s.lastID.Load() {
		s.deliver(m)
	} else {
		s.options.Strays.Add(1)
	}
}

// answeredPing answers m if it is a ping: that is the session's own business.
func (s *Session) answeredPing(m *jsonrpc.Message) bool {
	if m.Method != methodPing || m.ID == nil {
		return false
	}
	s.wire.reply(response(m.ID, jsonrpc.Raw(`{}`), nil))
	return true
}

// refuse answers a request that nobody takes; a notification it drops.
func (s *Session) refuse(m *jsonrpc.Message) {
	if m.Kind() == jsonrpc.Request {
		s.wire.reply(response(m.ID, nil, jsonrpc.Errorf(jsonrpc.CodeMethodNotFound, "nobody here takes %s", m.Method)))
	}
}
