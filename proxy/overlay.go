package proxy

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// A server may change a list in one session alone: a tool that logs in adds the
// tools that come with it. So when a client's own session at a server hears of a
// change, the server is listed there, and where that differs from what everybody
// sees, the client's session sees it so from then on.

// ownLists are what one client's session sees otherwise than its declaration has
// it. They are never modified, but for what over remembers.
type ownLists struct {
	features map[string]*features // by server
	last     atomic.Pointer[overlaid]
}

// overlaid is a catalog made of another.
type overlaid struct{ below, result *catalog }

// over returns c with the session's own lists in place of those of their servers.
func (o *ownLists) over(c *catalog, n naming) *catalog {
	last := o.last.Load()
	if last != nil && last.below == c {
		return last.result
	}
	offers := slices.Clone(c.inputs)
	for i := range offers {
		if own := o.features[offers[i].server]; own != nil {
			offers[i].features = own
		}
	}
	now := &overlaid{below: c, result: newCatalog(offers, n, c)}
	o.last.Store(now)
	return now.result
}

// with returns the lists with those of a server replaced: nil where none are left.
func (o *ownLists) with(server string, own *features) *ownLists {
	all := map[string]*features{}
	if o != nil {
		maps.Copy(all, o.features)
	}
	all[server] = own
	if own == nil {
		delete(all, server)
	}
	if len(all) == 0 {
		return nil
	}
	return &ownLists{features: all}
}

// setOwn replaces the session's own lists of a server: nil where it has none any
// more. The client is told what has changed for it.
func (p *peer) setOwn(server string, own *features) {
	if own == p.ownOf(server) {
		return
	}
	v := p.hub.view()
	before := p.catalog(v)
	for last := p.own.Load(); !p.own.CompareAndSwap(last, last.with(server, own)); last = p.own.Load() {
	}
	if changed := p.catalog(v).changes(before); changed != 0 {
		p.session.Changed(changed)
	}
}

// ownOf returns the session's own lists of a server, nil if it has none.
func (p *peer) ownOf(server string) *features {
	if o := p.own.Load(); o != nil {
		return o.features[server]
	}
	return nil
}

// heardChange has a server listed again in the client's own session, where it has
// said that lists have changed. It does not block.
func (p *peer) heardChange(l *link, ks []kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.visits[l.server.ID]
	if v == nil || v.link != l {
		return
	}
	for _, k := range ks {
		v.outdated |= 1 << k
	}
	if !v.listing {
		v.listing = true
		p.hub.errands.Go(func() { p.relistOwn(v) })
	}
}

// relistOwn lists a server in the client's own session until nothing is outdated
// there. The pause lets the hub's own listing come first, which is all there is to
// it where the change is everybody's.
func (p *peer) relistOwn(v *visit) {
	<-v.opened
	for p.pauseOwn(v) {
		p.mu.Lock()
		outdated := v.outdated
		v.outdated, v.listing = 0, outdated != 0
		p.mu.Unlock()
		if outdated == 0 {
			return
		}
		p.listOwn(v, outdated)
	}
	p.mu.Lock()
	v.listing = false
	p.mu.Unlock()
}

// pauseOwn waits before a listing; false says that the session has ended.
func (p *peer) pauseOwn(v *visit) bool {
	if v.err != nil {
		return false
	}
	select {
	case <-time.After(relistPause):
		return true
	case <-v.session.Done():
		return false
	}
}

// listOwn reads the outdated lists in the client's own session.
func (p *peer) listOwn(v *visit, outdated uint32) {
	ctx, cancel := context.WithTimeout(v.link.ctx, variantTimeout)
	defer cancel()
	server := v.link.server.ID
	known := cmp.Or(p.ownOf(server), p.shownOf(server))
	if known == nil {
		return // nothing is listed of it yet
	}
	own := *known
	own.problems = nil
	for k := range kinds {
		if outdated&(1<<k) != 0 {
			own.read(ctx, v.session, k, known)
		}
	}
	if ctx.Err() != nil || isDone(v.session) {
		return
	}
	if own.sameLists(p.shownOf(server)) {
		p.setOwn(server, nil)
	} else {
		p.setOwn(server, &own)
	}
}

// shownOf returns what clients with the same declaration see of a server.
func (p *peer) shownOf(server string) *features {
	if s := p.hub.view().servers[server]; s != nil {
		return s.offered(p.declared)
	}
	return nil
}

// shown is told that another view is shown: the client is told what has changed
// for it. Own lists of servers that now show others may be outdated too.
func (p *peer) shown(before, now *view, news changesOf) {
	changed := news.between(p.catalog(before), p.catalog(now))
	if changed != 0 && !p.awaits(before, now) {
		p.session.Changed(changed)
	}
	o := p.own.Load()
	if o == nil {
		return
	}
	for server := range o.features {
		last, s := before.servers[server], now.servers[server]
		if last != nil && s != nil && last.offered(p.declared) != s.offered(p.declared) {
			p.heardChange(s.link, []kind{tools, prompts, resources, templates})
		}
	}
}

// awaits reports whether what is new in now is what the client's first list would
// have waited for: to one that has not listed yet, that is no change.
func (p *peer) awaits(before, now *view) bool {
	mine := variant{p.session.State.Endpoint, p.declared}
	return before.variants[mine] == nil && now.variants[mine] != nil && !p.hasListed.Load()
}
