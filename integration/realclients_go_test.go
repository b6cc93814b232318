package integration

//lint:file-ignore SA1019 logging, sampling and roots are deprecated since 2026-07-28; the hub carries them for all earlier versions.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const patience = 15 * time.Second // of the clients, for a message that a step awaits

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
		CreateMessageHandler: c.sample,
		ElicitationHandler:   c.elicit,
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
		result, err := c.do(ctx, s.URL, step)
		answers = append(answers, answerText(result, err))
	}
	return answers
}

// answerText is the answer as the other clients print it.
func answerText(result any, err error) string {
	if err != nil {
		failure := map[string]any{"message": err.Error()}
		if e, ok := errors.AsType[*jsonrpc.Error](err); ok {
			failure["code"] = e.Code
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

func (c *goClient) do(ctx context.Context, url string, s step) (any, error) {
	done := map[string]any{}
	switch s.Do {
	case "initialize":
		var err error
		options := &mcp.ClientSessionOptions{ProtocolVersion: clientVersion}
		if c.session, err = c.client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: url}, options); err != nil {
			return nil, err
		}
		return c.session.InitializeResult(), nil
	case "ping":
		return done, c.session.Ping(ctx, nil)
	case "list":
		return c.list(ctx, s.Name)
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

func (c *goClient) list(ctx context.Context, kind string) (any, error) {
	c.pages = 0
	names, err := map[string]func() ([]string, error){
		"tools": func() ([]string, error) {
			return collect(c.session.Tools(ctx, nil), func(t *mcp.Tool) string { return t.Name })
		},
		"prompts": func() ([]string, error) {
			return collect(c.session.Prompts(ctx, nil), func(p *mcp.Prompt) string { return p.Name })
		},
		"resources": func() ([]string, error) {
			return collect(c.session.Resources(ctx, nil), func(r *mcp.Resource) string { return r.URI })
		},
		"templates": func() ([]string, error) {
			return collect(c.session.ResourceTemplates(ctx, nil), func(r *mcp.ResourceTemplate) string { return r.URITemplate })
		},
	}[kind]()
	return map[string]any{"pages": c.pages, "names": names}, err
}

func collect[F any](features iter.Seq2[*F, error], name func(*F) string) (names []string, err error) {
	for feature, err := range features {
		if err != nil {
			return nil, err
		}
		names = append(names, name(feature))
	}
	return names, nil
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

// hear remembers each message that comes by itself.
func (c *goClient) hear(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		c.remember(method, answerText(req.GetParams(), nil))
		return next(ctx, method, req)
	}
}

func (c *goClient) remember(method, params string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard[method] = append(c.heard[method], params)
	if c.step.Cancel == method && c.cancel != nil {
		c.cancel()
	}
}

func (c *goClient) await(method, until string) (any, error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(pollEvery) {
		c.mu.Lock()
		heard := c.heard[method]
		found := len(heard) > 0 && strings.Contains(strings.Join(heard, "\n"), until)
		if found {
			delete(c.heard, method)
		}
		c.mu.Unlock()
		if found {
			return map[string]any{"heard": json.RawMessage("[" + strings.Join(heard, ",") + "]")}, nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return nil, fmt.Errorf("waited for %s; heard %q", method, c.heard)
}

func (c *goClient) sample(_ context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
	text := "no text"
	if content, ok := req.Params.Messages[0].Content.(*mcp.TextContent); ok {
		text = "sampled: " + content.Text
	}
	return &mcp.CreateMessageResult{Role: "assistant", Model: "test-model", Content: &mcp.TextContent{Text: text}}, nil
}

func (c *goClient) elicit(ctx context.Context, _ *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
	c.mu.Lock()
	step := c.step
	c.mu.Unlock()
	if step.Cancel != "" {
		<-ctx.Done() // the user reads on
		c.remember("withdrawn", "{}")
		return nil, ctx.Err()
	}
	return &mcp.ElicitResult{Action: "accept", Content: step.Answer}, nil
}
