package integration

//lint:file-ignore SA1019 logging is deprecated since 2026-07-28; the hub carries it for all earlier versions.

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const eventLimit = 30 * time.Second // for a notification that a call causes

// guest is a session of the official SDK's client at one of the hub's endpoints.
type guest struct {
	*mcp.ClientSession
	prefix   string // of the names there
	progress chan *mcp.ProgressNotificationParams
	logs     chan *mcp.LoggingMessageParams
}

func newGuest(t *testing.T, url, token, prefix string) *guest {
	t.Helper()
	g := &guest{prefix: prefix, progress: make(chan *mcp.ProgressNotificationParams, 64), logs: make(chan *mcp.LoggingMessageParams, 64)}
	g.ClientSession = connect(t, withToken(url, token), &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) { g.progress <- req.Params },
		LoggingMessageHandler:       func(_ context.Context, req *mcp.LoggingMessageRequest) { g.logs <- req.Params },
	})
	return g
}

// bearer sends a token with every request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

func withToken(url, token string) *mcp.StreamableClientTransport {
	return &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: bearer(token)}}
}

// text calls a tool and returns the text of its result.
func (g *guest) text(t *testing.T, tool string, arguments any) string {
	t.Helper()
	result, err := g.CallTool(t.Context(), &mcp.CallToolParams{Name: g.prefix + tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("call %s: %v", g.prefix+tool, err)
	}
	text, ok := result.Content[0].(*mcp.TextContent)
	if !ok {
		t.Fatalf("call %s: the result is %v, not a text", g.prefix+tool, result.Content[0])
	}
	return text.Text
}
