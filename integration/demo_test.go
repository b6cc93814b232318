package integration

//lint:file-ignore SA1019 sampling and roots are deprecated since 2026-07-28; the hub carries them for all earlier versions.

import (
	"context"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// newDemoGuest returns a session of a client that answers all that a server may ask.
func newDemoGuest(t *testing.T, url, name string) *guest {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: name, Version: "1"}, &mcp.ClientOptions{
		CreateMessageHandler: func(_ context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			asked := req.Params.Messages[0].Content.(*mcp.TextContent).Text
			return &mcp.CreateMessageResult{Role: "assistant", Model: "none", Content: &mcp.TextContent{Text: name + " sums up: " + asked}}, nil
		},
		ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			answer := name + " answers: " + req.Params.Message
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"answer": answer, "certain": true}}, nil
		},
	})
	client.AddRoots(&mcp.Root{URI: "file:///" + name, Name: "home of " + name})
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return &guest{ClientSession: session, prefix: "demo__"}
}

// TestDemo uses the demonstration server, which asks its clients back, by two clients at a time.
func TestDemo(t *testing.T) {
	hub := startHub(t, hubOptions{Args: []string{"--demo"}})
	ann, bob := newDemoGuest(t, hub.URL+"/mcp", "ann"), newDemoGuest(t, hub.URL+"/mcp", "bob")
	for name, g := range map[string]*guest{"ann": ann, "bob": bob} {
		for _, c := range []struct {
			tool      string
			arguments map[string]any
			want      string
		}{
			{"echo", map[string]any{"text": "hello"}, "hello"},
			{"summarize", map[string]any{"text": "a long text"}, name + " sums up: a long text"},
			{"ask", map[string]any{"question": "why?"}, `"` + name + ` answers: why?", certain: true`},
			{"roots", map[string]any{}, "file:///" + name + " home of " + name},
		} {
			if got := g.text(t, c.tool, c.arguments); !strings.Contains(got, c.want) {
				t.Errorf("%s: %s: got %q, want %q in it", name, c.tool, got, c.want)
			}
		}
	}
	// What one writes down stays in its own process.
	ann.text(t, "note", map[string]any{"text": "ann's note"})
	ann.checkRead(t, "demo://notes", "ann's note")
	result, err := bob.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "demo://notes"})
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Contents[0].Text; got != "" {
		t.Errorf("notes of bob, who has taken none: got %q", got)
	}
}

// TestNothingConfigured starts a hub that nobody has told anything.
func TestNothingConfigured(t *testing.T) {
	hub := startHub(t, hubOptions{})
	c := open(t, hub.URL+"/mcp", "")
	if names, err := c.tools(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("tools: got %q, %v; want none", names, err)
	}
	if got := health(t, hub); got.Status != "healthy" || got.Servers == nil || len(got.Servers) != 0 {
		t.Errorf("/health: got %+v, want healthy and an empty list", got)
	}
	log := strings.TrimSpace(hub.Output())
	if lines := strings.Split(log, "\n"); len(lines) != 1 || !strings.Contains(log, "MCPHUB_SERVERS") || !strings.Contains(log, "--demo") {
		t.Errorf("log: got %d lines, want one that says what to do next:\n%s", len(lines), log)
	}
}
