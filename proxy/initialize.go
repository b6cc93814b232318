package proxy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

const (
	firstAnswer     = 5 * time.Second // how long initialize waits for a server that is shown alone
	maxInstructions = 4 << 10         // bytes of one server's instructions among those of others

	maxTaskCapability = 4 << 10 // bytes of what one server declares of tasks, among others
)

// clientInfo is how the hub introduces itself to servers.
func (h *Hub) clientInfo() jsonrpc.Raw {
	return fmt.Appendf(nil, `{"name":"mcphub","title":"MCP Hub","version":%s}`, jsonrpc.Quote(h.options.Version))
}

// identity is what the hub says of itself in sessions of its own.
func (h *Hub) identity(capabilities jsonrpc.Raw) mcpclient.Identity {
	return mcpclient.Identity{ProtocolVersion: mcpserver.LatestLegacy, Capabilities: capabilities, ClientInfo: h.clientInfo()}
}

// aggregateCapabilities are what endpoints of many servers have, whatever these
// declare.
const aggregateCapabilities = `{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}}`

// Initialize implements mcpserver.Peer.
func (p *peer) Initialize(ctx context.Context) (jsonrpc.Raw, error) {
	p.askForLists(p.hub.view())
	if p.server != "" {
		if result := p.mirrored(ctx); result != nil {
			return result, nil
		}
	}
	if s := p.hub.view().servers[p.server]; s != nil && p.hub.options.Alone != "" {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInternal, "%s", s.awayText())
	}
	v := p.settledView(ctx)
	out := append(jsonrpc.Raw(`{"capabilities":`), p.capabilities(v)...)
	out = append(append(out, `,"serverInfo":`...), p.hub.clientInfo()...)
	if text := p.instructions(v); text != "" {
		out = append(append(out, `,"instructions":`...), jsonrpc.Quote(text)...)
	}
	return append(out, '}'), nil
}

// capabilities returns what the endpoint can: tasks as far as a server in scope can
// them, for clients whose version has them.
func (p *peer) capabilities(v *view) jsonrpc.Raw {
	tasks := jsonrpc.Raw(nil)
	for _, s := range v.scope(p.session.State.Endpoint) {
		declared := jsonrpc.Get(jsonrpc.Get(s.initialized, "capabilities"), "tasks")
		if len(declared) <= maxTaskCapability && jsonrpc.IsObject(declared) {
			tasks = united(tasks, declared, 4)
		}
	}
	out := jsonrpc.Raw(aggregateCapabilities)
	if tasks != nil && p.session.State.ProtocolVersion >= mcpserver.LatestLegacy {
		out = jsonrpc.Set(out, "tasks", tasks)
	}
	return out
}

// united returns an object with the members of a and, where a has none of that
// name, of b. Members that are objects in both are united too, to a depth.
func united(a, b jsonrpc.Raw, depth int) jsonrpc.Raw {
	if a == nil {
		return b
	}
	if depth == 0 {
		return a
	}
	for name, value := range jsonrpc.Members(b) {
		own := jsonrpc.Get(a, name)
		switch {
		case own == nil:
			a = jsonrpc.Set(a, name, value)
		case jsonrpc.IsObject(own) && jsonrpc.IsObject(value):
			a = jsonrpc.Set(a, name, united(own, value, depth-1))
		}
	}
	return a
}

// instructions returns what the servers in scope say of their use, under a
// heading each.
func (p *peer) instructions(v *view) string {
	var out strings.Builder
	for _, s := range v.scope(p.session.State.Endpoint) {
		text := strings.TrimSpace(jsonrpc.Text(s.initialized, "instructions"))
		if text == "" {
			continue
		}
		if len(text) > maxInstructions {
			text = strings.ToValidUTF8(text[:maxInstructions], "") + " […]"
		}
		fmt.Fprintf(&out, "# %s\n\n%s\n\n", s.server.ID, text)
	}
	return strings.TrimSpace(out.String())
}

// mirrored returns a server's own answer to initialize, or nil if it has never
// given one. The hub tells of changed lists even where the server does not.
func (p *peer) mirrored(ctx context.Context) jsonrpc.Raw {
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	v := p.hub.await(ctx, func(v *view) bool {
		s := v.servers[p.server]
		return s == nil && v.desiredKnown || s != nil && (s.phase == connected || s.phase == failed)
	})
	s := v.servers[p.server]
	if s == nil || s.initialized == nil {
		return nil
	}
	capabilities := jsonrpc.Get(s.initialized, "capabilities")
	for _, name := range []string{"tools", "prompts", "resources"} {
		if own := jsonrpc.Get(capabilities, name); jsonrpc.IsObject(own) {
			capabilities = jsonrpc.Set(capabilities, name, jsonrpc.Set(own, "listChanged", jsonrpc.Raw("true")))
		}
	}
	return jsonrpc.Set(s.initialized, "capabilities", capabilities)
}
