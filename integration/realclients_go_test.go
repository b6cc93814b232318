package integration

//lint:file-ignore SA1019 logging, sampling and roots are deprecated since 2026-07-28; the hub carries them for all earlier versions.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const patience = 30 * time.Second // of the clients, for a message that a step awaits

// goClient is go-sdk's client, doing the steps of a script.
type goClient struct {
	client  *mcp.Client
	session *mcp.ClientSession
	pages   int // of the list in progress

	mu     sync.Mutex
	heard  map[string][]string // what came by itself, by method, until a step awaits it
	step   step
	cancel context.CancelFunc // of the call in progress
}

func runGoClient(t *testing.T, s script) (answers []string) {
	c := &goClient{heard: map[string][]string{}}
	c.client = mcp.NewClient(&mcp.Implementation{Name: "go", Version: "1"}, &mcp.ClientOptions{
		CreateMessageWithToolsHandler: c.sample,
		ElicitationHandler:            c.elicit,
		Capabilities: &mcp.ClientCapabilities{
			Elicitation: &mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}, URL: &mcp.URLElicitationCapabilities{}},
			RootsV2:     &mcp.RootCapabilities{ListChanged: true},
		},
	})
	c.client.AddRoots(&mcp.Root{URI: "file:///first", Name: "first"})
	c.client.AddReceivingMiddleware(c.hear)
	c.client.AddSendingMiddleware(c.countPages)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, step := range s.Steps {
		c.mu.Lock()
		c.step = step
		c.mu.Unlock()
		result, err := c.do(ctx, s, step)
		answers = append(answers, answerText(result, err))
	}
	return answers
}

// answerText is the answer as the other clients print it.
func answerText(result any, err error) string {
	if err != nil {
		failure := map[string]any{"message": err.Error()}
		if e, ok := errors.AsType[*jsonrpc.Error](err); ok {
			failure["code"], failure["data"] = e.Code, e.Data
		}
		result = map[string]any{"error": failure}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(result); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(text.String())
}

func (c *goClient) do(ctx context.Context, whole script, s step) (any, error) {
	done := map[string]any{}
	switch s.Do {
	case "initialize":
		var err error
		options := &mcp.ClientSessionOptions{ProtocolVersion: whole.Version}
		if c.session, err = c.client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: whole.URL}, options); err != nil {
			return nil, err
		}
		return c.session.InitializeResult(), nil
	case "ping":
		return done, c.session.Ping(ctx, nil)
	case "list":
		features, err := c.list(ctx, s.Name)
		return map[string]any{"pages": c.pages, "names": slices.Collect(maps.Keys(features))}, err
	case "show":
		features, err := c.list(ctx, s.Name)
		return features[s.Of], err
	case "call":
		return c.call(ctx, s)
	case "read":
		return c.session.ReadResource(ctx, &mcp.ReadResourceParams{URI: s.URI})
	case "prompt":
		return c.session.GetPrompt(ctx, &mcp.GetPromptParams{Name: s.Name, Arguments: texts(s.Arguments)})
	case "complete":
		return c.complete(ctx, s)
	case "level":
		return done, c.session.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: mcp.LoggingLevel(s.Name)})
	case "subscribe":
		return done, c.session.Subscribe(ctx, &mcp.SubscribeParams{URI: s.URI})
	case "unsubscribe":
		return done, c.session.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: s.URI})
	case "root":
		c.client.AddRoots(&mcp.Root{URI: s.URI, Name: s.Name})
		return done, nil
	case "await":
		return c.await(s.Name, s.Until)
	case "end":
		return done, c.session.Close()
	}
	return nil, fmt.Errorf("no such step: %s", s.Do)
}

// list returns the features of a kind by name.
func (c *goClient) list(ctx context.Context, kind string) (features map[string]any, err error) {
	c.pages = 0
	switch kind {
	case "tools":
		return byName(c.session.Tools(ctx, nil), func(t *mcp.Tool) string { return t.Name })
	case "prompts":
		return byName(c.session.Prompts(ctx, nil), func(p *mcp.Prompt) string { return p.Name })
	case "resources":
		return byName(c.session.Resources(ctx, nil), func(r *mcp.Resource) string { return r.URI })
	default:
		return byName(c.session.ResourceTemplates(ctx, nil), func(r *mcp.ResourceTemplate) string { return r.URITemplate })
	}
}

func byName[F any](all iter.Seq2[*F, error], name func(*F) string) (features map[string]any, err error) {
	features = map[string]any{}
	for feature, err := range all {
		if err != nil {
			return nil, err
		}
		features[name(feature)] = feature
	}
	return features, nil
}

// countPages counts the requests for lists.
func (c *goClient) countPages(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		if strings.HasSuffix(method, "/list") {
			c.pages++
		}
		return next(ctx, method, req)
	}
}

func (c *goClient) call(ctx context.Context, s step) (any, error) {
	callCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	c.cancel = cancel
	c.mu.Unlock()
	params := &mcp.CallToolParams{Name: s.Name}
	if s.Arguments != nil {
		params.Arguments = s.Arguments // a nil map would be sent as null
	}
	params.SetProgressToken("progress of " + s.Name)
	result, err := c.session.CallTool(callCtx, params)
	if callCtx.Err() != nil && ctx.Err() == nil {
		return map[string]bool{"cancelled": true}, nil
	}
	return result, err
}

func (c *goClient) complete(ctx context.Context, s step) (any, error) {
	ref := &mcp.CompleteReference{Type: "ref/prompt", Name: s.Name}
	if s.URI != "" {
		ref = &mcp.CompleteReference{Type: "ref/resource", URI: s.URI}
	}
	argument := texts(s.Arguments)
	params := &mcp.CompleteParams{Ref: ref, Argument: mcp.CompleteParamsArgument{Name: argument["name"], Value: argument["value"]}}
	if s.Context != nil {
		params.Context = &mcp.CompleteContext{Arguments: s.Context}
	}
	return c.session.Complete(ctx, params)
}

func texts(arguments map[string]any) map[string]string {
	result := map[string]string{}
	for name, value := range arguments {
		result[name] = fmt.Sprint(value)
	}
	return result
}
