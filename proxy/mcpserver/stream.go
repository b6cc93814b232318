package mcpserver

import (
	"net/http"
	"sync"
	"time"

	"mcphub/proxy/jsonrpc"
)

const (
	maxQueued    = 1 << 20          // bytes on a stream that its client has not read yet
	writeTimeout = 30 * time.Second // for one write to a client
)

// stream is the answer to one HTTP request of a client: what comes before the
// result of a call, or the client's own stream of a session.
//
// Many goroutines may push to it; one at a time writes, and nobody waits for the
// network but the one that writes: pushing to a stream that nobody writes on
// starts a goroutine that writes until nothing is left. A call that is answered
// without anything before it needs none. The stream belongs to the handler that
// made it, which calls finish or drop before it returns; both wait for the
// writing goroutine.
type stream struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	silence time.Duration
	beat    *time.Timer
	ended   chan struct{} // closed by end; nil on the stream of a call

	writer  sync.WaitGroup // the goroutine that writes, if there is one
	started bool           // headers are out; belongs to whoever writes

	mu      sync.Mutex // guards what follows; never held across a write
	queue   [][]byte   // frames
	queued  int        // their bytes
	writing bool
	closed  bool // nothing can be pushed any more
	isEnded bool
}

// newStream returns a stream that sends a comment whenever there was silence for
// so long.
func newStream(w http.ResponseWriter, silence time.Duration) *stream {
	st := &stream{w: w, rc: http.NewResponseController(w), silence: silence}
	st.beat = time.AfterFunc(silence, func() { st.pushFrames([]byte(": alive\n\n")) })
	return st
}

// push queues messages. It reports false, and queues none, if the stream is over
// or its client reads too slowly.
func (st *stream) push(messages ...[]byte) bool {
	if len(messages) == 0 {
		return true
	}
	frames := make([][]byte, len(messages))
	for i, m := range messages {
		frames[i] = frame(m)
	}
	return st.pushFrames(frames...)
}

// frame returns a message as an event
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func frame(message []byte) []byte {
	const head, tail = "event: message\ndata: ", "\n\n"
	out := make([]byte, 0, len(head)+len(message)+len(tail))
	out = append(append(out, head...), message...)
	jsonrpc.Flatten(out[len(head):])
	return append(out, tail...)
}

func (st *stream) pushFrames(frames ...[]byte) bool {
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed || st.queued > 0 && st.queued+size > maxQueued {
		return false
	}
	st.queue = append(st.queue, frames...)
	st.queued += size
	st.beat.Reset(st.silence)
	if !st.writing {
		st.writing = true
		st.writer.Go(st.drain)
	}
	return true
}

// drain writes until the queue is empty.
func (st *stream) drain() {
	for {
		st.mu.Lock()
		frames := st.queue
		st.queue, st.queued = nil, 0
		if len(frames) == 0 {
			st.writing = false
		}
		st.mu.Unlock()
		if len(frames) == 0 {
			return
		}
		if !st.write(frames...) {
			st.shut()
		}
	}
}

// shut refuses all further messages.
func (st *stream) shut() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.closed, st.queue, st.queued = true, nil, 0
}

var (
	contentEvents = []string{"text/event-stream"}
	contentJSON   = []string{"application/json"}
	noCache       = []string{"no-cache, no-transform"}
	noBuffering   = []string{"no"}
)

// open sends the headers of an event stream, once.
func (st *stream) open() {
	if st.started {
		return
	}
	st.started = true
	h := st.w.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Accel-Buffering"] = contentEvents, noCache, noBuffering
	st.w.WriteHeader(http.StatusOK)
}

// write sends frames, and the headers before the first. It reports whether the
// client can still be reached. Only the one goroutine that has the right to
// write may call it.
func (st *stream) write(frames ...[]byte) bool {
	_ = st.rc.SetWriteDeadline(time.Now().Add(writeTimeout)) // not supported: no deadline
	st.open()
	for _, f := range frames {
		if _, err := st.w.Write(f); err != nil {
			return false
		}
	}
	ok := st.rc.Flush() == nil
	_ = st.rc.SetWriteDeadline(time.Time{})
	return ok
}

// close refuses further messages and waits until those before are written. After
// it the handler alone may write.
func (st *stream) close() {
	st.beat.Stop()
	st.mu.Lock()
	st.closed = true
	st.mu.Unlock()
	st.writer.Wait()
}

// end asks the handler of a session's own stream to return.
func (st *stream) end() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.isEnded && st.ended != nil {
		st.isEnded = true
		close(st.ended)
	}
}

// finish ends the stream with a response: as its last event, or as plain JSON if
// nothing came before.
func (st *stream) finish(head, body, tail []byte) {
	st.close()
	if st.started {
		whole := make([]byte, 0, len(head)+len(body)+len(tail))
		st.write(frame(append(append(append(whole, head...), body...), tail...)))
		return
	}
	writeJSON(st.w, st.rc, http.StatusOK, head, body, tail)
}

// drop ends the stream without a response.
func (st *stream) drop() {
	st.close()
	if !st.started {
		st.write()
	}
}
