package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"mcphub/proxy/jsonrpc"
)

// write writes what is queued, until the session ends or the process has closed
// its input. It is alone in that, so
// that a process which does not read holds up nobody for longer than they want.
func (w *stdio) write() {
	for {
		select {
		case <-w.closing:
			return
		case o := <-w.queue:
			if !o.state.CompareAndSwap(queued, writing) {
				continue
			}
			_, err := w.streams.Stdin().Write(o.data)
			o.done <- err
			if err != nil {
				close(w.unread)
				return
			}
		}
	}
}

// line returns a message as it is written: on one line.
func line(message []byte) []byte { return append(jsonrpc.Flatten(message), '\n') }

func newOutgoing(message []byte) *outgoing {
	return &outgoing{data: line(message), state: new(atomic.Int32), done: make(chan error, 1)}
}

// enqueue hands a message to the writer.
func (w *stdio) enqueue(ctx context.Context, o *outgoing) error {
	select {
	case w.queue <- o:
		return nil
	case <-w.closing:
		return w.s.over()
	case <-ctx.Done():
		return fmt.Errorf("%w: the server does not read: %w", ErrNotSent, context.Cause(ctx))
	}
}

func (w *stdio) call(ctx context.Context, id int64, c *Call) (*jsonrpc.Message, error) {
	waiting, err := w.add(id, c)
	if err != nil {
		return nil, err
	}
	o := &outgoing{data: line(c.request(id)), state: &waiting.state, done: make(chan error, 1)}
	if err := w.enqueue(ctx, o); err != nil {
		w.take(id)
		return nil, err
	}
	// If writing fails, the session ends, and that tells the call why.
	m, err := w.wait(ctx, waiting, nil)
	if c.Method == methodInitialize {
		return w.begun(ctx, m, err)
	}
	return m, err
}

// begun has the error tell more of a session that could not be begun.
func (w *stdio) begun(ctx context.Context, m *jsonrpc.Message, err error) (*jsonrpc.Message, error) {
	if g, ok := errors.AsType[givenUp](err); ok {
		return m, givenUp{fmt.Errorf("%w; %w", g.cause, w.obituary())}
	}
	standing, ok := w.streams.(Standing)
	if err != nil || m.Error == nil || !ok {
		return m, err
	}
	refused := refusal(m)
	if err := standing.Restart(ctx); err != nil {
		return nil, fmt.Errorf("%w; %w", refused, err)
	}
	return nil, fmt.Errorf("%w; the process was there before the hub and may have had a session, so it is started anew", refused)
}

func (w *stdio) send(ctx context.Context, message []byte) error {
	o := newOutgoing(message)
	if err := w.enqueue(ctx, o); err != nil {
		return err
	}
	select {
	case err := <-o.done:
		if err != nil {
			return fmt.Errorf("%w: write to the process: %w", ErrNotSent, err)
		}
		return nil
	case <-w.closing:
		return w.s.over()
	case <-ctx.Done():
		if o.state.CompareAndSwap(queued, withdrawn) {
			return fmt.Errorf("%w: the server does not read: %w", ErrNotSent, context.Cause(ctx))
		}
		return context.Cause(ctx)
	}
}

// reply implements wire: what finds no room in the queue is dropped, for the
// process does not read.
func (w *stdio) reply(message []byte) {
	select {
	case w.queue <- newOutgoing(message):
	default:
		w.s.complain("server's request not answered: it does not read")
	}
}
