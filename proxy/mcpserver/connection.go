package mcpserver

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// connection is the HTTP answer that a stream is written on. It belongs to the
// handler that made it, which has the stream close it before it returns.
type connection struct {
	w        http.ResponseWriter
	rc       *http.ResponseController
	gone     <-chan struct{} // closed when the client is
	silence  time.Duration   // after which a comment is sent
	asEvents bool            // the client prefers an event stream to plain JSON
	beat     *time.Timer

	writer  sync.WaitGroup // the goroutine that writes, if there is one
	started bool           // headers are out; belongs to whoever writes, as the next
	broken  bool           // something could not be written

	cutting atomic.Bool // it is to be cut some time: the client is told not to use it for another request

	// Guarded by the stream's mutex:
	writing bool
	comment []byte // to be written between two events; nil if there is none
	parting bool   // to be cut when all is written
	closed  bool   // nothing more is written but by the handler

	ending sync.Once
	ended  chan struct{} // closed by end; nil where nobody waits for it
}

// end tells the handler that waits that the connection is over.
func (c *connection) end() {
	c.ending.Do(func() {
		if c.ended != nil {
			close(c.ended)
		}
	})
}

func newConnection(w http.ResponseWriter, r *http.Request, silence time.Duration) connection {
	accept := r.Header["Accept"]
	return connection{
		w: w, rc: http.NewResponseController(w), gone: r.Context().Done(), silence: silence,
		asEvents: len(accept) > 0 && strings.HasPrefix(accept[0], contentEvents[0]), // what comes first is preferred
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

var (
	contentEvents = []string{"text/event-stream"}
	contentJSON   = []string{"application/json"}
	noCache       = []string{"no-cache, no-transform"}
	noBuffering   = []string{"no"}
	closing       = []string{"close"}
)

// open sends the headers of an event stream, once.
func (c *connection) open() {
	if c.started {
		return
	}
	c.started = true
	h := c.w.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Accel-Buffering"] = contentEvents, noCache, noBuffering
	if c.cutting.Load() {
		h["Connection"] = closing
	}
	c.w.WriteHeader(http.StatusOK)
}

// write sends frames, and the headers before the first. It reports whether the
// client can still be reached. Only the one goroutine that has the right to
// write may call it.
func (c *connection) write(frames ...[]byte) bool {
	c.open()
	for _, f := range frames {
		if _, err := c.w.Write(f); err != nil {
			c.broken = true
			return false
		}
	}
	c.broken = c.rc.Flush() != nil
	return !c.broken
}

// cut ends the HTTP answer while its handler goes on with the call. A handler that
// only waits is told to return; where the answer cannot be ended, it stays open and
// silent.
func (c *connection) cut() {
	if c.ended != nil {
		return // detach has told it
	}
	conn, _, err := c.rc.Hijack()
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte("0\r\n\r\n")) // the last chunk (RFC 9112, section 7.1)
	_ = conn.Close()
}
