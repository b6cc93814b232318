package mcpclient

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// queueSize bounds the messages that wait for the process to read them.
const queueSize = 64

// stdio is the wire to a process, by its standard streams. Four goroutines belong to
// it: one reads its output, one its errors, one writes its input, and one watches over
// its life and waits for the others; and a fifth where the process is to be pinged.
type stdio struct {
	*mux
	streams   Streams
	keepAlive time.Duration // how often the process is pinged; 0: never
	said      lastWords
	queue     chan *outgoing
	closing   chan struct{} // closed when the session has ended
	unread    chan struct{} // closed when the process has closed its input
	gone      chan struct{} // closed when the process and all its goroutines have ended

	quiet    atomic.Bool // the handshake is done: noise is not kept any more
	noisesMu sync.Mutex  // leaf
	noises   []string    // the first lines of output that are no messages
}

// outgoing is a message on its way to the process.
type outgoing struct {
	data  []byte
	state *atomic.Int32 // of the call, if it is the request of one
	done  chan error    // gets the result of writing it
}

func newStdio(s *Session, streams Streams) *stdio {
	return &stdio{
		mux:     newMux(s),
		streams: streams,
		queue:   make(chan *outgoing, queueSize),
		closing: make(chan struct{}),
		unread:  make(chan struct{}),
		gone:    make(chan struct{}),
	}
}

func (w *stdio) start() { go w.run() } // close waits for gone

func (w *stdio) established(string) string {
	w.quiet.Store(true)
	return ""
}

func (w *stdio) listen() <-chan struct{} { return listening }

func (w *stdio) ended() { close(w.closing) }

func (w *stdio) close() { <-w.gone }

// run lives as long as the process and what it started.
func (w *stdio) run() {
	defer close(w.gone)
	var group sync.WaitGroup
	read := make(chan struct{})
	group.Go(func() {
		defer close(read)
		w.read()
	})
	heard := make(chan struct{}) // all that it wrote to its standard error
	group.Go(func() {
		defer close(heard)
		w.readErrors()
	})
	group.Go(w.write)
	if w.keepAlive > 0 {
		group.Go(w.ping)
	}

	reason := w.watch(read, heard)
	w.mux.end(reason)
	w.s.end(reason)
	w.streams.End()
	group.Wait()
}

// watch returns when the session is to end, and why.
func (w *stdio) watch(read, heard <-chan struct{}) error {
	var closed string
	select {
	case <-w.closing:
		return w.s.err
	case <-w.streams.Over():
		w.letRead(read, heard)
		return w.obituary()
	case <-read:
		closed = "output"
	case <-w.unread:
		closed = "input"
	}
	// It will answer no more. Most are about to exit: then the status says more.
	select {
	case <-w.closing:
		return w.s.err
	case <-w.streams.Over():
		w.letRead(read, heard)
		return w.obituary()
	case <-time.After(time.Second):
		return fmt.Errorf("the process closed its %s; %w", closed, w.obituary())
	}
}

// graceRead is how long the output of a process that has exited is read, should
// another process hold it open.
const graceRead = 500 * time.Millisecond

// letRead gives the readers time to read what the process wrote before it exited.
func (w *stdio) letRead(readers ...<-chan struct{}) {
	timer := time.NewTimer(graceRead)
	defer timer.Stop()
	for _, read := range readers {
		select {
		case <-read:
		case <-timer.C:
			return
		case <-w.closing:
			return
		}
	}
}

// obituary says how the process fares, with what it said last.
func (w *stdio) obituary() error {
	text := w.streams.Fate()
	if said := w.said.String(); said != "" {
		text += "; stderr: " + said
	}
	w.noisesMu.Lock()
	defer w.noisesMu.Unlock()
	if !w.quiet.Load() && len(w.noises) > 0 {
		text += "; it wrote what is no message: " + strings.Join(w.noises, " | ")
	}
	return errors.New(text)
}

// read dispatches what the process writes until it closes its output.
func (w *stdio) read() {
	lines := newLineReader(w.streams.Stdout(), w)
	for {
		messages, err := lines.next()
		if err != nil {
			return
		}
		for _, m := range messages {
			w.dispatch(m)
		}
	}
}

const (
	maxNoises   = 5
	noiseLength = 300
)

// noise implements lineSink.
func (w *stdio) noise(line []byte) {
	text := printable(line, noiseLength)
	w.s.options.Log.Debug("output that is no message", "stdout", text)
	if w.quiet.Load() {
		return
	}
	w.noisesMu.Lock()
	defer w.noisesMu.Unlock()
	if len(w.noises) < maxNoises {
		w.noises = append(w.noises, text)
	}
}
