package proxy

import (
	"context"
	"sync"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// receive takes what the server says on the hub's own session outside any call.
func (l *link) receive(session *mcpclient.Session, m *jsonrpc.Message) {
	switch {
	case l.heardChange(m):
	case m.Kind() == jsonrpc.Request:
		l.refuse(session, m)
	case m.Method == "notifications/resources/updated":
		l.shared.updated(m)
	case m.Method == "notifications/message":
		l.log.Debug("server log", "message", string(m.Params))
	}
}

// heardChange reports whether m says that a list has changed, and has it read
// again.
func (l *link) heardChange(m *jsonrpc.Message) bool {
	switch m.Method {
	case "notifications/tools/list_changed":
		l.outdated(tools)
	case "notifications/prompts/list_changed":
		l.outdated(prompts)
	case "notifications/resources/list_changed":
		l.outdated(resources, templates)
	default:
		return false
	}
	return true
}

// refuse answers a question that cannot be attributed to a client: it is never
// put to one by guessing. It does not block; questions beyond its bound get no
// answer.
func (l *link) refuse(session *mcpclient.Session, m *jsonrpc.Message) {
	select {
	case l.refusals <- struct{}{}:
	default:
		return
	}
	l.hub.closers.Go(func() {
		defer func() { <-l.refusals }()
		ctx, cancel := context.WithTimeout(l.ctx, pingTimeout)
		defer cancel()
		e := jsonrpc.Errorf(jsonrpc.CodeInternal, "%s cannot be answered here: no single call caused it", m.Method)
		if err := session.Respond(ctx, m.ID, nil, e); err != nil {
			l.log.Debug("refuse a server's request", "method", m.Method, "err", err)
		}
	})
}

// audience are the clients' sessions that share a session at a server and have
// subscribed to resources there.
type audience struct {
	mu   sync.Mutex // guards subs; held for map operations only
	subs map[string]map[*peer]bool
}

// handOver returns the subscriptions, which the audience has no more.
func (a *audience) handOver() map[string]map[*peer]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	subs := a.subs
	a.subs = nil
	return subs
}

// add notes that p has subscribed to uri; first reports whether nobody had.
func (a *audience) add(uri string, p *peer) (first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.subs == nil {
		a.subs = map[string]map[*peer]bool{}
	}
	if a.subs[uri] == nil {
		a.subs[uri] = map[*peer]bool{}
		first = true
	}
	a.subs[uri][p] = true
	return first
}

// remove notes that p has unsubscribed; last reports whether nobody is left.
func (a *audience) remove(uri string, p *peer) (last bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.subs[uri][p] {
		return false
	}
	delete(a.subs[uri], p)
	if len(a.subs[uri]) > 0 {
		return false
	}
	delete(a.subs, uri)
	return true
}

// updated passes a notification on to those who have subscribed.
func (a *audience) updated(m *jsonrpc.Message) {
	uri, _ := m.Text(jsonrpc.URI)
	a.mu.Lock()
	var to []*peer
	for p := range a.subs[uri] {
		to = append(to, p)
	}
	a.mu.Unlock()
	for _, p := range to {
		p.session.Send(jsonrpc.AppendNotification(nil, m.Method, m.Params))
	}
}

// unsubscribe tells the server that nobody is subscribed to a resource any more.
func (l *link) unsubscribe(uri string) {
	s := l.hub.view().servers[l.server.ID]
	if s == nil || s.link != l || s.session == nil {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, pingTimeout)
	defer cancel()
	if _, err := s.session.Call(ctx, &mcpclient.Call{Method: "resources/unsubscribe", Raw: uriParams(uri)}); err != nil {
		l.log.Debug("unsubscribe", "err", err)
	}
}
