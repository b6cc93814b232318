package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fleet is one server of each transport and SDK.
type fleet struct {
	everything, legacy, fastmcp string // URLs
	big                         *bigServer

	filesystem []string // command line of npm's server-filesystem
	dir        string   // the directory it serves
	time       string   // the command mcp-server-time
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{dir: t.TempDir(), time: pythonServer(t, "mcp-server-time")}
	f.filesystem = npmCommand(t, "server-filesystem", f.dir)
	f.everything = startEverythingAt(t, "streamable-http", freePort(t)).URL
	f.legacy = startEverythingAt(t, "sse", freePort(t)).URL
	f.fastmcp = startFastMCP(t).URL
	f.big = startBig(t)
	return f
}

const exampleToken = "my-secret-token" // in config.example.json

// config is config.example.json with the fleet's addresses in place of the example's, and three servers more.
func (f *fleet) config(t *testing.T) string {
	t.Helper()
	example, err := os.ReadFile(filepath.Join("..", "config.example.json"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(example)
	for old, replacement := range map[string]string{
		`"npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/tmp"]`: quoted(t, f.filesystem[0]) + `, "args": ` + quoted(t, f.filesystem[1:]),
		`"http://localhost:3001/mcp"`: quoted(t, f.everything),
		`"http://localhost:3002/sse"`: quoted(t, f.legacy),
		`"servers": {`: `"servers": {
			"time": {"command": ` + quoted(t, f.time) + `},
			"fastmcp": {"url": ` + quoted(t, f.fastmcp) + `},
			"big": {"transport": "http", "url": ` + quoted(t, f.big.URL) + `},`,
		`["filesystem", "remote-api"]`: `["filesystem", "remote-api", "big"]`,
	} {
		if strings.Count(text, old) != 1 {
			t.Fatalf("config.example.json: %s is not in it once", old)
		}
		text = strings.Replace(text, old, replacement, 1)
	}
	return writeFile(t, "config.json", text)
}

func quoted(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// writeFile writes a file into a directory of its own, and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// probe is a call that shows that a server of the fleet is served.
type probe struct {
	server, tool string
	arguments    map[string]any
	want         string // part of the answer
}

func (f *fleet) probes() []probe {
	sum := map[string]any{"a": 20, "b": 22}
	return []probe{
		{"filesystem", "list_allowed_directories", map[string]any{}, f.dir},
		{"remote-api", "get-sum", sum, "42"},
		{"legacy", "get-sum", sum, "42"},
		{"time", "convert_time", map[string]any{"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}, "21:00"},
		{"fastmcp", "add", sum, "42"},
		{"big", "add", sum, "42"},
	}
}

var groupMembers = []string{"filesystem", "remote-api", "big"} // of dev-tools

// checkServed calls a tool of each server at each of the three kinds of endpoint.
func (f *fleet) checkServed(t *testing.T, hub, token string) {
	t.Helper()
	all, group := open(t, hub+"/mcp", token), open(t, hub+"/mcp/group/dev-tools", token)
	for _, p := range f.probes() {
		alone := open(t, hub+"/mcp/server/"+p.server, token)
		p.check(t, all, p.server+"__"+p.tool)
		p.check(t, alone, p.tool)
		p.check(t, alone, p.server+"__"+p.tool)
		if slices.Contains(groupMembers, p.server) {
			p.check(t, group, p.server+"__"+p.tool)
		} else if _, err := group.call(t.Context(), p.server+"__"+p.tool, p.arguments); err == nil {
			t.Errorf("%s answered at a group that it is not in", p.server)
		}
	}
}

func (p probe) check(t *testing.T, c *client, name string) {
	t.Helper()
	names, err := c.tools(t.Context())
	if own := strings.Contains(c.url, "/server/") && name != p.tool; err != nil || slices.Contains(names, name) == own {
		t.Errorf("%s: tools/list: %s is among them: %t, error: %v", c.url, name, own, err)
	}
	got, err := c.call(t.Context(), name, p.arguments)
	if err != nil || !strings.Contains(got, p.want) {
		t.Errorf("%s: call %s: got %q, %v; want %q in it", c.url, name, got, err, p.want)
	}
}
