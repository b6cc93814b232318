package proxy

import (
	"time"

	"mcphub/proxy/jsonrpc"
)

// childIdle is how long a client's own process is kept without a call. Where clients
// find no place for theirs, a tenth of that will do.
const (
	childIdle = 10 * time.Minute
	crowded   = 10
)

// stay returns when the process of a visit is to end: it has ended by itself, or
// the client has had no use for it for so long that it is forgotten. The next call
// opens another.
func (p *peer) stay(v *visit) {
	idle, soon := p.hub.options.ChildIdle, p.hub.options.ChildIdle/crowded
	look := time.NewTimer(soon)
	defer look.Stop()
	var wanted <-chan struct{} // its place; nil while the client may have use for it soon
	for {
		limit := idle
		select {
		case <-v.session.Done():
			return
		case <-wanted:
			limit = soon
		case <-look.C:
		}
		left := p.forgetIdle(v, limit)
		wanted = nil
		switch {
		case left <= 0:
			v.link.log.Info("process of a client ended for want of calls", "idle", limit)
			return
		case limit == idle && left <= idle-soon:
			wanted = v.link.crowded
		default:
			left = min(left, soon)
		}
		look.Reset(left)
	}
}

// forgetIdle forgets a visit that has been idle for a time, so that no call gets it
// any more. It returns how much longer it is wanted.
func (p *peer) forgetIdle(v *visit, limit time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holdsOpen(v) {
		return p.hub.options.ChildIdle
	}
	if wanted := time.Until(v.used.Add(limit)); wanted > 0 {
		return wanted
	}
	if id := v.link.server.ID; p.visits[id] == v {
		delete(p.visits, id)
	}
	return 0
}

// holdsOpen reports whether something is open at the server that would end with
// its process: calls, questions, subscriptions, lists that are the session's own,
// for instance since it has logged in, and tasks where there can be any. p.mu is
// held.
func (p *peer) holdsOpen(v *visit) bool {
	id := v.link.server.ID
	if v.calls > 0 || v.listing || p.ownOf(id) != nil {
		return true
	}
	for key := range p.asks {
		if key.session == v.session {
			return true
		}
	}
	for _, server := range p.subs {
		if server == id {
			return true
		}
	}
	return p.server != "" && jsonrpc.Get(v.session.Capabilities(), "tasks") != nil
}

// called notes that a call is over. A nil visit is a session that many share.
func (p *peer) called(v *visit) {
	if v == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v.calls--
	v.used = time.Now()
	if v.leaving && v.calls == 0 {
		p.hub.errands.Go(v.end)
	}
}
