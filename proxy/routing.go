package proxy

import (
	"cmp"
	"context"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpserver"
)

// route finds where a request leads. What is not known yet may be about to be:
// then it waits for the servers of the scope.
func (p *peer) route(ctx context.Context, find func(*catalog) (route, bool)) (route, bool) {
	v := p.hub.view()
	if r, ok := find(p.catalog(v)); ok {
		return r, true
	}
	p.askForLists(v)
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
	v := p.hub.view()
	for _, server := range v.connectedFirst(p.catalog(v).places[placeOf(uri)]) {
		result, err := p.relay(ctx, c, server)
		if err == nil {
			return result, nil
		}
		refused = cmp.Or(refused, err)
	}
	return nil, cmp.Or(refused, notFound(uri))
}

// connectedFirst returns the servers in their order, but those that are away last:
// to ask one of these takes as long as a call waits for it.
func (v *view) connectedFirst(servers []string) []string {
	isAway := func(id string) bool { return v.servers[id] == nil || v.servers[id].phase != connected }
	var ordered, behind []string
	for _, id := range servers {
		if isAway(id) {
			behind = append(behind, id)
		} else {
			ordered = append(ordered, id)
		}
	}
	return append(ordered, behind...)
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
