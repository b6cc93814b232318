package main

import (
	"cmp"
	"context"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// server is the MCP server with what its tools tell.
type server struct {
	*mcp.Server
	name      string
	since     time.Time    // it listens
	strangers atomic.Int64 // requests that were meant for somebody else
	sleepers  atomic.Int64 // calls in flight of the tool sleep
}

func newServer(since time.Time) *server {
	s := &server{name: os.Getenv("NAME"), since: since}
	s.Server = mcp.NewServer(&mcp.Implementation{Name: cmp.Or(s.name, "nameless"), Version: "1"}, nil)
	mcp.AddTool(s.Server, &mcp.Tool{Name: "add", Description: "Adds two numbers."}, add)
	mcp.AddTool(s.Server, &mcp.Tool{Name: "whoami", Description: "Says which container it runs in, by the host name."}, whoami)
	mcp.AddTool(s.Server, &mcp.Tool{Name: "sleep", Description: "Answers after so many milliseconds."}, s.sleep)
	mcp.AddTool(s.Server, &mcp.Tool{Name: "sleepers", Description: "Says how many calls sleep now."}, s.countSleepers)
	mcp.AddTool(s.Server, &mcp.Tool{Name: "header", Description: "Says what a header of the request is."}, header)
	mcp.AddTool(s.Server, &mcp.Tool{Name: "strangers", Description: "Says how many requests were meant for another server."}, s.countStrangers)
	mcp.AddTool(s.Server, &mcp.Tool{Name: "extra", Description: "Adds a tool, or takes it away again."}, s.extra)
	mcp.AddTool(s.Server, &mcp.Tool{Name: "listening", Description: "Says when it began to listen, in nanoseconds of Unix time."}, s.listening)
	return s
}

// forHeader says which server a request is meant for: each server's labels have the hub send its own name in it.
const forHeader = "X-For"

// counting counts the requests that were meant for another server than this one. It shows tools the address that a request
// was sent to as a header.
func (s *server) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if meant := r.Header.Get(forHeader); meant != "" && s.name != "" && meant != s.name {
			s.strangers.Add(1)
		}
		r.Header.Set("X-Host", r.Host)
		next.ServeHTTP(w, r)
	})
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

type numbers struct {
	A int `json:"a"`
	B int `json:"b"`
}

func add(_ context.Context, _ *mcp.CallToolRequest, in numbers) (*mcp.CallToolResult, any, error) {
	return text(strconv.Itoa(in.A + in.B)), nil, nil
}

func whoami(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	host, err := os.Hostname()
	return text(host), nil, err
}

func (s *server) listening(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return text(strconv.FormatInt(s.since.UnixNano(), 10)), nil, nil
}

type duration struct {
	Ms int `json:"ms"`
}

func (s *server) sleep(ctx context.Context, _ *mcp.CallToolRequest, in duration) (*mcp.CallToolResult, any, error) {
	s.sleepers.Add(1)
	defer s.sleepers.Add(-1)
	select {
	case <-time.After(time.Duration(in.Ms) * time.Millisecond):
		return text("slept"), nil, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func (s *server) countSleepers(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return text(strconv.FormatInt(s.sleepers.Load(), 10)), nil, nil
}

type headerName struct {
	Name string `json:"name"`
}

func header(_ context.Context, req *mcp.CallToolRequest, in headerName) (*mcp.CallToolResult, any, error) {
	return text(strings.Join(req.Extra.Header.Values(in.Name), ", ")), nil, nil
}

func (s *server) countStrangers(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return text(strconv.FormatInt(s.strangers.Load(), 10)), nil, nil
}

type presence struct {
	On bool `json:"on"`
}

func (s *server) extra(_ context.Context, _ *mcp.CallToolRequest, in presence) (*mcp.CallToolResult, any, error) {
	if in.On {
		mcp.AddTool(s.Server, &mcp.Tool{Name: "more"}, whoami)
	} else {
		s.Server.RemoveTools("more")
	}
	return text("changed"), nil, nil
}
