package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpserver"
)

// listingByCapabilities returns a server that lists a tool for each capability of
// the client, beside one for everybody.
func listingByCapabilities(id string, w wire) *fake {
	f := offering(id, w, "plain")
	f.listsOf = func(s *fakeSession, method string) string {
		if method != "tools/list" {
			return ""
		}
		definitions := []string{tool("plain")}
		for name := range jsonrpc.Members(jsonrpc.Get(jsonrpc.Raw(s.hello), "capabilities")) {
			definitions = append(definitions, tool("with_"+name))
		}
		return `{"tools":[` + strings.Join(definitions, ",") + `]}`
	}
	return f
}

// toolNames returns the names of the tools that the client is shown.
func (c *client) toolNames() string {
	c.t.Helper()
	var names []string
	for element := range jsonrpc.Elements(jsonrpc.Get(jsonrpc.Raw(c.result(`tools/list {}`)), "tools")) {
		names = append(names, jsonrpc.Text(element, "name"))
	}
	return strings.Join(names, " ")
}

// TestListsByCapabilities shows each client what the server lists for one that
// declares what it does, at once, and lets it call that.
func TestListsByCapabilities(t *testing.T) {
	for _, w := range []wire{overJSON, overEvents, overSSE} {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			server := listingByCapabilities("srv", w)
			f := newFleet(t, offering("other", overJSON, "it"), server)
			for _, c := range []struct{ capabilities, want string }{
				{`{}`, "plain"},
				{`{"sampling":{}}`, "plain with_sampling"},
				{`{"roots":{},"elicitation":{}}`, "plain with_roots with_elicitation"},
				{`{"sampling":{}}`, "plain with_sampling"},
			} {
				equal(t, "at the server's endpoint", f.connect("/mcp/server/srv", "c", c.capabilities).toolNames(), c.want)
				client := f.connect("/mcp", "c", c.capabilities)
				var prefixed strings.Builder
				prefixed.WriteString("other__it")
				for name := range strings.FieldsSeq(c.want) {
					prefixed.WriteString(" srv__" + name)
				}
				equal(t, "at /mcp", client.toolNames(), prefixed.String())
			}
			// Once for the hub, once for each declaration.
			if n := server.count("tools/list"); n != 3 {
				t.Errorf("the server was asked for its tools %d times, want 3", n)
			}
			client := f.connect("/mcp", "c", `{"sampling":{}}`)
			equal(t, "call", client.result(`tools/call {"name":"srv__with_sampling"}`), `{"content":[]}`)
			equal(t, "call of what another declaration shows", client.call(`tools/call {"name":"srv__with_roots"}`)[0],
				`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"unknown tool: srv__with_roots"}}`)
		})
	}
}

// TestListsOfSlowProcesses lists a server whose processes take seconds to end: nobody waits for that.
func TestListsOfSlowProcesses(t *testing.T) {
	t.Parallel()
	server := listingByCapabilities("srv", overStdio)
	server.isolation, server.stays = discovery.IsolationSession, true
	f := newFleet(t, server)
	for _, name := range []string{"sampling", "roots", "elicitation"} {
		client := f.connect("/mcp", "c", `{"`+name+`":{}}`)
		equal(t, "call", client.result(`tools/call {"name":"srv__with_%s"}`, name), `{"content":[]}`)
	}
}

// TestListsOfASharedServer shows all clients what a shared session lists, whatever
// they declare.
func TestListsOfASharedServer(t *testing.T) {
	t.Parallel()
	f := newFleet(t, listingByCapabilities("srv", overStdio))
	equal(t, "tools", f.connect("/mcp", "c", everything).toolNames(), "srv__plain")
}

// TestChangeForADeclaration changes what a server lists for clients that can
// sample: those are told, the others are not.
func TestChangeForADeclaration(t *testing.T) {
	t.Parallel()
	server := listingByCapabilities("srv", overJSON)
	f := newFleet(t, server)
	plain, sampling := f.connect("/mcp", "plain", `{}`), f.connect("/mcp", "sampling", `{"sampling":{}}`)
	equal(t, "tools before", sampling.toolNames(), "srv__plain srv__with_sampling")
	quietStream, stream := plain.open(), sampling.open()
	server.mu.Lock()
	before := server.listsOf
	server.listsOf = func(s *fakeSession, method string) string {
		return strings.ReplaceAll(before(s, method), "with_sampling", "new")
	}
	server.mu.Unlock()
	server.tellHub("notifications/tools/list_changed")
	stream.expect(toolsChanged)
	equal(t, "tools after", sampling.toolNames(), "srv__plain srv__new")
	quietStream.silent(quiet)
}

// TestSlowDeclaration has a server that does not answer a client with other
// capabilities: the client is shown what everybody is.
func TestSlowDeclaration(t *testing.T) {
	t.Parallel()
	server := listingByCapabilities("srv", overJSON)
	before := server.listsOf
	release := make(chan struct{})
	server.listsOf = func(s *fakeSession, method string) string {
		if strings.Contains(s.hello, "sampling") {
			<-release
		}
		return before(s, method)
	}
	f := newFleet(t, offering("other", overJSON, "it"), server)
	t.Cleanup(func() { close(release) })
	client := f.connect("/mcp", "c", `{"sampling":{}}`)
	equal(t, "tools", client.toolNames(), "other__it srv__plain")
	equal(t, "call", client.result(`tools/call {"name":"other__it"}`), `{"content":[]}`)
}

// TestListOfOneSession has a server add a tool in one client's session, and take it
// away again: that client alone sees it.
func TestListOfOneSession(t *testing.T) {
	for _, w := range []wire{overEvents, overSSE} {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			server := offering("srv", w, "login")
			server.listsOf = func(s *fakeSession, method string) string {
				if method == "tools/list" && s.client == "mine" && s.loggedIn.Load() {
					return `{"tools":[` + tool("login") + `,` + tool("secret") + `]}`
				}
				return ""
			}
			server.answer = func(x *exchange) {
				x.session.loggedIn.Store(!x.session.loggedIn.Load())
				x.send(toolsChanged)
				x.respond(`{"content":[]}`)
			}
			f := newFleet(t, server)
			mine, other := f.connect("/mcp", "mine", `{}`), f.connect("/mcp", "other", `{}`)
			stream, quietStream := mine.open(), other.open()
			mine.call(`tools/call {"name":"srv__login"}`)
			stream.expect(toolsChanged)
			equal(t, "my tools", mine.toolNames(), "srv__login srv__secret")
			equal(t, "the other's tools", other.toolNames(), "srv__login")
			mine.call(`tools/call {"name":"srv__secret"}`)
			server.await("a call of the tool", 0, func(m message) bool {
				return m.Method == "tools/call" && string(m.Field(jsonrpc.Name)) == `"secret"`
			})
			stream.expect(toolsChanged)
			equal(t, "my tools after", mine.toolNames(), "srv__login")
			quietStream.silent(quiet)
		})
	}
}

// TestOwnListFollows changes a server's list for everybody while one client's
// session has a list of its own: that one is listed anew too, and is as
// everybody's in the end.
func TestOwnListFollows(t *testing.T) {
	t.Parallel()
	server := offering("srv", overEvents, "login")
	server.listsOf = func(s *fakeSession, method string) string {
		if method == "tools/list" && s.client == "mine" && s.loggedIn.Load() {
			return `{"tools":[` + tool("secret") + `]}`
		}
		return ""
	}
	server.answer = func(x *exchange) {
		x.session.loggedIn.Store(true)
		x.send(toolsChanged)
		x.respond(`{"content":[]}`)
	}
	f := newFleet(t, server)
	mine := f.connect("/mcp", "mine", `{}`)
	stream := mine.open()
	mine.call(`tools/call {"name":"srv__login"}`)
	stream.expect(toolsChanged)
	equal(t, "my tools", mine.toolNames(), "srv__secret")
	server.sessionOf("mine").loggedIn.Store(false)
	server.offer("login", "more")
	server.tellHub("notifications/tools/list_changed")
	stream.expect(toolsChanged)
	equal(t, "my tools after", mine.toolNames(), "srv__login srv__more")
}

// TestDeclarations bounds what the hub lists for, and forgets what nobody declares
// any more.
func TestDeclarations(t *testing.T) {
	t.Parallel()
	var d declarations
	named := func(i int) jsonrpc.Raw { return fmt.Appendf(nil, `{"c%d":{}}`, i) }
	var first []*declaration
	for i := range maxDeclarations {
		first = append(first, d.enter(named(i)))
	}
	if d.enter(named(99)) != nil {
		t.Error("one too many is told apart")
	}
	if again := d.enter(named(3)); again != first[3] {
		t.Error("the same names make another declaration")
	}
	d.leave(first[3])
	d.leave(first[5])
	if !d.has(first[5]) {
		t.Error("a declaration is forgotten as soon as nobody has it")
	}
	if d.enter(named(99)) == nil || d.has(first[5]) || !d.has(first[3]) {
		t.Error("the place of an unused one is not taken")
	}
}

// TestCapabilityNames tells declarations apart by names at every depth, whatever
// their order.
func TestCapabilityNames(t *testing.T) {
	t.Parallel()
	for capabilities, want := range map[string]string{
		`{}`:                                    "",
		`{"sampling":{},"elicitation":{}}`:      "elicitation,sampling",
		`{"elicitation":{"url":{}, "form":{}}}`: "elicitation,elicitation.form,elicitation.url",
		`{"roots":{"listChanged":true}}`:        "roots,roots.listChanged",
		`{"tasks":{"requests":{"sampling":{"createMessage":{"x":{}}}}}}`: "tasks,tasks.requests,tasks.requests.sampling,tasks.requests.sampling.createMessage",
	} {
		equal(t, capabilities, capabilityNames(jsonrpc.Raw(capabilities)), want)
	}
}

// TestListsWaitOnce lets a list wait for what is listed for its client only as long
// as the session is young.
func TestListsWaitOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t, offering("srv", overJSON, "it"))
	p := &peer{
		hub: f.hub, opened: time.Now(), declared: f.hub.declarations.enter(jsonrpc.Raw(everything)),
		session: &mcpserver.Session{State: mcpserver.State{Endpoint: "/mcp"}},
	}
	v := f.hub.view()
	if p.settled(v) {
		t.Error("a list does not wait for what is listed for its client")
	}
	p.opened = time.Now().Add(-settleTime)
	if !p.settled(v) {
		t.Error("a list waits in a session that is not young")
	}
}
