package mcpserver

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"mcphub/proxy/jsonrpc"
)

const (
	holdQuestion = 30 * time.Second // how long a question waits for a stream to the client
	maxAsks      = 256              // questions to one client that wait for an answer
)

// ErrNoStream says that a question could not be put to the client.
var ErrNoStream = errors.New("the client holds no stream open on which it could be asked")

var (
	errEnded       = errors.New("the session has ended")
	errTooManyAsks = errors.New("too many questions to this client are open (" + strconv.Itoa(maxAsks) + ")")
)

// Question is a request to a client. Await is to be called, once.
type Question struct {
	session *Session
	call    *Call // may be nil
	id      int64
	message []byte // to be sent yet; nil if it is on its way
	answer  chan *jsonrpc.Message
}

// Ask makes a request to the client and puts it on the stream of call, if that is
// not nil and open: in the order in which it was asked, before what call.Send and
// the call's result put there later. It does not block.
func (s *Session) Ask(call *Call, method string, params jsonrpc.Raw) (*Question, error) {
	q := &Question{session: s, call: call, answer: make(chan *jsonrpc.Message, 1)}
	var err error
	if q.id, err = s.expect(q.answer); err != nil {
		return nil, err
	}
	message := jsonrpc.AppendRequest(nil, askID(q.id), method, params)
	if call == nil || !call.sendNow(message) {
		q.message = message
	}
	return q, nil
}

// Await returns the answer, whose bytes belong to the caller. A question that is
// not on the stream of its call goes on the client's own, which it waits for up to
// 30 s. When ctx ends, the client is told that nobody waits any more.
func (q *Question) Await(ctx context.Context) (*jsonrpc.Message, error) {
	defer q.session.forget(q.id)
	if q.message != nil {
		if err := q.session.sendHeld(ctx, q.message); err != nil {
			return nil, err
		}
	}
	select {
	case m := <-q.answer:
		if m == nil {
			return nil, errEnded
		}
		return m, nil
	case <-ctx.Done():
		q.session.withdraw(q.call, q.id, context.Cause(ctx))
		return nil, context.Cause(ctx)
	}
}

// expect allots an id for a question whose answer goes to answer: a nil one when
// the session ends. Ids begin anywhere, so that an answer which comes late, to a
// question from before the session was put away, is not taken for another's.
func (s *Session) expect(answer chan<- *jsonrpc.Message) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return 0, errEnded
	case len(s.asks) >= maxAsks:
		return 0, errTooManyAsks
	case s.lastAsk == 0:
		s.lastAsk = rand.Int64N(1 << 48)
	}
	if s.asks == nil {
		s.asks = make(map[int64]chan<- *jsonrpc.Message)
	}
	s.lastAsk++
	s.asks[s.lastAsk] = answer
	return s.lastAsk, nil
}

func (s *Session) forget(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asks, id)
	if len(s.asks) == 0 {
		s.asks = nil // an idle session keeps no map
	}
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
	answer := s.asks[id]
	delete(s.asks, id)
	s.mu.Unlock()
	if answer != nil {
		answer <- m
	}
}

// sendHeld puts a message on the client's own stream, waiting for one to open
// that takes it.
func (s *Session) sendHeld(ctx context.Context, message []byte) error {
	deadline := time.NewTimer(holdQuestion)
	defer deadline.Stop()
	for {
		sent, opened := s.sendOr(message)
		if sent {
			return nil
		}
		select {
		case <-opened:
		case <-deadline.C:
			return ErrNoStream
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if s.hasEnded() {
			return errEnded
		}
	}
}

// withdraw tells the client that a question needs no answer any more.
func (s *Session) withdraw(call *Call, id int64, cause error) {
	params := append(jsonrpc.Raw(`{"requestId":`), askID(id)...)
	params = append(append(params, `,"reason":`...), jsonrpc.Quote(cause.Error())...)
	message := jsonrpc.AppendNotification(nil, "notifications/cancelled", append(params, '}'))
	if call == nil || !call.Send(message) {
		s.Send(message)
	}
}
