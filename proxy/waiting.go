package proxy

import (
	"context"
	"fmt"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpserver"
)

const (
	holdLimit  = 10 * time.Second // how long a call waits for a server that is away
	maxWaiting = 64               // calls that wait for one server
	maxHeld    = 256 << 20        // bytes of all waiting calls
)

// connectedTo returns the state of a server that is connected, waiting for it if
// it is away.
func (h *Hub) connectedTo(ctx context.Context, server string, size int) (*state, error) {
	s := h.view().servers[server]
	if s == nil {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInternal, "server %q is not declared any more", server)
	}
	if s.phase == connected {
		return s, nil
	}
	waiting, held := s.link.waiting.Add(1), h.held.Add(int64(size))
	defer s.link.waiting.Add(-1)
	defer h.held.Add(-int64(size))
	if waiting > maxWaiting || held > maxHeld {
		return nil, &mcpserver.BusyError{Reason: s.awayText() + "; too many calls wait for it", RetryAfter: max(time.Until(s.next), time.Second)}
	}
	return h.waitFor(ctx, s)
}

// waitFor waits until a server is connected that is away now.
func (h *Hub) waitFor(ctx context.Context, s *state) (*state, error) {
	holding, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	s.link.wakeUp(need)
	h.await(holding, func(v *view) bool {
		now := v.servers[s.server.ID]
		if now != nil {
			s = now
		}
		return now == nil || now.phase == connected
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if s.phase != connected {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInternal, "%s", s.awayText())
	}
	return s, nil
}

// awayText says that a server is away, why, and when it is tried next.
func (s *state) awayText() string {
	reason := "it has not answered yet"
	if s.err != nil {
		reason = s.err.Error()
	}
	if s.next.IsZero() {
		return fmt.Sprintf("server %q is away: %s", s.server.ID, reason)
	}
	return fmt.Sprintf("server %q is away: %s, next try in %s", s.server.ID, reason, max(time.Until(s.next), 0).Round(time.Second))
}
