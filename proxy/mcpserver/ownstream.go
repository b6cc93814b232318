package mcpserver

import "mcphub/proxy/jsonrpc"

// Changes is a set of lists that have changed.
type Changes uint8

// The lists, as in the list_changed notifications.
const (
	ToolsChanged Changes = 1 << iota
	PromptsChanged
	ResourcesChanged

	AllChanged = ToolsChanged | PromptsChanged | ResourcesChanged
)

// messages returns the notifications that tell of the changes.
func (c Changes) messages() (out [][]byte) {
	for i, method := range []string{
		"notifications/tools/list_changed",
		"notifications/prompts/list_changed",
		"notifications/resources/list_changed",
	} {
		if c&(1<<i) != 0 {
			out = append(out, jsonrpc.AppendNotification(nil, method, nil))
		}
	}
	return out
}

// Changed tells the client that lists have changed: at once if it holds a stream
// open, else when it opens one.
func (s *Session) Changed(lists Changes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed |= lists
	s.tell()
}

// tell puts the changes that wait on the client's own stream. A stream that has no
// room for them is disconnected: the client opens another and is told there. s.mu
// is held.
func (s *Session) tell() {
	switch {
	case s.own == nil || s.changed == 0:
	case s.own.pushNow(s.changed.messages()...):
		s.changed = 0
	default:
		s.own.disconnect()
	}
}

// Send puts a notification on the client's own stream. It reports whether there
// is one with room; one whose client has just lost its connection keeps it.
func (s *Session) Send(message []byte) bool {
	s.mu.Lock()
	own := s.own
	s.mu.Unlock()
	return own != nil && own.isRecent() && own.push(message)
}

// sendOr puts a question on the client's own stream if it is read now; if not,
// opened is closed when the next stream opens or the session ends.
func (s *Session) sendOr(message []byte) (sent bool, opened <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own != nil && s.own.pushNow(message) {
		return true, nil
	}
	if s.over {
		return false, closed
	}
	if s.opened == nil {
		s.opened = make(chan struct{})
	}
	return false, s.opened
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// carry writes a stream on c, from after an event on, until either side ends it.
// The client hears of the stream when it is there to be used. It reports false,
// and has written nothing, if the session has ended.
func (s *Session) carry(st *stream, c *connection, after int64) bool {
	st.makeKnown()
	st.hold(c, after)
	defer st.close(c)
	defer st.detach(c)
	if st.request == nil && !s.adopt(st) {
		return false
	}
	st.release(c)
	select {
	case <-c.ended:
	case <-c.gone:
	}
	st.detach(c)
	if st.close(c); c.broken && st.request == nil {
		s.Changed(AllChanged) // the client may have missed such news
	}
	return true
}

// adopt makes st the client's own stream, in place of the one before, which nobody
// can resume any more, and puts on it what waited for it. It reports false if the
// session has ended.
func (s *Session) adopt(st *stream) bool {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return false
	}
	before, opened := s.own, s.opened
	s.own, s.opened = st, nil
	s.remember(st)
	if before != nil && before != st {
		delete(s.streams, before.number) // the client has begun anew; it would crowd out streams of calls
	}
	s.tell()
	s.mu.Unlock()
	if before != nil && before != st {
		before.disconnect()
		before.forget()
	}
	if opened != nil {
		close(opened)
	}
	return true
}
