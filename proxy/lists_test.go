package proxy

import (
	"fmt"
	"strings"
	"testing"

	"mcphub/proxy/jsonrpc"
)

// definitions are tools as they come, and what the hub shows of them; empty where
// it shows the same.
var definitions = []struct{ in, shown string }{
	{in: `{"name":"plain","inputSchema":{"type":"object","properties":{"n":{"type":"integer","maximum":9007199254740993,"default":1.0}}},"execution":{"taskSupport":"optional","x":1},"unknown":null}`},
	{in: `{ "inputSchema" : {"required":["a"],"type":"object","$ref":"#\/$defs\/a"} , "name" : "spaced" , "annotations" : {"readOnlyHint":true,"unknown":1e2},"icons":[{"src":"data:,","unknown":0}]}`},
	{in: `{"name":"out","inputSchema":{"type":"object"},"outputSchema":{"type":"object","x":9007199254740993},"_meta":{"n":9007199254740993}}`},
	{in: `{"name":"none","title":"\u00e9"}`, shown: `{"name":"none","title":"\u00e9","inputSchema":{"type":"object"}}`},
	{in: `{"name":"true","inputSchema":true}`, shown: `{"name":"true","inputSchema":{"type":"object"}}`},
	{in: `{"name":"empty","inputSchema":{}}`, shown: `{"name":"empty","inputSchema":{"type":"object"}}`},
	{in: `{"name":"list","inputSchema":{"type":["object","null"],"n":1.0}}`, shown: `{"name":"list","inputSchema":{"type":"object","n":1.0}}`},
	{in: `{"name":"untyped","inputSchema":{"properties":{"a":{}}}}`, shown: `{"name":"untyped","inputSchema":{"properties":{"a":{}},"type":"object"}}`},
	{in: `{"name":"array out","inputSchema":{"type":"object"},"outputSchema":[1],"z":1.0}`, shown: `{"name":"array out","inputSchema":{"type":"object"},"z":1.0}`},
	{in: `{"name":"string out","outputSchema":{"type":"string"},"inputSchema":{"type":"object"}}`, shown: `{"name":"string out","inputSchema":{"type":"object"}}`},
	{in: `{"name":"hints","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":"yes","title":"t","idempotentHint":false}}`, shown: `{"name":"hints","inputSchema":{"type":"object"},"annotations":{"title":"t","idempotentHint":false}}`},
	{in: `{"name":"bool","inputSchema":{"type":"object","properties":{"a":true,"b":{"x":1.0},"c":false},"required":"a"}}`, shown: `{"name":"bool","inputSchema":{"type":"object","properties":{"a":{},"b":{"x":1.0},"c":{"not":{}}}}}`},
	{in: `{"name":"odd","inputSchema":{"type":"object"},"annotations":[],"description":7,"title":null}`, shown: `{"name":"odd","inputSchema":{"type":"object"}}`},
}

// dropped are tools that cannot be used, and why.
var dropped = []struct{ in, why string }{
	{`{"name":"plain","inputSchema":{"type":"object"},"description":"again"}`, `"plain" is listed twice; the first counts`},
	{`{"inputSchema":{"type":"object"}}`, `an entry has no name`},
	{`{"name":""}`, `an entry has no name`},
	{`{"name":7}`, `an entry has no name`},
	{`"text"`, `an entry cannot be read`},
	{`{"name":"a","Name":"b"}`, `an entry cannot be read`},
	{`{"name":"twice","inputSchema":{"type":"object"},"inputSchema":{}}`, `tool "twice"`},
	{`{"name":"cased","inputSchema":{"type":"object"},"outputschema":{}}`, `tool "cased"`},
}

// TestDefinitions lists tools that clients refuse, or that encoders would change.
// Each is mended or left out by itself; the others are the same bytes, but for
// their names.
func TestDefinitions(t *testing.T) {
	onEach(t, wires, func(t *testing.T, w wire) {
		server, neighbour := offering("srv", w), offering("neighbour", overJSON, "fine")
		var in, own, public []string
		for _, d := range definitions {
			shown := d.shown
			if shown == "" {
				shown = d.in
			}
			name, _ := jsonrpc.Unquote(jsonrpc.Get(jsonrpc.Raw(d.in), "name"))
			in, own = append(in, d.in), append(own, shown)
			public = append(public, strings.Replace(shown, `"`+name+`"`, string(jsonrpc.Quote(publicName("srv", name))), 1))
		}
		for _, d := range dropped {
			in = append(in, d.in)
		}
		server.setLists(listOf("tools/list", strings.Join(in, ",")))
		f := newFleet(t, server, neighbour)

		equal(t, "/mcp/server/srv", f.connect("/mcp/server/srv", "c", `{}`).result("tools/list"), `{"tools":[`+strings.Join(own, ",")+`]}`)
		before := `{"name":"neighbour__fine","inputSchema":{"type":"object"}}`
		for _, path := range []string{"/mcp", "/mcp/group/all"} {
			equal(t, path, f.connect(path, "c", `{}`).result("tools/list"), `{"tools":[`+before+`,`+strings.Join(public, ",")+`]}`)
		}
		problems := strings.Join(f.hub.Status().Servers[1].Problems, "\n")
		for _, d := range dropped {
			if !strings.Contains(problems, d.why) {
				t.Errorf("%s: not reported: %s", d.in, problems)
			}
		}
		for _, d := range definitions {
			name := jsonrpc.Text(jsonrpc.Raw(d.in), "name")
			if reported := strings.Contains(problems, fmt.Sprintf("tool %q:", name)); reported != (d.shown != "") {
				t.Errorf("%s: reported %v: %s", name, reported, problems)
			}
		}
	})
}

// TestOtherDefinitions does the same with prompts, resources and templates.
func TestOtherDefinitions(t *testing.T) {
	t.Parallel()
	const (
		prompt   = `{"name":"p","arguments":[{"name":"a","unknown":1.0}],"unknown":9007199254740993}`
		resource = `{"uri":"a:\/\/b\u002fc","name":"","size":9007199254740993,"annotations":{"priority":0}}`
		template = `{"uriTemplate":"a://b/{c}","name":"n","unknown":1e2}`
	)
	server := &fake{id: "srv", wire: overJSON, lists: listOf(
		"prompts/list", prompt,
		"resources/list", resource+`,{"uri":"a:nameless"},{"name":"no uri"}`,
		"resources/templates/list", template+`,{"uriTemplate":"a://{","name":"bad"},{"uriTemplate":"a:{`+strings.Repeat("a,", 2000)+`a}","name":"huge"}`)}
	f := newFleet(t, server)
	client := f.connect("/mcp", "c", `{}`)
	equal(t, "prompts", client.result("prompts/list"), `{"prompts":[`+strings.Replace(prompt, `"p"`, `"srv__p"`, 1)+`]}`)
	equal(t, "resources", client.result("resources/list"), `{"resources":[`+resource+`,{"uri":"a:nameless","name":"a:nameless"}]}`)
	equal(t, "templates", client.result("resources/templates/list"), `{"resourceTemplates":[`+template+`]}`)
	for _, want := range []string{"an entry has no uri", `resource template "a://{"`, `resource template "a:{a,a`, `resource "a:nameless"`} {
		if problems := strings.Join(f.hub.Status().Servers[0].Problems, "\n"); !strings.Contains(problems, want) {
			t.Errorf("%s is not reported: %s", want, problems)
		}
	}
}

// TestNames calls tools whose names clients would refuse, by the names that the
// hub gives them and, where the server is alone, by their own.
func TestNames(t *testing.T) {
	t.Parallel()
	odd := []string{"with space", "Ünïcode", strings.Repeat("x", 300), strings.Repeat("x", 299) + "y", "a/b", "a.b-c_d", "\x01", `q"uote`, strings.Repeat("é", 60)}
	server := offering("srv", overJSON, odd...)
	f := newFleet(t, server)
	all, alone := f.connect("/mcp", "c", `{}`), f.connect("/mcp/server/srv", "c", `{}`)
	for i, tool := range all.page("").Tools {
		if len(tool.Name) > maxName || strings.Trim(tool.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != "" {
			t.Errorf("public name %q", tool.Name)
		}
		server.calledAs(all, tool.Name, odd[i])
		server.calledAs(alone, tool.Name, odd[i])
		server.calledAs(alone, odd[i], odd[i])
		if got := alone.page("").Tools[i].Name; got != odd[i] {
			t.Errorf("at its own endpoint %q is called %q", odd[i], got)
		}
	}
}

// calledAs calls a tool by a name and checks which the server hears.
func (f *fake) calledAs(c *client, public, own string) {
	f.t.Helper()
	f.mu.Lock()
	skip := len(f.got)
	f.mu.Unlock()
	c.call(`tools/call {"name":%s}`, jsonrpc.Quote(public))
	m, _ := f.await("a call", skip, func(m message) bool { return m.Method == "tools/call" })
	if got, _ := m.Text(jsonrpc.Name); got != own {
		f.t.Errorf("%q was called as %q, want %q", public, got, own)
	}
}

// TestOwnNamesWin has a server with a tool that is named as another is with its
// prefix.
func TestOwnNamesWin(t *testing.T) {
	t.Parallel()
	server := offering("srv", overJSON, "a", "srv__a", "srv__srv__a")
	f := newFleet(t, server)
	alone, all := f.connect("/mcp/server/srv", "c", `{}`), f.connect("/mcp", "c", `{}`)
	for name, own := range map[string]string{"a": "a", "srv__a": "srv__a", "srv__srv__a": "srv__srv__a", "srv__srv__srv__a": "srv__srv__a", "unlisted": "unlisted"} {
		server.calledAs(alone, name, own)
	}
	for name, own := range map[string]string{"srv__a": "a", "srv__srv__a": "srv__a", "srv__srv__srv__a": "srv__srv__a"} {
		server.calledAs(all, name, own)
	}
}

// TestOrder lists by server id, then as the server does.
func TestOrder(t *testing.T) {
	t.Parallel()
	f := newFleet(t, offering("b", overJSON, "z", "y"), offering("a-2", overEvents, "m"), offering("a", overSSE, "x", "a", "c"))
	var names []string
	for _, tool := range f.connect("/mcp", "c", `{}`).page("").Tools {
		names = append(names, tool.Name)
	}
	equal(t, "order", strings.Join(names, " "), "a__x a__a a__c a-2__m b__z b__y")
}
