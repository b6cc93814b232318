package integration

//lint:file-ignore SA1019 sampling is deprecated since 2026-07-28; the hub carries it for all earlier versions.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

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

// meet waits where the current step says, and returns the step.
func (c *goClient) meet(ctx context.Context) (step, error) {
	c.mu.Lock()
	step := c.step
	c.mu.Unlock()
	if step.Meet == "" {
		return step, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, step.Meet, nil)
	if err != nil {
		return step, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return step, err
	}
	return step, resp.Body.Close()
}

func (c *goClient) sample(ctx context.Context, req *mcp.CreateMessageWithToolsRequest) (*mcp.CreateMessageWithToolsResult, error) {
	if _, err := c.meet(ctx); err != nil {
		return nil, err
	}
	messages := req.Params.Messages
	content := messages[len(messages)-1].Content[0]
	answer := &mcp.CreateMessageWithToolsResult{Role: "assistant", Model: "test-model"}
	if used, ok := content.(*mcp.ToolResultContent); ok {
		content = used.Content[0]
	} else if len(req.Params.Tools) > 0 {
		use := &mcp.ToolUseContent{ID: "use-1", Name: req.Params.Tools[0].Name, Input: map[string]any{"city": "Graz"}}
		answer.Content, answer.StopReason = []mcp.Content{&mcp.TextContent{Text: "let me see"}, use}, "toolUse"
		return answer, nil
	}
	answer.Content = []mcp.Content{&mcp.TextContent{Text: "sampled: " + content.(*mcp.TextContent).Text}}
	return answer, nil
}

func (c *goClient) elicit(ctx context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
	step, err := c.meet(ctx)
	if err != nil {
		return nil, err
	}
	if step.Cancel != "" {
		<-ctx.Done() // the user reads on
		c.remember("withdrawn", "{}")
		return nil, ctx.Err()
	}
	if req.Params.Mode == "url" {
		return &mcp.ElicitResult{Action: "accept"}, nil
	}
	return &mcp.ElicitResult{Action: "accept", Content: step.Answer}, nil
}
