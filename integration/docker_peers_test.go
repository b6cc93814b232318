package integration

import (
	"net"
	"slices"
	"testing"
	"time"
)

// everything is npm's server-everything in a container. Images are named by their kind.
func everything(labels ...string) spec {
	return spec{
		Image: nodeImage, Labels: labels, Expose: []string{"3001/tcp"}, Env: []string{"PORT=3001"},
		Cmd: []string{"node", "node_modules/@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp"},
	}
}

// fastMCP is testdata/fastmcp_server.py in a container.
func fastMCP(labels ...string) spec {
	return spec{
		Image: pythonImage, Labels: labels, Expose: []string{"8000/tcp"},
		Cmd: []string{"/srv/fastmcp_server.py", "8000", "0.0.0.0"},
	}
}

func listensAt(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// TestRealServersInContainers has npm's server-everything and a FastMCP server labelled: what they offer is there, as it is
// without the hub.
func TestRealServersInContainers(t *testing.T) {
	l := newLab(t)
	n := l.network()
	for _, s := range []spec{everything(".id=everything"), fastMCP(".id=fastmcp", ".group=python")} {
		s.Image = l.image(s.Image)
		l.run(s.on(n))
	}
	hub := l.containedHub(n)
	hub.within(startLimit, "everything connected", "fastmcp connected")
	c := hub.open("/mcp")
	for tool, want := range map[string]string{"everything__get-sum": "42", "fastmcp__add": "42"} {
		got, err := c.call(t.Context(), tool, map[string]any{"a": 20, "b": 22})
		if err != nil || !containsWord(got, want) {
			t.Errorf("call %s: got %q, %v; want %s in it", tool, got, err, want)
		}
	}
	expectServers(t, hub.open("/mcp/group/python"), "fastmcp")
	names, err := hub.open("/mcp/server/everything").tools(t.Context())
	if err != nil || !slices.Contains(names, "echo") {
		t.Errorf("tools of server-everything alone: got %q, %v; want echo among them", names, err)
	}
}
