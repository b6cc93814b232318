package mcpclient

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mcphub/proxy/jsonrpc"
)

// everything returns the path of the official demonstration server, which is
// made with the TypeScript SDK, or skips the test.
func everything(t *testing.T) string {
	t.Helper()
	home, _ := os.UserHomeDir()
	dir := filepath.Join(home, ".cache", "mcphub-peers")
	if set := os.Getenv("MCPHUB_PEERS"); set != "" {
		dir = set
	}
	script := filepath.Join(dir, "node_modules/@modelcontextprotocol/server-everything/dist/index.js")
	if _, err := os.Stat(script); err != nil {
		t.Skipf("npm's @modelcontextprotocol/server-everything is not in %s (see MCPHUB_PEERS)", dir)
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	return script
}

// startEverything serves it over HTTP and returns how to stop it.
func startEverything(t *testing.T, script, mode string, port int) (stop func()) {
	t.Helper()
	cmd := exec.Command("node", script, mode)
	cmd.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", port))
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(stop)
	for range 300 {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
			return stop
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	t.Fatalf("server-everything does not listen: %s", output.String())
	return nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// exerciseEverything lists, calls, and follows progress.
func exerciseEverything(t *testing.T, s *Session) {
	t.Helper()
	call(t, s, &Call{Method: "tools/list"}, `"name":"echo"`)
	call(t, s, tool(t, "echo", `{"message":"hello"}`), `Echo: hello`)
	progress := 0
	c := tool(t, "trigger-long-running-operation", `{"duration":1,"steps":4}`)
	c.Receive = func(m *jsonrpc.Message) error {
		if m.Method == methodProgress {
			progress++
		}
		return nil
	}
	call(t, s, c, "completed")
	if progress != 4 {
		t.Errorf("progress: got %d, want 4", progress)
	}
	asked := false
	c = tool(t, "trigger-sampling-request", `{"prompt":"hi","maxTokens":5}`)
	c.Receive = func(m *jsonrpc.Message) error {
		if m.Method != "sampling/createMessage" {
			return nil
		}
		asked = true
		return s.Respond(t.Context(), m.ID, jsonrpc.Raw(`{"role":"assistant","model":"m","content":{"type":"text","text":"sampled"}}`), nil)
	}
	call(t, s, c, "sampled")
	if !asked {
		t.Error("the server's question did not come on the call")
	}
}

func TestEverythingStdio(t *testing.T) {
	script := everything(t)
	t.Parallel()
	s, _ := dial(t, Stdio{Command: []string{"node", script, "stdio"}, Env: ChildEnv(os.Environ(), nil)})
	exerciseEverything(t, s)
}

func TestEverythingStreamable(t *testing.T) {
	script := everything(t)
	t.Parallel()
	port := freePort(t)
	stop := startEverything(t, script, "streamableHttp", port)
	s, _ := dial(t, StreamableHTTP{URL: fmt.Sprintf("http://127.0.0.1:%d/mcp", port), HTTP: &http.Transport{}})
	s.Listen()
	exerciseEverything(t, s)

	stop()
	startEverything(t, script, "streamableHttp", port)
	_, err := s.Call(t.Context(), tool(t, "echo", `{"message":"hello"}`))
	if err == nil {
		t.Fatal("the restarted server knows the session")
	}
	select {
	case <-s.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the session goes on")
	}
	wantErr(t, "session", s.Err(), ErrSessionLost, "No valid session ID")
}

func TestEverythingSSE(t *testing.T) {
	script := everything(t)
	t.Parallel()
	port := freePort(t)
	stop := startEverything(t, script, "sse", port)
	s, _ := dial(t, SSE{URL: fmt.Sprintf("http://127.0.0.1:%d/sse", port), HTTP: &http.Transport{}})
	exerciseEverything(t, s)
	stop()
	select {
	case <-s.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the session goes on")
	}
	wantErr(t, "session", s.Err(), nil, "the stream broke off")
}
