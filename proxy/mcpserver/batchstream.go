package mcpserver

import (
	"fmt"
	"net/http"
	"slices"

	"mcphub/proxy/jsonrpc"
)

// respond takes the response to a call: as an event, or to wait as long as there
// may be an array. An empty one says that the call gets none.
func (b *batch) respond(c *Call, response []byte) {
	b.stream.mu.Lock()
	c.done = true
	if len(response) == 0 {
		b.strike(c)
	} else {
		b.held = append(b.held, answered{c, response})
		b.size += len(response)
	}
	waits := b.untouched() && !b.conn.asEvents && !b.full()
	b.stream.mu.Unlock()
	if !waits {
		b.flush()
	}
}

// strike notes that nothing is to come for a call. The stream's mutex is held.
func (b *batch) strike(c *Call) {
	b.unanswered = slices.DeleteFunc(b.unanswered, func(other *Call) bool { return other == c })
}

// flush makes events of the responses that wait.
func (b *batch) flush() {
	b.stream.makeKnown()
	b.stream.mu.Lock()
	defer b.stream.mu.Unlock()
	if len(b.held) > 0 {
		b.stream.settle()
		b.stream.kick()
	}
}

// settle appends the responses of a batch that wait, before something else. st.mu
// is held.
func (st *stream) settle() {
	b := st.batch
	if b == nil {
		return
	}
	for _, r := range b.held {
		b.strike(r.call)
		st.append(st.nextID().frame(r.response))
	}
	b.held, b.size = nil, 0
}

// full reports whether more is unread than one batch may have. The stream's mutex
// is held.
func (b *batch) full() bool {
	return int64(b.size+b.stream.unread()) >= b.session.server.options.MaxBody
}

// awaitRoom waits until the client has read enough for another call to run. It
// fails if there is no client to wait for.
func (b *batch) awaitRoom() error {
	b.stream.mu.Lock()
	defer b.stream.mu.Unlock()
	for b.full() {
		if b.stream.conn == nil {
			return fmt.Errorf("not run: the client has gone and left %d bytes of this batch's responses unread", b.size+b.stream.unread())
		}
		b.room.Wait()
	}
	return nil
}

// wakeBatch has calls look for room again: something was read, or the client has
// gone. st.mu is held.
func (st *stream) wakeBatch() {
	if st.batch != nil {
		st.batch.room.Broadcast()
	}
}

// conclude ends the answer when every call has its response: with an array of them,
// if they still wait, else by ending the stream.
func (b *batch) conclude() {
	if !b.idle() {
		b.flush()
		b.end()
		return
	}
	if len(b.held) == 0 { // every call was cancelled
		b.conn.write()
		return
	}
	array := make([]byte, 0, b.size+len(b.held))
	for i, r := range b.held {
		if i > 0 {
			array = append(array, ',')
		}
		array = append(array, r.response...)
	}
	writeJSON(b.conn.w, http.StatusOK, []byte("["), array, []byte("]"))
}

// noIDs is the stream.request of a batch.
var noIDs = jsonrpc.Raw("[]")

// openIDs returns, as an array, the ids of the calls whose response is not on the
// stream: what a client asks for who resumes it. The stream's mutex is held.
func (b *batch) openIDs() jsonrpc.Raw {
	ids := make([]jsonrpc.Raw, 0, len(b.unanswered))
	for _, c := range b.unanswered {
		ids = append(ids, c.Message.ID)
	}
	return idArray(ids)
}

func idArray(ids []jsonrpc.Raw) jsonrpc.Raw {
	out := jsonrpc.Raw("[")
	for i, id := range ids {
		if i > 0 {
			out = append(out, ',')
		}
		if id == nil {
			id = jsonrpc.Raw("null")
		}
		out = append(out, id...)
	}
	return append(out, ']')
}
