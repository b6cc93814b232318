package mcpclient

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"
)

// ErrOutOfReach says that nothing but a change of rights or settings lets the hub
// reach the server's process.
var ErrOutOfReach = errors.New("out of reach")

// Streams are the standard streams of a process, and what there is to know of it and
// to do with it, wherever it runs.
type Streams interface {
	Stdin() io.Writer
	Stdout() io.Reader // ends with Over, at the latest when End returns
	Stderr() io.Reader // likewise
	// Over is closed when the process is known to have ended, or to be cut off for
	// good. What it wrote before may still be there to be read.
	Over() <-chan struct{}
	// Fate says how the process fares, for people.
	Fate() string
	// End ends the process, or lets go of it where it is to live on, beginning with
	// the end of its input, and waits for that. It is called once.
	End()
}

// Standing are the streams of a process that was there before the session and outlives
// it. A session with it begins with initialize and nothing else: what it does not know
// may end it, and with it its container. It may have had a session already, and some take
// no second initialize.
type Standing interface {
	Streams
	// Restart has the process start anew, if that may help, and reports what became
	// of it. These streams are over then.
	Restart(ctx context.Context) error
}

// Piped reaches a server that runs elsewhere, by the streams of its process.
type Piped struct {
	Open func(context.Context) (Streams, error)
	// KeepAlive is how often the server is pinged, so that whatever is in between does
	// not take the streams for abandoned. 0: never.
	KeepAlive time.Duration
}

func (t Piped) open(ctx context.Context, s *Session) (wire, error) {
	streams, err := t.Open(ctx)
	if err != nil {
		return nil, err
	}
	if _, ok := streams.(Standing); ok {
		// Answers to the calls of an earlier session may still come.
		s.lastID.Store(rand.Int64N(1 << 48))
	}
	w := newStdio(s, streams)
	w.keepAlive = t.KeepAlive
	return w, nil
}

// ping keeps the streams in use until the session ends. What the server answers does
// not matter.
func (w *stdio) ping() {
	again := time.NewTicker(w.keepAlive)
	defer again.Stop()
	for {
		select {
		case <-w.closing:
			return
		case <-again.C:
		}
		if !w.quiet.Load() {
			continue // the handshake is under way
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if _, err := w.s.Call(ctx, &Call{Method: methodPing}); err != nil {
			w.s.options.Log.Debug("ping not answered", "err", err)
		}
		cancel()
	}
}
