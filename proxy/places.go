package proxy

import (
	"fmt"
	"time"

	"mcphub/proxy/mcpserver"
)

// A place is the right to a process beside the hub's own.
const (
	maxChildren    = 16 // unless the hub is told otherwise
	maxInContainer = 7  // in each; the hub's own session makes them eight
)

// takePlace reports whether a session beside the hub's own may be opened: over
// stdio it is a process. What it takes is to be given back.
func (l *link) takePlace() bool {
	if l.overNetwork() || l.children.Add(1) <= int32(l.maxChildren()) {
		return true
	}
	l.children.Add(-1)
	return false
}

// full says that there is no place for a client's process, and has one end that its
// client has not used for a while.
func (l *link) full() error {
	select {
	case l.crowded <- struct{}{}:
	default: // all are in use
	}
	return &mcpserver.BusyError{
		Reason:     fmt.Sprintf("server %q runs a process for each client, and %d run already", l.server.ID, l.maxChildren()),
		RetryAfter: 5 * time.Second,
	}
}

// maxChildren returns how many such processes there may be.
func (l *link) maxChildren() int {
	if l.server.Spec.InContainer {
		return maxInContainer * max(1, len(l.lineup.Load().all))
	}
	return l.hub.options.Children
}

func (l *link) leavePlace() {
	if !l.overNetwork() {
		l.children.Add(-1)
	}
}
