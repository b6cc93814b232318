package integration

//lint:file-ignore SA1019 logging is deprecated since 2026-07-28; the hub carries it for all earlier versions.

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The tests' own server is made with the official SDK. It runs in a process of its own, which is the test binary started
// again with serverVariable set to a transport, which may have "features " before it, or in the test's process (see startBig).
const (
	serverVariable = "INTEGRATION_SERVER"
	portVariable   = "PORT"
)

// runServer is the process of the tests' own server. It returns its exit status.
func runServer(transport string) int {
	server := newServer(context.Background(), nil)
	if kind, found := strings.CutPrefix(transport, "features "); found {
		server, transport = newGoFeatures(), kind
	}
	get := func(*http.Request) *mcp.Server { return server }
	var err error
	switch transport {
	case "stdio":
		err = server.Run(context.Background(), &mcp.StdioTransport{})
	case "patient":
		err = newPatientServer().Run(context.Background(), &mcp.StdioTransport{})
	case racing:
		race()
	case "sse":
		err = listen("/sse", mcp.NewSSEHandler(get, nil))
	default:
		err = listen("/mcp", mcp.NewStreamableHTTPHandler(get, nil))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func listen(path string, handler http.Handler) error {
	mux := http.NewServeMux()
	mux.Handle(path, handler)
	return http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Getenv(portVariable)), mux)
}

// newServer returns the tests' own server. It says on cancelled when a call of its tool wait is; the others end with life.
func newServer(life context.Context, cancelled chan<- struct{}) *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "gosdk-test", Version: "1"}, &mcp.ServerOptions{PageSize: bigPage})
	type numbers struct {
		A int `json:"a"`
		B int `json:"b"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "add"}, func(_ context.Context, _ *mcp.CallToolRequest, in numbers) (*mcp.CallToolResult, any, error) {
		return textResult(strconv.Itoa(in.A + in.B)), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "pid"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return textResult(strconv.Itoa(os.Getpid())), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "wait"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		// Says that it has begun, so that nobody cancels what was never started.
		err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: req.Params.GetProgressToken()})
		if err != nil {
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			select {
			case cancelled <- struct{}{}:
			default: // nobody wants to know
			}
		case <-life.Done():
		}
		return nil, nil, context.Canceled
	})
	type line struct {
		Level string `json:"level"`
		Text  string `json:"text"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "log"}, func(ctx context.Context, req *mcp.CallToolRequest, in line) (*mcp.CallToolResult, any, error) {
		err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: mcp.LoggingLevel(in.Level), Logger: "test", Data: in.Text})
		return textResult("logged"), nil, err
	})
	return server
}

func textResult(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}

const (
	bigTools = 3000 // beside those of newServer
	bigPage  = 500
)

// bigServer is the tests' own server with 3,000 more tools, in this process.
type bigServer struct {
	URL           string
	cancelled     chan struct{}          // told when a call of its tool wait is
	authorization atomic.Pointer[string] // the header of the last request
	server        *mcp.Server
	extra         bool // has the tool that toggle adds
}

// toggle adds a tool, or takes it away again. It is for one goroutine.
func (b *bigServer) toggle() {
	if b.extra = !b.extra; !b.extra {
		b.server.RemoveTools("extra")
		return
	}
	mcp.AddTool(b.server, &mcp.Tool{Name: "extra"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return textResult("extra"), nil, nil
	})
}

func startBig(t testing.TB) *bigServer {
	t.Helper()
	b := &bigServer{cancelled: make(chan struct{}, 16)}
	life, end := context.WithCancel(context.Background())
	server := newServer(life, b.cancelled)
	for i := range bigTools {
		name := bigTool(i)
		mcp.AddTool(server, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return textResult("this is " + name), nil, nil
		})
	}
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.authorization.Store(new(r.Header.Get("Authorization")))
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		end()
		web.CloseClientConnections()
		web.Close()
	})
	b.URL, b.server = web.URL, server
	return b
}

func bigTool(i int) string { return fmt.Sprintf("tool-%04d", i) }

// gosdkCommand returns the command line of the tests' own server; it needs serverVariable in its environment.
func gosdkCommand(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self}
}

// startGoSDK starts the tests' own server over "streamable-http" or "sse" at a port of 127.0.0.1.
func startGoSDK(t testing.TB, transport string, port int) *process {
	t.Helper()
	p := startProcess(t, port, gosdkCommand(t), serverVariable+"="+transport, fmt.Sprintf("%s=%d", portVariable, port))
	p.URL = serverURL(transport, port)
	return p
}

// startEverythingAt starts npm's server-everything over "streamable-http" or "sse" at a port of 127.0.0.1.
func startEverythingAt(t testing.TB, transport string, port int) *process {
	t.Helper()
	mode := map[string]string{"streamable-http": "streamableHttp", "sse": "sse"}[transport]
	p := startProcess(t, port, npmCommand(t, "server-everything", mode), fmt.Sprintf("%s=%d", portVariable, port))
	p.URL = serverURL(transport, port)
	return p
}

func serverURL(transport string, port int) string {
	path := "mcp"
	if transport == "sse" {
		path = "sse"
	}
	return fmt.Sprintf("http://127.0.0.1:%d/%s", port, path)
}

// eventually waits until ready holds, and ends the test with what if that takes longer than the limit.
func eventually(t testing.TB, limit time.Duration, what string, ready func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ready() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", limit, what)
		}
		time.Sleep(pollEvery)
	}
}
