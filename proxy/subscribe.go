package proxy

import (
	"context"
	"maps"
	"slices"
	"sync"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

// subscribe relays a subscription and remembers it, so that it holds when the
// server comes back.
func (p *peer) subscribe(ctx context.Context, c *mcpserver.Call) (jsonrpc.Raw, error) {
	uri, ok := c.Message.Text(jsonrpc.URI)
	if !ok {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "%s: the uri is missing", c.Message.Method)
	}
	server, ok := p.serverOf(ctx, uri)
	if !ok {
		return nil, notFound(uri)
	}
	if c.Message.Method == "resources/subscribe" && p.subscriptions() >= maxSubscriptions {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInternal, "too many subscriptions in this session (%d)", maxSubscriptions)
	}
	if l := p.hub.linkTo(server); l != nil && !l.isolated() {
		return p.subscribeShared(ctx, c, l, uri)
	}
	p.listenAt(ctx, server)
	result, err := p.relay(ctx, c, server)
	if err == nil {
		p.noteSubscription(uri, server, c.Message.Method == "resources/subscribe")
	}
	return result, err
}

// listenAt opens a server's own stream to the client, for what the client is about
// to ask for comes on it: now, or with the session if there is none yet.
func (p *peer) listenAt(ctx context.Context, server string) {
	p.mu.Lock()
	p.listening = true
	v := p.visits[server]
	p.mu.Unlock()
	if v == nil {
		return
	}
	select {
	case <-v.opened:
		if v.err == nil {
			listen(ctx, v.session)
		}
	case <-ctx.Done():
	}
}

// subscribeShared subscribes on a session that many clients share: the server
// hears of the first who subscribes and of the last who does no more.
func (p *peer) subscribeShared(ctx context.Context, c *mcpserver.Call, l *link, uri string) (jsonrpc.Raw, error) {
	on := c.Message.Method == "resources/subscribe"
	var tell bool
	if on {
		tell = l.shared.add(uri, p)
	} else {
		tell = l.shared.remove(uri, p)
	}
	p.noteSubscription(uri, l.server.ID, on)
	if !tell {
		return jsonrpc.Raw("{}"), nil
	}
	result, err := p.relay(ctx, c, l.server.ID)
	if err != nil && on {
		l.shared.remove(uri, p)
		p.noteSubscription(uri, l.server.ID, false)
	}
	return result, err
}

// maxSubscriptions bounds what one client session may be subscribed to.
const maxSubscriptions = 10_000

func (p *peer) noteSubscription(uri, server string, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !on {
		delete(p.subs, uri)
		return
	}
	if p.subs == nil {
		p.subs = map[string]string{}
	}
	p.subs[uri] = server
}

func (p *peer) subscriptions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.subs)
}

// resubscribe renews the client's subscriptions in a new session at a server.
func (p *peer) resubscribe(ctx context.Context, session *mcpclient.Session, server string) {
	p.mu.Lock()
	var uris []string
	for uri, at := range p.subs {
		if at == server {
			uris = append(uris, uri)
		}
	}
	p.mu.Unlock()
	for _, uri := range uris {
		if _, err := session.Call(ctx, &mcpclient.Call{Method: "resources/subscribe", Raw: uriParams(uri)}); err != nil {
			p.hub.options.Log.Warn("subscription not renewed", "server", server, "err", err)
		}
	}
}

func uriParams(uri string) jsonrpc.Raw {
	return append(append(jsonrpc.Raw(`{"uri":`), jsonrpc.Quote(uri)...), '}')
}

// audience are the clients' sessions that share a session at a server, with what
// each wants to hear.
type audience struct {
	mu       sync.Mutex // guards what follows; held for map operations only
	subs     map[string]map[*peer]bool
	levels   map[*peer]int // indices of logLevels
	tasks    owners
	progress notebook[sentToken, taskProgress] // of tasks, in shared sessions and others

	creating int     // tasks that clients are about to create
	early    []early // said of tasks that nobody owns, while some are being created
}

// takeOver makes the audience of the link before the audience of this one, which
// nobody uses yet.
func (a *audience) takeOver(before *audience) {
	before.mu.Lock()
	defer before.mu.Unlock()
	a.subs, a.levels, a.tasks = before.subs, before.levels, before.tasks
	before.subs, before.levels, before.tasks = nil, nil, nil
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

// renew sets up a new session as the clients that share it had set up the one
// before: its log level, and what they have subscribed to.
func (l *link) renew(session *mcpclient.Session) {
	if level, set := l.shared.level(); set {
		ctx, cancel := context.WithTimeout(l.ctx, pingTimeout)
		if err := tellLevel(ctx, session, level); err != nil {
			l.log.Debug("log level not renewed", "err", err)
		}
		cancel()
	}
	for _, uri := range l.shared.uris() {
		ctx, cancel := context.WithTimeout(l.ctx, pingTimeout)
		answer, err := session.Call(ctx, &mcpclient.Call{Method: "resources/subscribe", Raw: uriParams(uri)})
		cancel()
		if err == nil && answer.Error != nil {
			err = jsonrpc.PeerError(answer.Error)
		}
		if err != nil && l.ctx.Err() == nil {
			l.log.Warn("subscription not renewed", "uri", uri, "err", err)
		}
	}
}

// uris returns the resources that anybody has subscribed to.
func (a *audience) uris() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.subs))
}
