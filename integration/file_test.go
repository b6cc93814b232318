package integration

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const fileChecked = 5 * 2 * time.Second // the hub looks at its file every 2 s

// liveFile is a hub whose configuration file a test changes.
type liveFile struct {
	*process
	path    string
	servers map[string]any
	hub     map[string]any
}

func startLiveFile(t *testing.T) *liveFile {
	t.Helper()
	f := &liveFile{path: filepath.Join(t.TempDir(), "config.json"), servers: map[string]any{}, hub: map[string]any{}}
	f.declare(t, "first")
	f.write(t)
	f.process = startHub(t, hubOptions{Args: []string{"--config", f.path}})
	return f
}

// declare adds the tests' own server over stdio to what write will write.
func (f *liveFile) declare(t *testing.T, id string) {
	f.servers[id] = map[string]any{"command": gosdkCommand(t)[0], "env": map[string]string{serverVariable: "stdio"}}
}

// write replaces the file as editors do: a new one is moved over it.
func (f *liveFile) write(t *testing.T) {
	t.Helper()
	next := writeFile(t, "next.json", quoted(t, map[string]any{"servers": f.servers, "hub": f.hub}))
	if err := os.Rename(next, f.path); err != nil {
		t.Fatal(err)
	}
}

// hangUp has the hub read the file at once.
func (f *liveFile) hangUp(t *testing.T) {
	t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// TestFileIsAppliedWhileRunning changes the configuration file under a session that listens.
func TestFileIsAppliedWhileRunning(t *testing.T) {
	f := startLiveFile(t)
	c := open(t, f.URL+"/mcp", "")
	changes := c.listen(t)
	expectServers(t, c, "first")
	drain(changes)

	f.declare(t, "second")
	f.write(t)
	awaitMethod(t, changes, toolsChanged, fileChecked)
	expectServers(t, c, "first", "second")

	if err := os.WriteFile(f.path, []byte(`{"servers": {"third": {"comand": "oops"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f.waitFor(t, "the invalid file to be reported", func() bool { return strings.Contains(f.Output(), `did you mean \"command\"`) })
	f.waitFor(t, "the invalid file at /health", func() bool { return strings.Contains(health(t, f.process).File.Error, `did you mean "command"`) })
	expectServers(t, c, "first", "second")
	expectNothing(t, changes)

	delete(f.servers, "second")
	f.write(t)
	awaitMethod(t, changes, toolsChanged, fileChecked)
	expectServers(t, c, "first")
	if wrong := health(t, f.process).File.Error; wrong != "" {
		t.Errorf("/health still says of the file: %s", wrong)
	}
	if _, err := c.call(t.Context(), "second__add", map[string]any{"a": 1, "b": 2}); err == nil {
		t.Error("a tool of a server that is not declared any more answered")
	}
}

// expectServers asks for the servers whose tools are listed.
func expectServers(t *testing.T, c *client, want ...string) {
	t.Helper()
	names, err := c.tools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range names {
		server, _, _ := strings.Cut(name, "__")
		got = append(got, server)
	}
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("servers whose tools are listed: got %q, want %q", got, want)
	}
}

// SIGHUP does not wait for the next look at the file, which takes two seconds. Many changes in a row tell the two apart.
func TestSIGHUPAppliesTheFileAtOnce(t *testing.T) {
	const times = 10
	f := startLiveFile(t)
	c := open(t, f.URL+"/mcp", "")
	changes := c.listen(t)
	expectServers(t, c, "first")
	drain(changes)
	began := time.Now()
	for i := range times {
		f.declare(t, "second")
		if i%2 == 1 {
			delete(f.servers, "second")
		}
		f.write(t)
		f.hangUp(t)
		awaitMethod(t, changes, toolsChanged, fileChecked)
	}
	// Looks at the file alone would take one to two seconds a change.
	if took := time.Since(began); took > times*time.Second {
		t.Errorf("%d changes, each with SIGHUP, took %v", times, took)
	}
}

// A token that is put on an endpoint holds for the sessions that are open there: their streams end, their requests are
// refused, and the token does not make them the sessions of who has it.
func TestTokenEndsOpenSessions(t *testing.T) {
	f := startLiveFile(t)
	c := open(t, f.URL+"/mcp", "")
	changes := c.listen(t)
	expectServers(t, c, "first")

	const token = "put-on-later"
	f.hub["auth"] = map[string]any{"endpoints": map[string]any{"/mcp": map[string]any{"enabled": true, "token": token}}}
	f.write(t)
	f.hangUp(t)
	awaitEnd(t, changes)
	expectStatus(t, c, http.StatusUnauthorized)
	c.token = token
	expectStatus(t, c, http.StatusNotFound)
	expectServers(t, open(t, f.URL+"/mcp", token), "first")
	if strings.Contains(f.Output(), token) {
		t.Error("the token is in the log")
	}
}

// expectStatus asks for the tools, and wants a status that refuses.
func expectStatus(t *testing.T, c *client, want int) {
	t.Helper()
	_, err := c.tools(context.Background())
	if status, ok := errors.AsType[*statusError](err); !ok || status.code != want {
		t.Errorf("tools/list: got %v, want HTTP %d", err, want)
	}
}
