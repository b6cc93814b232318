package mcpserver

import "time"

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
	st.wakeBatch()
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
	select {
	case st.back <- struct{}{}:
	default:
	}
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
		st.wakeBatch()
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

// comment has c write something between two events: it is not kept, but may make
// events of responses that waited.
func (st *stream) comment(c *connection, text string) {
	st.makeKnown()
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.conn == c && st.over.IsZero() {
		st.settle()
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
