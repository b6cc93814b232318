package mcpserver

import (
	"net/http"
	"time"
)

// finish ends the stream of a call with its response: as the last event, or as
// plain JSON on c if nothing came before and the client does not prefer events. c
// is the connection of the call's own request, and the caller its handler.
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
