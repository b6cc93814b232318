package mcpserver

import (
	"sync"
	"time"

	"mcphub/proxy/jsonrpc"
)

const (
	maxQueued  = 1 << 20         // bytes unread from which on no more is taken; one message may be longer
	maxKept    = 256 << 10       // bytes on a stream that are kept after they were written
	maxKeptAll = 64 << 20        // bytes on all streams together; beyond, no more is kept than must be
	maxTight   = 64 << 10        // maxQueued, while it is beyond
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
	batch   *batch      // the calls, if it is of a batch; request is noIDs then
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

	back chan struct{} // gets a value when the client is back; nil before the hub has parted from it

	forgotten bool // the session does not have it any more
}

// push appends messages, for a client that has lost its connection too. It reports
// false, and appends none, if the stream is over or its client reads too slowly.
func (st *stream) push(messages ...[]byte) bool { return st.add(false, nil, messages...) }

// pushNow is push, but for a client that is there now.
func (st *stream) pushNow(messages ...[]byte) bool { return st.add(true, nil, messages...) }

// add is push or pushNow, for a call if by is not nil.
func (st *stream) add(now bool, by *Call, messages ...[]byte) bool {
	if len(messages) == 0 {
		return true
	}
	st.makeKnown()
	st.mu.Lock()
	defer st.mu.Unlock()
	if now && !st.isRead() {
		return false
	}
	if !st.over.IsZero() || by != nil && by.done || st.unread() >= st.session.server.queue() {
		return false
	}
	st.settle()
	for _, m := range messages {
		st.append(st.nextID().frame(m))
	}
	st.kick()
	return true
}

// tight reports whether the streams keep too much.
func (s *Server) tight() bool { return s.kept.Load() > maxKeptAll }

// queue returns how much one stream may have unread.
func (s *Server) queue() int {
	if s.tight() {
		return maxTight
	}
	return maxQueued
}

// makeKnown gives the stream its number, with the first event.
func (st *stream) makeKnown() { st.known.Do(func() { st.session.keep(st) }) }

// isRead reports whether a client is there. st.mu is held.
func (st *stream) isRead() bool { return st.conn != nil && !isClosed(st.conn.gone) }

// nextID returns the id of the next event. st.mu is held.
func (st *stream) nextID() eventID {
	request := st.request
	if st.batch != nil {
		request = st.batch.openIDs()
	}
	return eventID{st.session.server.boot, st.number, st.base + int64(len(st.log)), request}
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
	if st.session.server.tight() {
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
