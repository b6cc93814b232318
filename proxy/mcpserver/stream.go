package mcpserver

import (
	"net/http"
	"sync"
	"time"

	"mcphub/proxy/jsonrpc"
)

const (
	maxQueued  = 1 << 20         // bytes unread from which on no more is taken; one message may be longer
	maxKept    = 256 << 10       // bytes on a stream that are kept after they were written
	maxKeptAll = 64 << 20        // the same of all streams together; beyond, what was written is dropped
	keepFor    = 5 * time.Minute // how long a stream that is over can be resumed
)

// stream is a sequence of events for a client: what comes before the result of a
// call and the result, or what the client's own stream of a session carries. It
// outlives the connection it is written on, so that a client that has lost that
// can go on where it was (2025-11-25/basic/transports, resumability).
//
// Many goroutines may push to it; one at a time writes, and nobody waits for the
// network but the one that writes: pushing to a stream that nobody writes on
// starts a goroutine that writes until nothing is left. It belongs to the
// handler of the connection, which waits for it. A call that is answered without
// anything before it needs none.
type stream struct {
	session *Session
	request jsonrpc.Raw // the id of the call; nil for the client's own stream
	known   sync.Once   // gives it a number and makes it known to the session
	number  int64

	mu   sync.Mutex  // guards what follows, and the connection's state; never held across a write
	conn *connection // nil while there is none
	log  [][]byte    // frames, the oldest first
	base int64       // sequence number of log[0]
	sent int64       // sequence number of the next frame to write on conn
	size int         // bytes of log
	over time.Time   // when the last event was pushed; zero while more may follow
	left time.Time   // when the last connection was lost

	forgotten bool // the session does not have it any more
}

// push appends messages, for a client that has lost its connection too. It reports
// false, and appends none, if the stream is over or its client reads too slowly.
func (st *stream) push(messages ...[]byte) bool { return st.add(false, messages) }

// pushNow is push, but for a client that is there now.
func (st *stream) pushNow(messages ...[]byte) bool { return st.add(true, messages) }

func (st *stream) add(now bool, messages [][]byte) bool {
	if len(messages) == 0 {
		return true
	}
	st.makeKnown()
	st.mu.Lock()
	defer st.mu.Unlock()
	if now && !st.isRead() {
		return false
	}
	if !st.over.IsZero() || st.unread() >= maxQueued {
		return false
	}
	for _, m := range messages {
		st.append(st.nextID().frame(m))
	}
	st.kick()
	return true
}

// makeKnown gives the stream its number, with the first event.
func (st *stream) makeKnown() { st.known.Do(func() { st.session.keep(st) }) }

// isRead reports whether a client is there. st.mu is held.
func (st *stream) isRead() bool { return st.conn != nil && !isClosed(st.conn.gone) }

// nextID returns the id of the next event. st.mu is held.
func (st *stream) nextID() eventID {
	return eventID{st.session.server.boot, st.number, st.base + int64(len(st.log)), st.request}
}

// unread returns how many bytes are not written yet. st.mu is held.
func (st *stream) unread() (size int) {
	for _, frame := range st.log[min(st.sent-st.base, int64(len(st.log))):] {
		size += len(frame)
	}
	return size
}

// append adds an event and forgets the oldest ones that are beyond what is kept.
// st.mu is held.
func (st *stream) append(frame []byte) {
	st.log = append(st.log, frame)
	st.grow(len(frame))
	kept := maxKept
	if st.session.server.kept.Load() > maxKeptAll {
		kept = 0
	}
	for st.base < st.sent && st.size > kept {
		st.grow(-len(st.log[0]))
		st.log = st.log[1:]
		st.base++
	}
}

// grow counts what the stream keeps. st.mu is held.
func (st *stream) grow(n int) {
	st.size += n
	if !st.forgotten {
		st.session.server.kept.Add(int64(n))
	}
}

// forget notes that nobody can resume the stream any more.
func (st *stream) forget() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.forgotten {
		st.session.server.kept.Add(int64(-st.size))
		st.forgotten = true
	}
}

// kick has a goroutine write what there is to write, if none does. st.mu is held.
func (st *stream) kick() {
	c := st.conn
	if c == nil || c.writing || c.closed {
		return
	}
	c.beat.Reset(c.silence)
	c.writing = true
	c.writer.Go(func() { st.drain(c) })
}

// drain writes until nothing is left, or c is not the stream's connection any
// more.
func (st *stream) drain(c *connection) {
	for {
		frames, after := st.take(c)
		if len(frames) > 0 && !c.write(frames...) {
			st.detach(c)
		}
		switch {
		case after == cutOff:
			st.detach(c)
			c.cut()
			return
		case after == over:
			c.end()
			return
		case len(frames) == 0:
			return
		}
	}
}

// next is what comes after the frames that have been taken.
type next int

const (
	more   next = iota // perhaps: look again
	over               // nothing, the stream is over
	cutOff             // nothing on this connection
)

// take returns the frames to write next on c. If there are none, or nothing comes
// after them, c is not written on any more.
func (st *stream) take(c *connection) (frames [][]byte, after next) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.conn != c {
		c.writing = false
		return nil, more
	}
	if c.comment != nil {
		frames, c.comment = append(frames, c.comment), nil
	}
	frames = append(frames, st.log[st.sent-st.base:]...)
	st.sent = st.base + int64(len(st.log))
	switch {
	case !st.over.IsZero():
		after = over
	case c.parting:
		after = cutOff
	}
	c.writing = len(frames) > 0 && after == more
	return frames, after
}

// hold makes c the stream's connection, in place of the one before, which ends.
// What follows the event with the number after is written on it from release on.
func (st *stream) hold(c *connection, after int64) {
	st.beatOn(c)
	st.mu.Lock()
	before := st.conn
	st.conn = c
	st.sent = min(max(after+1, st.base), st.base+int64(len(st.log)))
	c.writing = true
	st.mu.Unlock()
	if before != nil {
		before.end()
	}
}

// release sends the headers on c, and what was held back.
func (st *stream) release(c *connection) {
	c.write()
	c.writer.Go(func() { st.drain(c) })
}

// detach takes c off the stream, if it is still its connection, and ends it.
func (st *stream) detach(c *connection) {
	st.mu.Lock()
	if st.conn == c {
		st.conn, st.left = nil, time.Now()
	}
	st.mu.Unlock()
	c.end()
}

// disconnect ends the stream's connection, so that the client opens another.
func (st *stream) disconnect() {
	st.mu.Lock()
	c := st.conn
	st.mu.Unlock()
	if c != nil {
		c.end()
	}
}

// isRecent reports whether a client is there, or was not long ago.
func (st *stream) isRecent() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.isRead() || time.Since(st.left) < keepFor
}

// comment has c write something between two events: it is not kept.
func (st *stream) comment(c *connection, text string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.conn == c && st.over.IsZero() {
		c.comment = []byte(text)
		st.kick()
	}
}

// beatOn has a comment sent on c whenever there was silence for too long.
func (st *stream) beatOn(c *connection) {
	st.mu.Lock()
	defer st.mu.Unlock()
	c.beat = time.AfterFunc(c.silence, func() { st.comment(c, ": alive\n\n") })
}

// close waits until what is being written on c is out. After it the handler of c
// alone may write on it.
func (st *stream) close(c *connection) {
	c.beat.Stop()
	st.mu.Lock()
	c.closed = true
	st.mu.Unlock()
	c.writer.Wait()
}

// finish ends the stream of a call with its response: as the last event, or as
// plain JSON on c if nothing came before and the client does not prefer events. c is the connection of the call's own
// request, and the caller its handler.
func (st *stream) finish(c *connection, head, body, tail []byte) {
	if !c.asEvents && st.idle(c) {
		st.close(c)
		writeJSON(c.w, c.rc, http.StatusOK, head, body, tail)
		return
	}
	whole := make([]byte, 0, len(head)+len(body)+len(tail))
	whole = append(append(append(whole, head...), body...), tail...)
	st.makeKnown()
	st.mu.Lock()
	st.append(st.nextID().frame(whole))
	st.over = time.Now()
	st.kick()
	st.mu.Unlock()
	st.close(c)
}

// idle reports whether nothing has been written on c and nothing is to be, and if
// so ends the stream.
func (st *stream) idle(c *connection) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.conn != c || len(st.log) > 0 || c.writing || c.started {
		return false
	}
	st.over, st.conn = time.Now(), nil
	return true
}

// drop ends the stream of a call without a response.
func (st *stream) drop(c *connection) {
	st.mu.Lock()
	st.over = time.Now()
	mine := st.conn == c
	st.kick()
	st.mu.Unlock()
	st.close(c)
	if mine && !c.started {
		c.write()
	}
}

// prime gives the client of a call an id to resume by, before anything else comes,
// and tells it when to connect again if wait is positive.
func (st *stream) prime(wait time.Duration) {
	st.makeKnown()
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over.IsZero() {
		st.append(st.nextID().prime(wait))
		st.kick()
	}
}

// part closes the connection of a call that goes on: its client is to come back
// for the rest.
func (st *stream) part() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if c := st.conn; c != nil && len(st.log) > 0 && st.over.IsZero() {
		c.parting = true
		st.kick()
	}
}
