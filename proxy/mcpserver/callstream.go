package mcpserver

import (
	"net/http"
	"time"

	"mcphub/proxy/jsonrpc"
)

// exchange is the answer to a POST with requests: a stream, and the connection of
// the POST, which it begins on. Plain JSON takes its place if nothing comes before
// what answers. It belongs to the handler.
type exchange struct {
	stream *stream // apart, for it may be kept when the request and its body are not
	conn   connection
}

// open begins the stream of what request names; see stream.
func (x *exchange) open(w http.ResponseWriter, r *http.Request, s *Session, request jsonrpc.Raw) {
	x.conn = newConnection(w, r, s.server.options.Heartbeat)
	x.stream = &stream{session: s, request: request, conn: &x.conn}
	x.stream.beatOn(&x.conn)
}

// close waits until what is being written on the connection is out.
func (x *exchange) close() { x.stream.close(&x.conn) }

// leave ends the handler's part: the stream may be kept, but nothing by which it
// came to be.
func (x *exchange) leave() {
	x.close()
	st := x.stream
	st.mu.Lock()
	defer st.mu.Unlock()
	st.batch = nil
	if st.conn == &x.conn {
		st.conn, st.left = nil, time.Now()
	}
}

// finish ends the stream with the response to its call: as the last event, or as
// plain JSON if nothing came before and the client does not prefer events.
func (x *exchange) finish(head, body, tail []byte) {
	if !x.conn.asEvents && x.idle() {
		writeJSON(x.conn.w, http.StatusOK, head, body, tail)
		return
	}
	x.end(join(head, body, tail))
}

// end ends the stream with these messages.
func (x *exchange) end(messages ...[]byte) {
	st := x.stream
	st.makeKnown()
	st.mu.Lock()
	for _, m := range messages {
		st.append(st.nextID().frame(m))
	}
	st.over = time.Now()
	st.kick()
	st.mu.Unlock()
	x.close()
	if st.session.server.tight() {
		st.session.drop(st)
	}
}

// join returns the message that its parts make.
func join(head, body, tail []byte) []byte {
	whole := make([]byte, 0, len(head)+len(body)+len(tail))
	return append(append(append(whole, head...), body...), tail...)
}

// idle reports whether nothing has been written on the connection and nothing is
// to be, and if so ends the stream: the connection is the handler's again.
func (x *exchange) idle() bool {
	st := x.stream
	st.mu.Lock()
	idle := x.untouched()
	if idle {
		st.over, st.conn = time.Now(), nil
	}
	st.mu.Unlock()
	if idle {
		x.close()
	}
	return idle
}

// untouched is idle without the end. The stream's mutex is held.
func (x *exchange) untouched() bool {
	return x.stream.conn == &x.conn && len(x.stream.log) == 0 && !x.conn.writing && !x.conn.started
}

// drop ends the stream of a call without a response.
func (x *exchange) drop() {
	st := x.stream
	st.mu.Lock()
	st.over = time.Now()
	mine := st.conn == &x.conn
	st.kick()
	st.mu.Unlock()
	x.close()
	if mine && !x.conn.started {
		x.conn.write()
	}
}

// prime gives the client of a call an id to resume by, before anything else comes,
// and tells it when to connect again if wait is positive: the server means to part
// from it then.
func (st *stream) prime(wait time.Duration) {
	st.makeKnown()
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.over.IsZero() {
		return
	}
	if st.conn != nil && wait > 0 {
		st.conn.cutting.Store(true)
	}
	st.append(st.nextID().prime(wait))
	st.kick()
}

// part closes the connection of a call that goes on: its client is to come back
// for the rest. What it returns gets a value when that happens.
func (st *stream) part() (back <-chan struct{}) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.back = make(chan struct{}, 1)
	if c := st.conn; c != nil && len(st.log) > 0 && st.over.IsZero() {
		c.parting = true
		st.kick()
	}
	return st.back
}
