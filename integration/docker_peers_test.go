package integration

import (
	"net"
	"strings"
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

// bridged is one of npm's servers that speak stdio, in a container behind the hub's bridge.
func bridged(server string, args ...string) spec {
	command := []string{"/mcphub", "bridge", "--", "node", "node_modules/@modelcontextprotocol/" + server + "/dist/index.js"}
	return spec{
		Image: nodeImage, Labels: []string{".id=" + strings.TrimPrefix(server, "server-")}, Expose: []string{"8931/tcp"},
		Cmd: append(command, args...),
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

// TestRealServersInContainers has npm's servers and one of FastMCP labelled: what they offer is there, as without the hub.
func TestRealServersInContainers(t *testing.T) {
	l := newLab(t)
	n := l.network()
	for _, s := range []spec{
		everything(".id=everything"), fastMCP(".id=fastmcp", ".group=python"), bridged("server-filesystem", "/tmp"), bridged("server-memory"),
	} {
		s.Image = l.image(s.Image)
		l.run(s.on(n))
	}
	hub := l.containedHub(n)
	hub.within(startLimit, "everything connected", "fastmcp connected", "filesystem connected", "memory connected")
	c := hub.open("/mcp")
	numbers := map[string]any{"a": 20, "b": 22}
	for _, call := range []probe{
		{"everything", "get-sum", numbers, "42"},
		{"fastmcp", "add", numbers, "42"},
		{"filesystem", "list_allowed_directories", map[string]any{}, "/tmp"},
		{"memory", "read_graph", map[string]any{}, "entities"},
	} {
		call.check(t, c, call.server+"__"+call.tool)
		call.check(t, hub.open("/mcp/server/"+call.server), call.tool)
	}
	expectServers(t, hub.open("/mcp/group/python"), "fastmcp")
}
