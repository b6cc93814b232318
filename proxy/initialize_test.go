package proxy

import (
	"strings"
	"testing"
	"time"
)

// TestInitialize tells clients at endpoints of many servers of the hub, and of
// what each server says of its use.
func TestInitialize(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 3000) // 6,000 bytes
	with := func(id, instructions string) *fake {
		capabilities := map[string]string{
			"a": `{"tasks":{"list":{},"x":1.0,"requests":{"tools":{"call":{}}}}}`, "b": `{"tools":{},"tasks":true}`,
			"c": `{"tasks":{"cancel":{},"x":2.0,"requests":{"tools":{"list":{}},"prompts":{}}}}`,
		}
		return &fake{id: id, wire: overJSON, initialize: initializeResult(capabilities[id], `,"instructions":"`+instructions+`"`)}
	}
	f := newFleet(t, with("c", long), with("b", `\n\n`), with("a", `Use \"a\".\n`))
	for _, path := range []string{"/mcp", "/mcp/group/all"} {
		want := `{"capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{},` +
			`"tasks":{"list":{},"x":1.0,"requests":{"tools":{"call":{},"list":{}},"prompts":{}},"cancel":{}}},` +
			`"serverInfo":{"name":"mcphub","title":"MCP Hub","version":"test"},` +
			`"instructions":"# a\n\nUse \"a\".\n\n# c\n\n` + long[:4096] + ` […]","protocolVersion":"2025-11-25"}`
		equal(t, path, f.connect(path, "c", `{}`).hello, want)
	}
	if first := f.connect("/mcp/group/first", "c", `{}`).hello; strings.Contains(first, "# a") {
		t.Errorf("a group tells of servers outside it: %s", first)
	}
	body := f.newClient("/mcp", "old").post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}`).text()
	if strings.Contains(body, `"tasks"`) {
		t.Errorf("a client whose version has no tasks is told of them: %s", body)
	}
}

// TestMirror shows a server that is alone at its endpoint as it shows itself. The
// hub tells of changed lists even where the server does not.
func TestMirror(t *testing.T) {
	onEach(t, wires, func(t *testing.T, w wire) {
		server := &fake{id: "srv", wire: w, initialize: `{ "serverInfo":{"name":"\u00e9","version":"","unknown":1.0},"unknown":9007199254740993,` +
			`"capabilities":{"tools":{"listChanged":false,"x":1e2},"resources":{"subscribe":true},"vendor":{"b":1,"a":2},"logging":{}},"instructions":"","protocolVersion":"2025-03-26","_meta":{"n":1.0}}`}
		f := newFleet(t, server)
		equal(t, "result", f.connect("/mcp/server/srv", "c", `{}`).hello, `{ "serverInfo":{"name":"\u00e9","version":"","unknown":1.0},"unknown":9007199254740993,`+
			`"capabilities":{"tools":{"listChanged":true,"x":1e2},"resources":{"subscribe":true,"listChanged":true},"vendor":{"b":1,"a":2},"logging":{}},"instructions":"","protocolVersion":"2025-11-25","_meta":{"n":1.0}}`)
	})
}

// TestIntroduction tells the server who calls: the hub in its own session, the
// client, as bytes, in the client's.
func TestIntroduction(t *testing.T) {
	onEach(t, []wire{overJSON, overSSE, overStdio}, func(t *testing.T, w wire) {
		server := offering("srv", w, "do")
		server.isolation = "session"
		f := newFleet(t, server)
		equal(t, "the hub", server.sessionOf("mcphub").hello, `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"mcphub","title":"MCP Hub","version":"test"}}`)
		const capabilities = `{"roots":{"listChanged":false,"x":9007199254740993},"vendor":{"f":1.0}}`
		f.connect("/mcp", "c", capabilities).call(`tools/call {"name":"srv__do"}`)
		equal(t, "the client", server.sessionOf("c").hello, `{"protocolVersion":"2025-11-25","capabilities":`+capabilities+`,"clientInfo":{"name":"c","version":"1"}}`)
	})
}

// TestInitializeAtAServerThatIsAway waits for it, and makes do with what is known.
func TestInitializeAtAServerThatIsAway(t *testing.T) {
	t.Parallel()
	server := &fake{id: "srv", wire: overJSON, initialize: initializeResult(`{"tools":{}}`, `,"own":1.0`)}
	server.start(t)
	f := newHub(t)
	hello := make(chan string, 1)
	go func() {
		time.Sleep(300 * time.Millisecond)
		f.declare(server)
	}()
	go func() { hello <- f.connect("/mcp/server/srv", "c", `{}`).hello }()
	if got := <-hello; !strings.Contains(got, `"own":1.0`) {
		t.Errorf("while the hub starts: got %s, want the server's own answer", got)
	}
	server.breakDown()
	f.connect("/mcp", "c", `{}`).call(`resources/read {"uri":"x:y"}`)
	f.hub.view().servers["srv"].link.suspect()
	f.awaitPhase("srv", failed)
	if got := f.connect("/mcp/server/srv", "c", `{}`).hello; !strings.Contains(got, `"own":1.0`) {
		t.Errorf("while it is away: got %s, want what it said last", got)
	}
	never := offering("never", overJSON)
	never.start(t)
	never.breakDown()
	f.declare(never, server)
	f.awaitPhase("never", failed)
	if got := f.connect("/mcp/server/never", "c", `{}`).hello; !strings.Contains(got, `"name":"mcphub"`) {
		t.Errorf("a server that never was there: got %s, want the hub's answer", got)
	}
}
