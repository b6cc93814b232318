package main

//lint:file-ignore SA1019 the demonstration server has tools for roots, sampling and logging; see there.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
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

func TestDemoAsks(t *testing.T) {
	for action, want := range map[string]string{
		"accept":  `The user answered "blue", certain: true.`,
		"decline": "The user does not want to answer.",
		"cancel":  "The user closed the form.",
	} {
		inBothEras(t, func(t *testing.T, era string) {
			session := startDemo(t, era, demoTestClient(&mcp.ClientOptions{
				ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					if got := req.Params.Message; got != "Which colour?" {
						t.Errorf("question: got %q", got)
					}
					result := &mcp.ElicitResult{Action: action}
					if action == "accept" {
						result.Content = map[string]any{"answer": "blue", "certain": true}
					}
					return result, nil
				},
			}))
			if got, _ := callDemo(t, session, "ask", map[string]any{"question": "Which colour?"}); got != want {
				t.Errorf("%s: got %q, want %q", action, got, want)
			}
		})
	}
}

func TestDemoSummarizesWithTheClientsModel(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		session := startDemo(t, era, demoTestClient(&mcp.ClientOptions{
			CreateMessageHandler: func(_ context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
				text := req.Params.Messages[0].Content.(*mcp.TextContent).Text
				return &mcp.CreateMessageResult{Model: "m", Role: "assistant", Content: &mcp.TextContent{Text: "In short: " + text}}, nil
			},
		}))
		got, _ := callDemo(t, session, "summarize", map[string]any{"text": "a long story"})
		if want := "In short: a long story"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestDemoListsRoots(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		client := demoTestClient(nil)
		session := startDemo(t, era, client)
		if got, want := first(callDemo(t, session, "roots", nil)), "The client lists no roots."; got != want {
			t.Errorf("none: got %q, want %q", got, want)
		}
		client.AddRoots(&mcp.Root{URI: "file:///home/ada", Name: "home"}, &mcp.Root{URI: "file:///srv"})
		if got, want := first(callDemo(t, session, "roots", nil)), "file:///home/ada home\nfile:///srv\n"; got != want {
			t.Errorf("two: got %q, want %q", got, want)
		}
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

func TestDemoResources(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		session := startDemo(t, era, demoTestClient(nil))
		for uri, check := range map[string]func(*mcp.ResourceContents) bool{
			"demo://readme":                func(c *mcp.ResourceContents) bool { return strings.HasPrefix(c.Text, "# The demonstration") },
			"demo://logo":                  func(c *mcp.ResourceContents) bool { return bytes.HasPrefix(c.Blob, []byte("\x89PNG")) },
			"demo://greeting/Ada%20%26%20": func(c *mcp.ResourceContents) bool { return c.Text == "Hello, Ada & !" && c.MIMEType == "text/plain" },
		} {
			result, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
			if err != nil {
				t.Errorf("read %s: %v", uri, err)
			} else if !check(result.Contents[0]) {
				t.Errorf("read %s: got %+v", uri, result.Contents[0])
			}
		}
		if _, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "demo://nothing"}); err == nil {
			t.Error("read demo://nothing: got a result, want an error")
		}
	})
}

func TestDemoPrompts(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		session := startDemo(t, era, demoTestClient(nil))
		greeting, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "greet", Arguments: map[string]string{"name": "Ada", "language": "deutsch"}})
		if err != nil {
			t.Fatal(err)
		}
		got := greeting.Messages[0].Content.(*mcp.TextContent).Text
		if want := "Guten Tag, Ada! Greet me back in the same language, in one sentence."; got != want {
			t.Errorf("greet: got %q, want %q", got, want)
		}
		_, err = session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "greet"})
		if bad, ok := errors.AsType[*jsonrpc.Error](err); !ok || bad.Code != jsonrpc.CodeInvalidParams {
			t.Errorf("greet nobody: got %v, want invalid params", err)
		}
		tour, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "tour"})
		if err != nil {
			t.Fatal(err)
		}
		if got := tour.Messages[1].Content.(*mcp.EmbeddedResource).Resource.URI; got != "demo://readme" {
			t.Errorf("tour embeds %q, want demo://readme", got)
		}
	})
}

func TestDemoCompletes(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		session := startDemo(t, era, demoTestClient(nil))
		prompt := &mcp.CompleteReference{Type: "ref/prompt", Name: "greet"}
		template := &mcp.CompleteReference{Type: "ref/resource", URI: "demo://greeting/{name}"}
		for _, test := range []struct {
			ref         *mcp.CompleteReference
			name, value string
			want        []string
		}{
			{prompt, "language", "e", []string{"English", "Español", "Esperanto"}},
			{prompt, "language", "x", nil},
			{template, "name", "A", []string{"Ada", "Alan"}},
			{prompt, "nothing", "", nil},
		} {
			result, err := session.Complete(t.Context(), &mcp.CompleteParams{Ref: test.ref, Argument: mcp.CompleteParamsArgument{Name: test.name, Value: test.value}})
			if err != nil {
				t.Errorf("complete %s %q: %v", test.name, test.value, err)
			} else if got := result.Completion.Values; got == nil || !slices.Equal(got, test.want) {
				t.Errorf("complete %s %q: got %q, want %q", test.name, test.value, got, test.want)
			}
		}
	})
}

func TestDemoAnnouncesChanges(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		heard := make(chan string, 100)
		session := startDemo(t, era, demoTestClient(&mcp.ClientOptions{
			ToolListChangedHandler:     func(context.Context, *mcp.ToolListChangedRequest) { heard <- "tools" },
			ResourceListChangedHandler: func(context.Context, *mcp.ResourceListChangedRequest) { heard <- "resources" },
			ResourceUpdatedHandler: func(_ context.Context, req *mcp.ResourceUpdatedNotificationRequest) {
				heard <- req.Params.URI
			},
		}))
		if err := session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: demoNotesURI}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		expect := func(tool string, arguments map[string]any, want string) {
			t.Helper()
			callDemo(t, session, tool, arguments)
			time.Sleep(time.Second) // the SDK gathers changes of a list before it speaks of them
			synctest.Wait()
			select {
			case got := <-heard:
				if got != want {
					t.Errorf("after %s: heard %q, want %q", tool, got, want)
				}
			default:
				t.Errorf("after %s: heard nothing, want %q", tool, want)
			}
		}
		expect("note", map[string]any{"text": "one"}, demoNotesURI)
		expect("surprise", map[string]any{"present": true}, "tools")
		if got, want := first(callDemo(t, session, "surprised", nil)), "Surprise!"; got != want {
			t.Errorf("surprised: got %q, want %q", got, want)
		}
		expect("surprise", map[string]any{"present": false}, "tools")
	})
}

func TestDemoKeepsTheLastNotes(t *testing.T) {
	notes := &demoNotes{}
	for line := range 25 {
		if err := notes.add(string(rune('a' + line))); err != nil {
			t.Fatal(err)
		}
	}
	result, err := notes.read(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.ReplaceAll(result.Contents[0].Text, "\n", ""), "fghijklmnopqrstuvwxy"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

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
