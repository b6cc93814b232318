package proxy

import (
	"context"
	"slices"
	"time"
)

// settleTime is how long a list waits for what is about to be known, since many
// clients list once, as soon as they can: after the hub's start for servers that
// have never been tried, and after a session's for servers that have not been
// listed for its client's declaration.
const settleTime = 5 * time.Second

// settledView returns the present view, or the first in which all is known that a
// list waits for.
func (p *peer) settledView(ctx context.Context) *view {
	v := p.hub.view()
	if p.settled(v) {
		return v
	}
	p.askForLists(v)
	latest := p.hub.started
	if p.opened.After(latest) {
		latest = p.opened
	}
	settling, cancel := context.WithDeadline(ctx, latest.Add(settleTime))
	defer cancel()
	return p.hub.await(settling, p.settled)
}

// settled reports whether nothing is about to be known that a list waits for.
func (p *peer) settled(v *view) bool {
	return p.tried(v) && p.listed(v)
}

// tried reports whether the first try of every server in scope is over, or no time
// is left to wait for it.
func (p *peer) tried(v *view) bool {
	if time.Since(p.hub.started) >= settleTime {
		return true
	}
	return v.desiredKnown && !slices.ContainsFunc(v.scope(p.session.State.Endpoint), func(s *state) bool {
		return s.phase == starting
	})
}

// listed reports whether every connected server in scope has been listed for the
// client's declaration, or no time is left to wait for it.
func (p *peer) listed(v *view) bool {
	if p.declared == nil || time.Since(p.opened) >= settleTime {
		return true
	}
	return !slices.ContainsFunc(v.scope(p.session.State.Endpoint), func(s *state) bool {
		return s.phase == connected && s.link.isolated() && s.variants[p.declared] == nil
	})
}

// askForLists has the servers in scope listed for the client's declaration.
func (p *peer) askForLists(v *view) {
	if p.declared == nil {
		return
	}
	for _, s := range v.scope(p.session.State.Endpoint) {
		if s.link.isolated() {
			s.link.listFor(p.declared)
		}
	}
}
