package integration

import (
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
)

// stdioPeer is a real server that speaks over stdio, and a call of it.
type stdioPeer struct {
	image     string
	command   []string
	tool      string
	arguments map[string]any
	answer    string // in the result's text
}

var stdioPeers = map[string]stdioPeer{
	"everything": {nodeImage, npmStdio("server-everything", "stdio"), "echo", map[string]any{"message": "hello"}, "Echo: hello"},
	"memory":     {nodeImage, npmStdio("server-memory"), "read_graph", map[string]any{}, "entities"},
	"filesystem": {nodeImage, npmStdio("server-filesystem", "/srv"), "list_allowed_directories", map[string]any{}, "/srv"},
	"fastmcp":    {pythonImage, []string{"/srv/fastmcp_server.py", "stdio"}, "add", map[string]any{"a": 2, "b": 3}, "5"},
}

func npmStdio(server string, args ...string) []string {
	return append([]string{"node", "node_modules/@modelcontextprotocol/" + server + "/dist/index.js"}, args...)
}

// spec is a container whose own process is the peer.
func (p stdioPeer) spec(l *lab, id string) spec {
	return spec{
		Image: l.image(p.image), Name: id, Cmd: p.command, Expose: []string{}, Labels: []string{".id=" + id, ".transport=stdio"},
		Edit: func(c *container.Config, host *container.HostConfig) {
			c.OpenStdin, host.Init = true, new(true)
		},
	}
}

// TestPeersOverStdio attaches to servers on the TypeScript and Python SDKs, with one hub and then another. They take a second
// initialize, so that they are not started anew for it.
func TestPeersOverStdio(t *testing.T) {
	l := newLab(t)
	var all []string
	for _, id := range []string{"everything", "fastmcp", "filesystem", "memory"} {
		l.run(stdioPeers[id].spec(l, id))
		all = append(all, id+" connected")
	}
	for _, which := range []string{"first", "second"} {
		hub := l.hub()
		hub.until(all...)
		c := hub.open("/mcp")
		for id, peer := range stdioPeers {
			got, err := c.call(t.Context(), id+"__"+peer.tool, peer.arguments)
			if err != nil || !strings.Contains(got, peer.answer) {
				t.Errorf("%s, with the %s hub: got %.200q, %v; want %q", id, which, got, err, peer.answer)
			}
		}
		if strings.Contains(hub.Output(), "container restarted") {
			t.Errorf("the %s hub has restarted a container:\n%s", which, hub.Output())
		}
		hub.Kill()
	}
}
