package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

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
