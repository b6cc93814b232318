package proxy

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

// peer answers for one client's session: it finds where a request leads and
// relays it there. It owns no goroutine while nothing is under way.
type peer struct {
	hub     *Hub
	session *mcpserver.Session
	server  string // the id, at an endpoint of one server

	mu     sync.Mutex        // guards what follows; held for these operations only
	visits map[string]*visit // sessions at servers that are this client's own, by server id
	asks   map[askKey]*ask   // questions of servers that the client is to answer
	subs   map[string]string // resource URI → server
	tokens int64             // the last progress token of a question
	level  jsonrpc.Raw       // of logging/setLevel; nil if never set
	closed bool

	listening bool // servers may have something to say outside calls
}

// open makes the peer of a client's session.
func (h *Hub) open(s *mcpserver.Session) mcpserver.Peer {
	p := &peer{hub: h, session: s}
	p.server, _ = strings.CutPrefix(s.State.Endpoint, serverPath)
	if p.server == s.State.Endpoint {
		p.server = ""
	}
	return p
}

// catalog returns what the session's endpoint shows now.
func (p *peer) catalog(v *view) *catalog {
	if c := v.catalogs[p.session.State.Endpoint]; c != nil {
		return c
	}
	return emptyCatalog
}

var emptyCatalog = newCatalog(nil, prefixed, nil)

// listMethods are the methods that are answered from memory.
var listMethods = map[string]kind{
	"tools/list": tools, "prompts/list": prompts,
	"resources/list": resources, "resources/templates/list": templates,
}

// Call implements mcpserver.Peer.
func (p *peer) Call(ctx context.Context, c *mcpserver.Call) (jsonrpc.Raw, error) {
	p.nudge()
	if k, isList := listMethods[c.Message.Method]; isList {
		return p.list(ctx, k, c.Message)
	}
	switch c.Message.Method {
	case "tools/call":
		return p.callNamed(ctx, c, tools, jsonrpc.Name)
	case "prompts/get":
		return p.callNamed(ctx, c, prompts, jsonrpc.Name)
	case "resources/read":
		return p.readResource(ctx, c)
	case "resources/subscribe", "resources/unsubscribe":
		return p.subscribe(ctx, c)
	case "completion/complete":
		return p.complete(ctx, c)
	case "logging/setLevel":
		return p.setLevel(ctx, c)
	}
	if p.server != "" { // one server, transparently
		return p.relay(ctx, c, p.server)
	}
	return nil, jsonrpc.Errorf(jsonrpc.CodeMethodNotFound, "method %.100q is not known here", c.Message.Method)
}

// nudge has the servers of the scope tried that are away.
func (p *peer) nudge() {
	for _, l := range p.hub.view().restless[p.session.State.Endpoint] {
		l.wakeUp(nudge)
	}
}

// settleTime is how long after its start the hub waits for servers that have never
// been tried before it says what there is: many clients ask once, as soon as they
// can.
const settleTime = 2 * time.Second

// settledView returns the present view, or, when the hub has just started, the
// first in which all servers in scope have been tried.
func (p *peer) settledView(ctx context.Context) *view {
	left := settleTime - time.Since(p.hub.started)
	if left <= 0 {
		return p.hub.view()
	}
	settling, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return p.hub.await(settling, p.settled)
}

// list answers from memory.
func (p *peer) list(ctx context.Context, k kind, m *jsonrpc.Message) (jsonrpc.Raw, error) {
	v := p.settledView(ctx)
	cursor := m.Field(jsonrpc.Cursor)
	if string(cursor) == "null" {
		cursor = nil
	}
	return p.catalog(v).lists[k].page(cursor)
}

// settled reports whether the first try of every server in scope is over.
func (p *peer) settled(v *view) bool {
	return v.desiredKnown && !slices.ContainsFunc(v.scope(p.session.State.Endpoint), func(s *state) bool {
		return s.phase == starting
	})
}

// route finds where a request leads. What is not known yet may be so because the
// hub has just started: then it waits for the servers of the scope.
func (p *peer) route(ctx context.Context, find func(*catalog) (route, bool)) (route, bool) {
	if r, ok := find(p.catalog(p.hub.view())); ok {
		return r, true
	}
	ctx, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	var r route
	var found bool
	p.hub.await(ctx, func(v *view) bool {
		r, found = find(p.catalog(v))
		return found || p.settled(v)
	})
	return r, found
}

// callNamed relays a request for a tool or prompt to the server that has it,
// under the server's own name for it.
func (p *peer) callNamed(ctx context.Context, c *mcpserver.Call, k kind, f jsonrpc.Field) (jsonrpc.Raw, error) {
	name, ok := c.Message.Text(f)
	if !ok {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "%s: the name is missing", c.Message.Method)
	}
	r, ok := p.route(ctx, func(c *catalog) (route, bool) {
		r, ok := c.names[k][name]
		return r, ok
	})
	if !ok && p.server != "" { // a server may know more than it lists
		return p.relay(ctx, c, p.server)
	}
	if !ok {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "unknown %s: %.100s", kindInfos[k].word, name)
	}
	return p.relay(ctx, c, r.server, jsonrpc.Edit{Field: f, Value: r.name})
}

// serverOf finds the server that a URI leads to.
func (p *peer) serverOf(ctx context.Context, uri string) (string, bool) {
	r, ok := p.route(ctx, func(c *catalog) (route, bool) {
		server, ok := c.servesURI(uri)
		return route{server: server}, ok
	})
	if !ok && p.server != "" {
		return p.server, true
	}
	return r.server, ok
}

const codeResourceNotFound = -32002 // 2025-11-25/server/resources

func (p *peer) readResource(ctx context.Context, c *mcpserver.Call) (jsonrpc.Raw, error) {
	uri, ok := c.Message.Text(jsonrpc.URI)
	if !ok {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "resources/read: the uri is missing")
	}
	if server, ok := p.serverOf(ctx, uri); ok {
		return p.relay(ctx, c, server)
	}
	// A link in a result may name a resource that no list has: ask those who
	// have resources at the same place.
	var refused error
	for _, server := range p.catalog(p.hub.view()).places[placeOf(uri)] {
		result, err := p.relay(ctx, c, server)
		if err == nil {
			return result, nil
		}
		refused = cmp.Or(refused, err)
	}
	return nil, cmp.Or(refused, notFound(uri))
}

func notFound(uri string) error {
	e := jsonrpc.Errorf(codeResourceNotFound, "resource not found")
	e.Data = append(append(jsonrpc.Raw(`{"uri":`), jsonrpc.Quote(uri)...), '}')
	return e
}

// complete relays a request for completions to the server of what it refers to.
func (p *peer) complete(ctx context.Context, c *mcpserver.Call) (jsonrpc.Raw, error) {
	if _, ok := c.Message.Text(jsonrpc.RefName); ok {
		return p.completePrompt(ctx, c)
	}
	uri, ok := c.Message.Text(jsonrpc.RefURI)
	if !ok {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "completion/complete: ref has neither name nor uri")
	}
	r, ok := p.route(ctx, func(c *catalog) (route, bool) {
		server, ok := c.servesTemplate(uri)
		return route{server: server}, ok
	})
	if !ok && p.server == "" {
		return nil, notFound(uri)
	}
	return p.relay(ctx, c, cmp.Or(r.server, p.server))
}

func (p *peer) completePrompt(ctx context.Context, c *mcpserver.Call) (jsonrpc.Raw, error) {
	name, _ := c.Message.Text(jsonrpc.RefName)
	r, ok := p.route(ctx, func(c *catalog) (route, bool) {
		r, ok := c.names[prompts][name]
		return r, ok
	})
	switch {
	case ok:
		return p.relay(ctx, c, r.server, jsonrpc.Edit{Field: jsonrpc.RefName, Value: r.name})
	case p.server != "":
		return p.relay(ctx, c, p.server)
	}
	return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "unknown prompt: %.100s", name)
}

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
			v.session.Listen()
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

// setLevel sets the level of the log messages that the client gets, at the
// servers it has sessions at and those it will have.
func (p *peer) setLevel(ctx context.Context, c *mcpserver.Call) (jsonrpc.Raw, error) {
	level := jsonrpc.Get(c.Message.Params, "level")
	if !slices.Contains(logLevels, string(level)) {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "logging/setLevel: level is one of %s", strings.Join(logLevels, ", "))
	}
	p.mu.Lock()
	p.level = slices.Clone(level)
	p.mu.Unlock()
	if p.server != "" {
		p.listenAt(ctx, p.server)
		return p.relay(ctx, c, p.server)
	}
	for _, session := range p.sessions() {
		p.applyLevel(ctx, session)
		session.Listen()
	}
	return jsonrpc.Raw("{}"), nil
}

// logLevels are those of RFC 5424, the most verbose first, as JSON strings.
var logLevels = []string{`"debug"`, `"info"`, `"notice"`, `"warning"`, `"error"`, `"critical"`, `"alert"`, `"emergency"`}

// applyLevel tells a server the level that the client has set, if both know of
// levels.
func (p *peer) applyLevel(ctx context.Context, session *mcpclient.Session) {
	p.mu.Lock()
	level := p.level
	p.mu.Unlock()
	if level == nil || jsonrpc.Get(session.Capabilities(), "logging") == nil {
		return
	}
	params := append(append(jsonrpc.Raw(`{"level":`), level...), '}')
	if _, err := session.Call(ctx, &mcpclient.Call{Method: "logging/setLevel", Raw: params}); err != nil {
		p.hub.options.Log.Debug("set the log level at a server", "err", err)
	}
}

// Close implements mcpserver.Peer. What the client has open at servers is closed
// in the background; the Hub waits for it when it ends.
func (p *peer) Close() {
	p.mu.Lock()
	visits, subs := p.visits, p.subs
	p.visits, p.subs, p.closed = nil, nil, true
	p.mu.Unlock()
	for _, v := range visits {
		p.hub.closers.Go(v.end)
	}
	for uri, server := range subs {
		if l := p.hub.linkTo(server); l != nil && l.shared.remove(uri, p) {
			p.hub.closers.Go(func() { l.unsubscribe(uri) })
		}
	}
}
