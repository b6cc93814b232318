package integration

import (
	"net"
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
