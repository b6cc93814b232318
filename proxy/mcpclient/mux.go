package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"mcphub/proxy/jsonrpc"
)

const (
	// maxCalls bounds the calls in flight on one channel.
	maxCalls = 4096
	// inboxSize bounds what waits for one call to take it, in messages; MaxMessage
	// bounds it in bytes.
	inboxSize = 64
)

// mux tells the messages apart that come on one channel for all calls. One
// goroutine reads the channel and dispatches; each call takes what is its own on
// its caller's goroutine.
type mux struct {
	s *Session

	mu      sync.Mutex // leaf: held for operations on the fields below only
	pending map[int64]*waiting
	over    error // why the channel ended; nil while it has not

	dropped atomic.Int64 // progress and logs that no call took in time
}

// waiting is a call in flight.
type waiting struct {
	*Call
	id     int64
	state  atomic.Int32 // of its request
	inbox  chan *jsonrpc.Message
	bytes  atomic.Int64 // held in inbox
	result chan outcome // has room for one, and gets one at most
}

// The states of a message on its way out. It moves from queued to one of the
// others, by who is first.
const (
	queued    int32 = iota
	writing         // some of it may have gone out
	withdrawn       // nothing of it goes out
)

// withdraw reports whether nothing of the request has gone out or will.
func (w *waiting) withdraw() bool { return w.state.CompareAndSwap(queued, withdrawn) }

// outcome is how a call ends.
type outcome struct {
	answer *jsonrpc.Message
	err    error
}

func newMux(s *Session) *mux { return &mux{s: s, pending: make(map[int64]*waiting)} }

// add makes a call known, before its request goes out.
func (x *mux) add(id int64, c *Call) (*waiting, error) {
	w := &waiting{Call: c, id: id, result: make(chan outcome, 1)}
	if c.Receive != nil {
		w.inbox = make(chan *jsonrpc.Message, inboxSize)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.over != nil:
		return nil, fmt.Errorf("%w: %w: %w", ErrNotSent, ErrClosed, x.over)
	case len(x.pending) == maxCalls:
		return nil, fmt.Errorf("%w: %d calls are in flight, which is the limit", ErrNotSent, maxCalls)
	}
	x.pending[id] = w
	return w, nil
}

// take returns the call with an id and forgets it; nil if there is none.
func (x *mux) take(id int64) *waiting {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := x.pending[id]
	delete(x.pending, id)
	return w
}

// finish ends a call, if it is still in flight.
func (x *mux) finish(id int64, o outcome) bool {
	w := x.take(id)
	if w == nil {
		return false
	}
	w.result <- o // never blocks: who takes a call from pending is its only sender
	return true
}

// end fails all calls: the channel has ended.
func (x *mux) end(reason error) {
	x.mu.Lock()
	calls := x.pending
	x.pending = make(map[int64]*waiting)
	if x.over == nil {
		x.over = reason
	}
	x.mu.Unlock()
	for _, w := range calls {
		err := outcomeUnknown(reason)
		if w.withdraw() {
			err = fmt.Errorf("%w: %w", ErrNotSent, reason)
		} else if errors.Is(reason, ErrClosed) {
			err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, reason)
		}
		w.result <- outcome{err: err}
	}
}

// wait runs a call to its end on the caller's goroutine. failed ends it early, as
// does ctx.
func (x *mux) wait(ctx context.Context, w *waiting, failed <-chan error) (*jsonrpc.Message, error) {
	defer func() {
		x.take(w.id)
		x.leftover(w)
	}()
	for {
		select {
		case m := <-w.inbox:
			if err := w.receive(m); err != nil {
				return nil, givenUp{err}
			}
		case o := <-w.result:
			// What came before the response is in the inbox already.
			for {
				select {
				case m := <-w.inbox:
					if err := w.receive(m); err != nil {
						return nil, err // answered, so there is nothing to cancel
					}
					continue
				default:
				}
				return o.answer, o.err
			}
		case err := <-failed:
			if err != nil {
				return nil, err
			}
			failed = nil
		case <-ctx.Done():
			return nil, w.leave(ctx)
		}
	}
}

func (w *waiting) receive(m *jsonrpc.Message) error {
	w.bytes.Add(-int64(len(m.Params)))
	return w.Receive(m)
}

// leave returns what the caller is told whose ctx has ended.
func (w *waiting) leave(ctx context.Context) error {
	if w.withdraw() {
		return fmt.Errorf("%w: %w", ErrNotSent, context.Cause(ctx))
	}
	return givenUp{context.Cause(ctx)}
}
