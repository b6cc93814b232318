package mcpserver

import "testing"

// Two requests that make room at the same time choose the same idle sessions: the
// one that comes second has room too.
func TestRoomMadeTwice(t *testing.T) {
	h := newHost(t, Options{MaxSessions: 1}, Access{})
	first := h.initialize("/mcp")
	h.last().session.endIdle(errPutAway) // as the faster request does, before it looks at the table again
	second := h.initialize("/mcp")
	check(t, "sessions", h.server.Sessions(), 1)
	if !h.works("/mcp", second) || !h.works("/mcp", first) {
		t.Error("a session does not work")
	}
}
