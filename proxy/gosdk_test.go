package proxy

//lint:file-ignore SA1019 sampling, roots and logging are deprecated since 2026-07-28; the hub carries them for all earlier versions

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"mcphub/discovery"
)

// sdkServer is a server of the official SDK that asks its clients everything it
// can.
func sdkServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "sdk", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "ask"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		said, err := req.Session.CreateMessage(ctx, &mcp.CreateMessageParams{MaxTokens: 1, Messages: []*mcp.SamplingMessage{}})
		if err != nil {
			return nil, nil, err
		}
		chosen, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "?", RequestedSchema: map[string]any{"type": "object"}})
		if err != nil {
			return nil, nil, err
		}
		roots, err := req.Session.ListRoots(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		err = req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: req.Params.GetProgressToken(), Progress: 1})
		text := said.Model + " " + chosen.Action + " " + roots.Roots[0].URI
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, err
	})
	return server
}

// sdkClient opens a session of the official SDK for a client of this name.
func sdkClient(t *testing.T, url, name string, progress chan<- any, changed chan<- bool) *mcp.ClientSession {
	client := mcp.NewClient(&mcp.Implementation{Name: name, Version: "1"}, &mcp.ClientOptions{
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Model: name, Role: "assistant", Content: &mcp.TextContent{Text: "x"}}, nil
		},
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "decline"}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			progress <- req.Params.ProgressToken
		},
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { changed <- true },
	})
	client.AddRoots(&mcp.Root{URI: "file:///" + name})
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

// TestSDKPeers has 20 clients of the official SDK use a server of it at once, and
// that server change its tools.
func TestSDKPeers(t *testing.T) {
	t.Parallel()
	for _, transport := range []discovery.Transport{discovery.StreamableHTTP, discovery.SSE} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			server := sdkServer()
			get := func(*http.Request) *mcp.Server { return server }
			handler := http.Handler(mcp.NewStreamableHTTPHandler(get, nil))
			if transport == discovery.SSE {
				handler = mcp.NewSSEHandler(get, nil)
			}
			web := httptest.NewServer(handler)
			t.Cleanup(func() {
				web.CloseClientConnections()
				web.Close()
			})
			f := newHub(t)
			f.desired <- discovery.Desired{Servers: []discovery.Server{{ID: "sdk", Spec: discovery.Spec{Transport: transport, URL: web.URL}}}}
			f.awaitPhase("sdk", connected)

			const n = 20
			var all sync.WaitGroup
			changed := make(chan bool, 100)
			for i := range n {
				name := fmt.Sprintf("client%d", i)
				progress := make(chan any, 1)
				session := sdkClient(t, f.url+"/mcp", name, progress, changed)
				all.Go(func() {
					params := &mcp.CallToolParams{Name: "sdk__ask"}
					params.SetProgressToken(name)
					result, err := session.CallTool(t.Context(), params)
					if err != nil || result.IsError {
						t.Errorf("%s: %v %v", name, result, err)
						return
					}
					equal(t, name, result.Content[0].(*mcp.TextContent).Text, name+" decline file:///"+name)
					equal(t, name, fmt.Sprint(<-progress), name)
				})
			}
			all.Wait()
			mcp.AddTool(server, &mcp.Tool{Name: "new"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
				return &mcp.CallToolResult{}, nil, nil
			})
			for range n {
				<-changed
			}
			if list := f.connect("/mcp", "c", `{}`).result("tools/list"); !strings.Contains(list, "sdk__new") {
				t.Errorf("the new tool is not listed: %s", list)
			}
		})
	}
}
