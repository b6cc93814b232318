package integration

//lint:file-ignore SA1019 logging, sampling and roots are deprecated since 2026-07-28; the hub carries them for all earlier versions.

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// startGoFeatures starts a server with what featureSteps and moreSteps ask for. It numbers its events.
func startGoFeatures(t testing.TB) string {
	t.Helper()
	server := newGoFeatures()
	options := &mcp.StreamableHTTPOptions{EventStore: mcp.NewMemoryEventStore(nil)}
	web := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, options))
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	return web.URL + "/mcp"
}

var (
	testIcons = []mcp.Icon{{Source: "https://example.com/icon.png", MIMEType: "image/png", Sizes: []string{"48x48"}}}
	testMeta  = mcp.Meta{"example.com/kept": map[string]any{"number": 9007199254740991}}
	testNotes = &mcp.Annotations{Audience: []mcp.Role{"user"}, Priority: 0.5, LastModified: "2025-01-12T15:00:58Z"}
)

func newGoFeatures() *mcp.Server {
	implementation := &mcp.Implementation{Name: "features", Title: "Features", Version: "1", WebsiteURL: "https://example.com", Icons: testIcons}
	server := mcp.NewServer(implementation, &mcp.ServerOptions{
		Instructions:            "Ask for any feature.",
		PageSize:                3,
		RootsListChangedHandler: logRoots,
		CompletionHandler: func(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			value := req.Params.Argument.Value + " in " + req.Params.Context.Arguments["language"]
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{value}, Total: 7, HasMore: true}}, nil
		},
	})
	addDescribed(server)
	addAsking(server)
	addCalls(server)
	return server
}

// logRoots asks for the roots, outside of any call.
func logRoots(_ context.Context, req *mcp.RootsListChangedRequest) {
	result, err := req.Session.ListRoots(context.Background(), nil)
	if err != nil {
		return
	}
	var names []string
	for _, root := range result.Roots {
		names = append(names, root.Name)
	}
	_ = req.Session.Log(context.Background(), &mcp.LoggingMessageParams{Level: "notice", Data: strings.Join(names, ", ")})
}

// addDescribed adds one feature of each kind with everything that its description may have.
func addDescribed(server *mcp.Server) {
	type place struct {
		City string `json:"city"`
	}
	type weather struct {
		City    string  `json:"city"`
		Degrees float64 `json:"degrees"`
	}
	mcp.AddTool(server, &mcp.Tool{
		Name: "described", Title: "Described", Description: "Has all that a tool may have.", Icons: testIcons, Meta: testMeta,
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, DestructiveHint: new(false), IdempotentHint: true, OpenWorldHint: new(false)},
	}, func(_ context.Context, _ *mcp.CallToolRequest, in place) (*mcp.CallToolResult, weather, error) {
		return &mcp.CallToolResult{Meta: mcp.Meta{"example.com/result": "kept"}}, weather{in.City, 21.5}, nil
	})
	read := func(text string) mcp.ResourceHandler {
		return func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			text, name := text, strings.Split(req.Params.URI, "/")[2]
			if name != "text" {
				text += " of " + name
			}
			contents := &mcp.ResourceContents{URI: req.Params.URI, MIMEType: "text/plain", Text: text}
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{contents}}, nil
		}
	}
	server.AddResource(&mcp.Resource{URI: "described://text", Name: "described", Title: "Described", MIMEType: "text/plain",
		Icons: testIcons, Meta: testMeta, Annotations: testNotes, Size: 6}, read("a text"))
	server.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "described://{name}/text", Name: "described", Title: "Described",
		MIMEType: "text/plain", Icons: testIcons, Meta: testMeta, Annotations: testNotes}, read("a text"))
	server.AddPrompt(&mcp.Prompt{Name: "described", Title: "Described", Icons: testIcons, Meta: testMeta,
		Arguments: []*mcp.PromptArgument{{Name: "whom", Title: "Whom", Description: "Whom to greet", Required: true}},
	}, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		message := &mcp.PromptMessage{Role: "user", Content: &mcp.TextContent{Text: "Greet " + req.Params.Arguments["whom"] + "."}}
		return &mcp.GetPromptResult{Description: "A greeting", Messages: []*mcp.PromptMessage{message}}, nil
	})
}

// addCalls adds tools that ask for nothing.
func addCalls(server *mcp.Server) {
	mcp.AddTool(server, &mcp.Tool{Name: "contents"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{
			&mcp.AudioContent{Data: []byte("RIFF"), MIMEType: "audio/wav"},
			&mcp.ImageContent{Data: []byte("\x89PNG\r\n\x1a\n"), MIMEType: "image/png",
				Annotations: &mcp.Annotations{Audience: []mcp.Role{"assistant"}, Priority: 0.25}},
			&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "embedded://text", MIMEType: "text/plain", Text: "an embedded text"}},
			&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "embedded://bytes", Blob: []byte{0, 1, 2}}},
			&mcp.ResourceLink{URI: "linked://text", Name: "linked", Title: "A linked text", Size: new(int64(11)), Icons: testIcons},
		}}, nil, nil
	})
	type steps struct {
		Steps int     `json:"steps"`
		Pause float64 `json:"pause,omitempty"` // seconds before each
	}
	mcp.AddTool(server, &mcp.Tool{Name: "count"}, func(ctx context.Context, req *mcp.CallToolRequest, in steps) (*mcp.CallToolResult, any, error) {
		for n := 1; n <= in.Steps; n++ {
			time.Sleep(time.Duration(in.Pause * float64(time.Second)))
			if err := progress(ctx, req, n, in.Steps, "step "+strconv.Itoa(n)); err != nil {
				return nil, nil, err
			}
		}
		return textResult("counted " + strconv.Itoa(in.Steps)), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "poll"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		before := progress(ctx, req, 1, 2, "before")
		if req.Extra != nil && req.Extra.CloseSSEStream != nil {
			req.Extra.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: 50 * time.Millisecond})
		}
		after := progress(ctx, req, 2, 2, "after")
		return textResult("polled"), nil, cmp.Or(before, after)
	})
}

func progress(ctx context.Context, req *mcp.CallToolRequest, n, total int, message string) error {
	return req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
		ProgressToken: req.Params.GetProgressToken(), Progress: float64(n), Total: float64(total), Message: message})
}
