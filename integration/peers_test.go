// Package integration tests the whole appliance: the hub's binary against real MCP servers, which .ci/peers installs.
//
// A test whose peer is not installed is skipped with the reason. Where MCPHUB_TEST_PEERS is "required", as in the gate,
// it fails instead.
package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// needPeer returns the path below the directory of peers, or ends the test if nothing is there.
func needPeer(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := peersDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(append([]string{dir}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		missing(t, "peer not installed, run .ci/peers: %v", err)
	}
	return path
}

// peersDir returns the directory where .ci/peers installs.
func peersDir() (string, error) {
	if dir := os.Getenv("MCPHUB_PEERS"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the peers: %w; set MCPHUB_PEERS", err)
	}
	return filepath.Join(home, ".cache", "mcphub-peers"), nil
}

// needCommand returns the path of a program that peers run on.
func needCommand(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, "%v", err)
	}
	return path
}

func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("MCPHUB_TEST_PEERS") == "required" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// npmServer returns the JavaScript entry of one of the reference servers, such as "server-everything".
func npmServer(t testing.TB, name string) string {
	t.Helper()
	return needPeer(t, "node_modules", "@modelcontextprotocol", name, "dist", "index.js")
}

// npmCommand returns the command line of one of the reference servers.
func npmCommand(t testing.TB, name string, args ...string) []string {
	t.Helper()
	return append([]string{needCommand(t, "node"), npmServer(t, name)}, args...)
}

// pythonServer returns the path of a program of the Python peers, such as "mcp-server-time", or "python" for a script.
func pythonServer(t testing.TB, name string) string {
	t.Helper()
	return needPeer(t, "venv", "bin", name)
}

// startEverything starts npm's server-everything over Streamable HTTP.
func startEverything(t testing.TB) *process {
	t.Helper()
	return startEverythingAt(t, "streamable-http", freePort(t))
}

// startFastMCP starts testdata/fastmcp_server.py.
func startFastMCP(t testing.TB) *process {
	t.Helper()
	port := freePort(t)
	argv := []string{pythonServer(t, "python"), filepath.Join("testdata", "fastmcp_server.py"), strconv.Itoa(port)}
	p := startProcess(t, port, argv, "PYTHONUNBUFFERED=1")
	p.URL = fmt.Sprintf("http://127.0.0.1:%d/mcp", port)
	return p
}

// connect returns a session of the official SDK's client, which the cleanup closes.
func connect(t testing.TB, transport mcp.Transport, options *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "mcphub-integration", Version: "1"}, options)
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	session, err := client.Connect(ctx, transport, nil)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

// TestPeers asks each peer directly, without the hub: what fails here is not the hub's.
func TestPeers(t *testing.T) {
	overHTTP := func(start func(testing.TB) *process) func(*testing.T) mcp.Transport {
		return func(t *testing.T) mcp.Transport { return &mcp.StreamableClientTransport{Endpoint: start(t).URL} }
	}
	overStdio := func(argv func(*testing.T) []string) func(*testing.T) mcp.Transport {
		return func(t *testing.T) mcp.Transport {
			line := argv(t)
			return &mcp.CommandTransport{Command: exec.Command(line[0], line[1:]...)}
		}
	}
	for _, test := range []struct {
		name  string
		start func(*testing.T) mcp.Transport
		tool  string // one that must be in its list
	}{
		{"server-everything http", overHTTP(startEverything), "echo"},
		{"fastmcp http", overHTTP(startFastMCP), "count"},
		{"server-everything stdio", overStdio(func(t *testing.T) []string { return npmCommand(t, "server-everything") }), "echo"},
		{"server-filesystem stdio", overStdio(func(t *testing.T) []string { return npmCommand(t, "server-filesystem", t.TempDir()) }), "read_text_file"},
		{"server-memory stdio", overStdio(func(t *testing.T) []string { return npmCommand(t, "server-memory") }), "read_graph"},
		{"mcp-server-time stdio", overStdio(func(t *testing.T) []string { return []string{pythonServer(t, "mcp-server-time")} }), "convert_time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			session := connect(t, test.start(t), nil)
			list, err := session.ListTools(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, tool := range list.Tools {
				names = append(names, tool.Name)
			}
			if !slices.Contains(names, test.tool) {
				t.Errorf("tools: got %q, want %q among them", names, test.tool)
			}
		})
	}
}
