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

// Ask sends a request to the client: on the stream of call, if that is not nil
// and open, else on the client's own stream, which it waits for up to 30 s. The
// answer is returned; its bytes belong to the caller.
func (s *Session) Ask(ctx context.Context, call *Call, method string, params jsonrpc.Raw) (*jsonrpc.Message, error) {
	answer := make(chan *jsonrpc.Message, 1)
	id, err := s.expect(answer)
	if err != nil {
		return nil, err
	}
	defer s.forget(id)
	message := jsonrpc.AppendRequest(nil, askID(id), method, params)
	if call == nil || !call.sendNow(message) {
		if err := s.sendHeld(ctx, message); err != nil {
			return nil, err
		}
	}
	select {
	case m := <-answer:
		if m == nil {
			return nil, errEnded
		}
		return m, nil
	case <-ctx.Done():
		s.withdraw(call, id, context.Cause(ctx))
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
