package main

//lint:file-ignore SA1019 the demonstration server has tools for roots, sampling and logging; see there.

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// demoEras are one protocol version of each era. What the demonstration shows, it shows to clients of both.
var demoEras = []string{"2025-11-25", "2026-07-28"}

// startDemo runs the subcommand on a pair of pipes and returns a client of it. The cleanup hangs up and wants the server to end well.
func startDemo(t *testing.T, era string, client *mcp.Client) *mcp.ClientSession {
	t.Helper()
	stdin, toServer := io.Pipe()
	fromServer, stdout := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- demoServer(t.Context(), nil, stdin, stdout) }()
	return connectDemo(t, era, client, &mcp.IOTransport{Reader: fromServer, Writer: toServer}, func() {
		if err := <-served; err != nil {
			t.Errorf("demoServer: %v", err)
		}
	})
}

func connectDemo(t *testing.T, era string, client *mcp.Client, transport mcp.Transport, closed func()) *mcp.ClientSession {
	t.Helper()
	session, err := client.Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: era})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		session.Close()
		closed()
	})
	if got := session.InitializeResult().ProtocolVersion; got != era {
		t.Fatalf("protocol version: got %q, want %q", got, era)
	}
	return session
}

func demoTestClient(options *mcp.ClientOptions) *mcp.Client {
	return mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, options)
}

// inBothEras runs a test once per era, each in a bubble of its own.
func inBothEras(t *testing.T, test func(t *testing.T, era string)) {
	for _, era := range demoEras {
		t.Run(era, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, era) })
		})
	}
}

func callDemo(t *testing.T, session *mcp.ClientSession, tool string, arguments map[string]any) (text string, isError bool) {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("call %s %v: %v", tool, arguments, err)
	}
	for _, part := range result.Content {
		if content, ok := part.(*mcp.TextContent); ok {
			text += content.Text
		}
	}
	return text, result.IsError
}

func TestDemoTools(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		session := startDemo(t, era, demoTestClient(nil))
		for _, test := range []struct {
			tool      string
			arguments map[string]any
			want      string
			wantError bool
		}{
			{"echo", map[string]any{"text": "100 % of it\n"}, "100 % of it\n", false},
			{"add", map[string]any{"a": 2, "b": 0.5}, `{"sum":2.5}`, false},
			{"now", nil, "Saturday, 1 January 2000, 00:00:00 UTC", false}, // a bubble's clock starts there
			{"now", map[string]any{"zone": "Asia/Tokyo"}, "Saturday, 1 January 2000, 09:00:00 JST", false},
			{"now", map[string]any{"zone": "Local"}, `no zone is named "Local"; try one like Europe/Vienna`, true},
			{"log", map[string]any{"message": "x", "level": "loud"}, `"loud" is not a log level; they are [debug info notice warning error critical alert emergency]`, true},
			{"ask", map[string]any{"question": "x"}, "this client cannot ask its user: it did not declare elicitation", true},
			{"summarize", map[string]any{"text": "x"}, "this client lends no model: it did not declare sampling", true},
			{"note", map[string]any{"text": strings.Repeat("x", 501)}, "a note has at most 500 bytes, this one has 501", true},
		} {
			got, isError := callDemo(t, session, test.tool, test.arguments)
			if got != test.want || isError != test.wantError {
				t.Errorf("%s %v: got %q, error %t, want %q, error %t", test.tool, test.arguments, got, isError, test.want, test.wantError)
			}
		}
	})
}

func TestDemoCountdownReportsProgress(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		reports := make(chan string, 100)
		session := startDemo(t, era, demoTestClient(&mcp.ClientOptions{
			ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
				reports <- req.Params.Message
			},
		}))
		params := &mcp.CallToolParams{Name: "countdown", Arguments: map[string]any{"seconds": 3}}
		params.SetProgressToken("mine")
		start := time.Now()
		if _, err := session.CallTool(t.Context(), params); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(start), 3*time.Second; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
		synctest.Wait()
		close(reports)
		var got []string
		for report := range reports {
			got = append(got, report)
		}
		if want := []string{"3 s left", "2 s left", "1 s left"}; !slices.Equal(got, want) {
			t.Errorf("progress: got %q, want %q", got, want)
		}
	})
}

func TestDemoCountdownIsCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session := startDemo(t, demoEras[0], demoTestClient(nil))
		for seconds, want := range map[int]string{1e9: "Counted 60 seconds.", -1: "Counted 1 seconds."} {
			if got, _ := callDemo(t, session, "countdown", map[string]any{"seconds": seconds}); got != want {
				t.Errorf("countdown %d: got %q, want %q", seconds, got, want)
			}
		}
	})
}

func TestDemoCountdownIsCancelled(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		session := startDemo(t, era, demoTestClient(nil))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "countdown", Arguments: map[string]any{"seconds": 60}})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled call: got %v, want the deadline", err)
		}
		// Hanging up waits for calls in flight, so a countdown that went on would show here.
		session.Close()
		if got := time.Since(start); got > 10*time.Second {
			t.Errorf("the server was busy for %v after a call cancelled at 5s", got)
		}
	})
}

// A server told to stop must not wait for what its client began.
func TestDemoStopsAmidCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stdin, toServer := io.Pipe()
		fromServer, stdout := io.Pipe()
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- demoServer(ctx, nil, stdin, stdout) }()
		session := connectDemo(t, demoEras[0], demoTestClient(nil), &mcp.IOTransport{Reader: fromServer, Writer: toServer}, func() {})
		called := make(chan struct{})
		go func() {
			defer close(called)
			session.CallTool(t.Context(), &mcp.CallToolParams{Name: "countdown", Arguments: map[string]any{"seconds": 60}})
		}()
		synctest.Wait()
		start := time.Now()
		stop()
		if err := <-served; err != nil {
			t.Errorf("stopped server: got %v, want nil", err)
		}
		if got := time.Since(start); got > time.Second {
			t.Errorf("stopping took %v", got)
		}
		<-called
	})
}

func first(text string, _ bool) string { return text }

func TestDemoLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged []string // written while the test waits for its call, read after
		session := startDemo(t, demoEras[0], demoTestClient(&mcp.ClientOptions{
			LoggingMessageHandler: func(_ context.Context, req *mcp.LoggingMessageRequest) {
				logged = append(logged, string(req.Params.Level)+" "+req.Params.Data.(string))
			},
		}))
		if err := session.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "warning"}); err != nil {
			t.Fatal(err)
		}
		callDemo(t, session, "log", map[string]any{"message": "quiet"})
		callDemo(t, session, "log", map[string]any{"message": "loud", "level": "error"})
		synctest.Wait()
		if want := []string{"error loud"}; !slices.Equal(logged, want) {
			t.Errorf("got %q, want %q", logged, want)
		}
	})
}
