package integration

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

const servedAgain = 2 * time.Second // required: from the moment that a server's port accepts connections

// networkServer is a server that these tests restart and start late.
type networkServer struct {
	name, transport string
	start           func(testing.TB, string, int) *process
	tool            string // adds two numbers
}

// networkServers are servers of two SDKs, over both transports.
var networkServers = []networkServer{
	{"server-everything over streamable-http", "streamable-http", startEverythingAt, "get-sum"},
	{"server-everything over sse", "sse", startEverythingAt, "get-sum"},
	{"go-sdk over streamable-http", "streamable-http", startGoSDK, "add"},
	{"go-sdk over sse", "sse", startGoSDK, "add"},
}

// startHubFor starts a hub with the server "tested" at a port, which need not listen, and the server "neighbour", which
// nothing happens to.
func startHubFor(t *testing.T, transport string, port int) *process {
	t.Helper()
	return startHub(t, hubOptions{Env: []string{
		"MCPHUB_SERVER_TESTED_URL=" + serverURL(transport, port),
		"MCPHUB_SERVER_TESTED_TRANSPORT=" + transport,
		"MCPHUB_SERVER_NEIGHBOUR_COMMAND=" + gosdkCommand(t)[0],
		"MCPHUB_SERVER_NEIGHBOUR_ENV_" + serverVariable + "=stdio",
	}})
}

// TestServerRestartUnderLiveSession kills a server that a session is using and starts it again: the session must go on as if
// nothing had happened.
func TestServerRestartUnderLiveSession(t *testing.T) {
	for _, server := range networkServers {
		t.Run(server.name, func(t *testing.T) { testRestart(t, server, false, time.Second) })
	}
}

// TestServerLongAwayUnderLiveSession leaves the server away until the hub has reported it failed, and tries it only when
// asked to. The one call that waits must be enough to ask.
func TestServerLongAwayUnderLiveSession(t *testing.T) {
	for _, server := range networkServers[2:] { // which start at once, so that the call need not wait longer than it may
		t.Run(server.name, func(t *testing.T) { testRestart(t, server, true, 8*time.Second) })
	}
}

func testRestart(t *testing.T, server networkServer, patience bool, down time.Duration) {
	port := freePort(t)
	first := server.start(t, server.transport, port)
	hub := startHubFor(t, server.transport, port)
	path, tool := "/mcp", "tested__"+server.tool
	if patience {
		path, tool = "/mcp/server/tested", server.tool
	}
	calls := startCaller(t, open(t, hub.URL+path, ""), patience, tool)
	// At an endpoint of its own: calls in the tested server's scope would have the hub try it.
	neighbour := startCaller(t, open(t, hub.URL+"/mcp/server/neighbour", ""), false, "add")
	calls.awaitServed(t, tool, time.Now())
	first.Kill()
	killed := time.Now()
	time.Sleep(down)
	server.start(t, server.transport, port)
	took := calls.awaitServed(t, tool, time.Now())
	neighbour.awaitServed(t, "add", time.Now())
	calls.stop()
	neighbour.stop()
	calls.check(t, killed)
	neighbour.check(t, time.Time{})
	t.Logf("the same session was served again %v after the port accepted connections", took.Round(time.Millisecond))
	if took > servedAgain {
		t.Errorf("served again: after %v, want at most %v", took, servedAgain)
	}
}

// TestChildRestartUnderLiveSession kills the process of a stdio server. It is the hub that starts it again.
func TestChildRestartUnderLiveSession(t *testing.T) {
	hub := startHub(t, hubOptions{Env: []string{
		"MCPHUB_SERVER_TESTED_COMMAND=" + gosdkCommand(t)[0],
		"MCPHUB_SERVER_TESTED_ENV_" + serverVariable + "=stdio",
		"MCPHUB_SERVER_NEIGHBOUR_COMMAND=" + gosdkCommand(t)[0],
		"MCPHUB_SERVER_NEIGHBOUR_ENV_" + serverVariable + "=stdio",
	}})
	c := open(t, hub.URL+"/mcp", "")
	calls := startCaller(t, c, false, "tested__add", "neighbour__add")
	calls.awaitServed(t, "tested__add", time.Now())
	killChild(t, c, "tested__pid")
	killed := time.Now()
	took := calls.awaitServed(t, "tested__add", killed.Add(5*time.Millisecond)) // an answer may have been on its way
	calls.awaitServed(t, "neighbour__add", killed)
	calls.stop()
	calls.check(t, killed)
	t.Logf("the same session was served by a new process %v after the kill", took.Round(time.Millisecond))
}

func killChild(t *testing.T, c *client, pidTool string) {
	t.Helper()
	text, err := c.call(t.Context(), pidTool, map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	child, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Kill(); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

// TestServerStartedLate starts a server long after the hub and a session there, which must get its tools.
func TestServerStartedLate(t *testing.T) {
	for _, server := range networkServers {
		t.Run(server.name, func(t *testing.T) {
			port := freePort(t)
			hub := startHubFor(t, server.transport, port)
			c := open(t, hub.URL+"/mcp", "")
			calls := startCaller(t, c, false, "neighbour__add")
			calls.awaitServed(t, "neighbour__add", time.Now())
			changes := c.listen(t)
			// The worst moment: the hub has given up trying often.
			eventually(t, startLimit, "the server to be reported failed", func() bool { return health(t, hub).server("tested").State == "failed" })
			drain(changes)

			server.start(t, server.transport, port)
			up := time.Now()
			awaitMethod(t, changes, toolsChanged, requestLimit)
			took := time.Since(up)
			names, err := c.tools(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tool := "tested__" + server.tool; !slices.Contains(names, tool) {
				t.Errorf("tools when list_changed has come: got %q, want %s among them", names, tool)
			}
			calls.stop()
			calls.check(t, time.Time{})
			t.Logf("list_changed came %v after the port accepted connections", took.Round(time.Millisecond))
			if took > servedAgain {
				t.Errorf("list_changed: after %v, want at most %v", took, servedAgain)
			}
		})
	}
}
