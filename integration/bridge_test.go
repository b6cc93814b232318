package integration

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// startBridge starts a bridge for the tests' own server.
func startBridge(t *testing.T, env ...string) *process {
	t.Helper()
	args := append([]string{"bridge", "--"}, gosdkCommand(t)...)
	return startHub(t, hubOptions{Args: args, Env: append(env, serverVariable+"=stdio")})
}

// TestBridge has clients at a bridge: each has a process of its own, up to a bound, and sees the server as it is.
func TestBridge(t *testing.T) {
	bridge := startBridge(t)
	eventually(t, startLimit, "the command", func() bool { return health(t, bridge).Status == "healthy" })
	pids := map[string]bool{}
	for range 7 {
		c := open(t, bridge.URL+"/mcp", "")
		pid, err := c.call(t.Context(), "pid", map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		pids[pid] = true
	}
	if len(pids) != 7 {
		t.Errorf("7 clients have %d processes, want one each", len(pids))
	}
	c := open(t, bridge.URL+"/mcp", "")
	if names, err := c.tools(t.Context()); err != nil || !slices.Contains(names, "add") {
		t.Errorf("tools: got %q, %v, want the server's own names", names, err)
	}
	_, err := c.call(t.Context(), "pid", map[string]any{})
	if busy, ok := errors.AsType[*statusError](err); !ok || busy.code != 503 {
		t.Errorf("one client too many: got %v, want HTTP 503", err)
	}
	for _, path := range []string{"/mcp/server/server", "/mcp/group/all"} {
		err := (&client{url: bridge.URL + path}).initialize(t.Context(), "{}")
		if missing, ok := errors.AsType[*statusError](err); !ok || missing.code != 404 {
			t.Errorf("%s: got %v, want HTTP 404", path, err)
		}
	}
}

func TestBridgeWithToken(t *testing.T) {
	bridge := startBridge(t, "MCPHUB_AUTH_TOKEN=secret")
	err := (&client{url: bridge.URL + "/mcp"}).initialize(t.Context(), "{}")
	if refused, ok := errors.AsType[*statusError](err); !ok || refused.code != 401 {
		t.Errorf("without the token: got %v, want HTTP 401", err)
	}
	if got, err := open(t, bridge.URL+"/mcp", "secret").call(t.Context(), "add", map[string]any{"a": 2, "b": 3}); got != "5" {
		t.Errorf("with the token: got %q, %v", got, err)
	}
}

// TestHubBeforeBridge has a hub serve a bridge like any server. A command that cannot serve is no server without tools: the
// hub says why.
func TestHubBeforeBridge(t *testing.T) {
	good := startBridge(t)
	bad := startHub(t, hubOptions{Args: []string{"bridge", "--", needCommand(t, "sh"), "-c", "echo no API_KEY is set >&2; exit 3"}})
	hub := startHub(t, hubOptions{Env: []string{"MCPHUB_SERVERS=bad=" + bad.URL + "/mcp\ngood=" + good.URL + "/mcp"}})
	eventually(t, startLimit, "the good bridge", func() bool { return health(t, hub).server("good").Connected })
	eventually(t, startLimit, "the reason", func() bool {
		bad := health(t, hub).server("bad")
		return !bad.Connected && strings.Contains(bad.Error, "exit status 3; stderr: no API_KEY is set")
	})
	if got, err := open(t, hub.URL+"/mcp", "").call(t.Context(), "good__add", map[string]any{"a": 2, "b": 3}); got != "5" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestBridgeWithoutItsCommand(t *testing.T) {
	run := exec.Command(mustHub(t), "bridge", "--", "there-is-no-such-program")
	run.Env = cleanEnvironment()
	output, err := run.CombinedOutput()
	if ended, ok := errors.AsType[*exec.ExitError](err); !ok || ended.ExitCode() != 127 || !strings.Contains(string(output), `"there-is-no-such-program"`) {
		t.Errorf("got %v, %s; want status 127 and the command's name", err, output)
	}
}
