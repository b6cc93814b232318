package proxy

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpserver"
)

// peer answers for one client's session: it finds where a request leads and
// relays it there. It owns no goroutine while nothing is under way.
type peer struct {
	hub      *Hub
	session  *mcpserver.Session
	server   string // the id, at an endpoint of one server
	opened   time.Time
	declared *declaration             // nil if nothing that the hub tells apart
	own      atomic.Pointer[ownLists] // nil as long as no list is the session's alone

	hasListed atomic.Bool // the client has seen a list

	mu     sync.Mutex                 // guards what follows; held for these operations only
	visits map[string]*visit          // sessions at servers that are this client's own, by server id
	asks   map[askKey]*ask            // questions of servers that the client is to answer
	subs   map[string]string          // resource URI → server
	tokens int64                      // the last progress token of a question
	level  jsonrpc.Raw                // of logging/setLevel; nil if never set
	tasks  notebook[string, string]   // task id → server
	made   notebook[string, madeTask] // task id → for whom the client has made it
	closed bool

	listening bool // servers may have something to say outside calls
	overasked bool // a question of a server has been dropped
}

// open makes the peer of a client's session.
func (h *Hub) open(s *mcpserver.Session) mcpserver.Peer {
	p := &peer{hub: h, session: s, opened: time.Now(), declared: h.declarations.enter(s.State.Capabilities)}
	p.server, _ = strings.CutPrefix(s.State.Endpoint, serverPath)
	if p.server == s.State.Endpoint {
		p.server = ""
	}
	return p
}

// catalog returns what the session sees at its endpoint.
func (p *peer) catalog(v *view) *catalog {
	c := v.catalog(p.session.State.Endpoint, p.declared)
	if own := p.own.Load(); own != nil {
		return own.over(c, p.naming())
	}
	return c
}

// naming returns how the session's endpoint calls tools and prompts.
func (p *peer) naming() naming {
	if p.server != "" {
		return bare
	}
	return prefixed
}

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
	if strings.HasPrefix(c.Message.Method, "tasks/") {
		return p.askTask(ctx, c)
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

// list answers from memory.
func (p *peer) list(ctx context.Context, k kind, m *jsonrpc.Message) (jsonrpc.Raw, error) {
	v := p.settledView(ctx)
	p.hasListed.Store(true)
	cursor := m.Field(jsonrpc.Cursor)
	if string(cursor) == "null" {
		cursor = nil
	}
	return p.catalog(v).lists[k].page(cursor)
}

// Close implements mcpserver.Peer. What the client has open at servers is closed
// in the background; the Hub waits for it when it ends.
func (p *peer) Close() {
	p.mu.Lock()
	visits, subs, level := p.visits, p.subs, p.level
	p.visits, p.subs, p.closed = nil, nil, true
	p.mu.Unlock()
	p.hub.declarations.leave(p.declared)
	if level != nil {
		for _, s := range p.hub.view().scope(p.session.State.Endpoint) {
			s.link.shared.forgetLevel(p)
		}
	}
	p.forgetTasks()
	for _, v := range visits {
		p.hub.errands.Go(v.end)
	}
	for uri, server := range subs {
		if l := p.hub.linkTo(server); l != nil && l.shared.remove(uri, p) {
			p.hub.errands.Go(func() { l.unsubscribe(uri) })
		}
	}
}
