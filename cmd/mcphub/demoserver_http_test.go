package main

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// startDemoHTTP serves on a free port and returns the endpoint and a stop that reports how the server ended.
func startDemoHTTP(t *testing.T) (endpoint string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serveDemoHTTP(ctx, listener) }()
	return "http://" + listener.Addr().String() + "/mcp", func() error { cancel(); return <-served }
}

func TestDemoOverHTTP(t *testing.T) {
	for _, era := range demoEras {
		t.Run(era, func(t *testing.T) {
			endpoint, stop := startDemoHTTP(t)
			counting := make(chan struct{}, 100)
			client := demoTestClient(&mcp.ClientOptions{
				ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					return &mcp.ElicitResult{Action: "decline"}, nil
				},
				ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) { counting <- struct{}{} },
			})
			session := connectDemo(t, era, client, &mcp.StreamableClientTransport{Endpoint: endpoint, MaxRetries: -1}, func() {})
			if got, want := first(callDemo(t, session, "ask", map[string]any{"question": "?"})), "The user does not want to answer."; got != want {
				t.Errorf("ask: got %q, want %q", got, want)
			}
			called := make(chan struct{})
			go func() {
				defer close(called)
				params := &mcp.CallToolParams{Name: "countdown", Arguments: map[string]any{"seconds": 60}}
				params.SetProgressToken("mine")
				session.CallTool(t.Context(), params)
			}()
			<-counting
			start := time.Now()
			if err := stop(); err != nil {
				t.Errorf("stopped server: got %v, want nil", err)
			}
			if got := time.Since(start); got > 5*time.Second {
				t.Errorf("the call in flight held the server for %v", got)
			}
			<-called
		})
	}
}

// A page in a browser must not reach a demonstration on the same machine.
func TestDemoRefusesOtherOrigins(t *testing.T) {
	endpoint, stop := startDemoHTTP(t)
	defer stop()
	req, err := http.NewRequestWithContext(t.Context(), "POST", endpoint, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://evil.example")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("got %s, want 403", resp.Status)
	}
}

func TestDemoServerArguments(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--nope"}, "demo-server: flag provided but not defined: -nope"},
		{[]string{"extra"}, `demo-server takes no arguments, got ["extra"]`},
		{[]string{"--http", "nowhere"}, "demo-server: listen tcp: address nowhere: missing port in address"},
	} {
		err := demoServer(t.Context(), test.args, nil, nil)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q: got %v, want %q", test.args, err, test.want)
		}
	}
}
