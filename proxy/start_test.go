package proxy

import (
	"strings"
	"testing"
	"time"
)

// TestFirstClientIsFast has a client ask for everything before the hub knows of
// any server.
func TestFirstClientIsFast(t *testing.T) {
	t.Parallel()
	server := offering("srv", overStdio, "do")
	server.initialize = initializeResult(`{"tools":{}}`, `,"instructions":"be kind"`)
	server.start(t)
	f := newHub(t)
	go func() {
		time.Sleep(200 * time.Millisecond)
		f.declare(server)
	}()
	client := f.connect("/mcp", "c", `{}`)
	if !strings.Contains(client.hello, "be kind") {
		t.Errorf("initialize: got %s, want the server's instructions in it", client.hello)
	}
	if got := client.result("tools/list"); !strings.Contains(got, "srv__do") {
		t.Errorf("tools/list: got %s", got)
	}
	// The hub is started again, and the client goes on.
	for ask, want := range map[string]string{"tools/list": `{"tools":[` + tool("srv__do") + `]}`, `tools/call {"name":"srv__do"}`: `{"content":[]}`} {
		again := newHub(t)
		go func() {
			time.Sleep(200 * time.Millisecond)
			again.declare(server)
		}()
		client.url = again.url + "/mcp"
		equal(t, ask, client.result("%s", ask), want)
	}
}
