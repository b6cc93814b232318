package integration

//lint:file-ignore SA1019 sampling is deprecated since 2026-07-28; the hub carries it for all earlier versions.

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// formSchema has every kind of value that an elicitation may ask for.
const formSchema = `{"type":"object","properties":{
	"name":{"type":"string","title":"Name","minLength":2,"default":"Grace"},
	"mail":{"type":"string","format":"email"},
	"age":{"type":"integer","minimum":0,"default":30},
	"happy":{"type":"boolean","default":true},
	"colour":{"type":"string","enum":["red","green"],"default":"green"},
	"size":{"type":"string","oneOf":[{"const":"s","title":"Small"},{"const":"l","title":"Large"}]},
	"fruits":{"type":"array","items":{"type":"string","enum":["apple","plum"]},"default":["apple"]}
},"required":["name"]}`

// addAsking adds tools that ask the client.
func addAsking(server *mcp.Server) {
	add := func(name string, answer func(context.Context, *mcp.ServerSession) (string, error)) {
		mcp.AddTool(server, &mcp.Tool{Name: name}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			text, err := answer(ctx, req.Session)
			if err != nil {
				return nil, nil, err
			}
			return textResult(text), nil, nil
		})
	}
	var unlocked sync.Map // sessions for which the tool locked was unlocked
	add("open", openURL)
	add("locked", func(_ context.Context, session *mcp.ServerSession) (string, error) {
		if _, ok := unlocked.LoadOrStore(session.ID(), true); ok {
			return "unlocked", nil
		}
		params := &mcp.ElicitParams{Mode: "url", ElicitationID: "lock-1", URL: "https://example.com/unlock", Message: "Please unlock."}
		go completed(session, params.ElicitationID)
		return "", mcp.URLElicitationRequiredError([]*mcp.ElicitParams{params})
	})
	add("weather", askWithTool)
	add("form", func(ctx context.Context, session *mcp.ServerSession) (string, error) {
		result, err := session.Elicit(ctx, &mcp.ElicitParams{Message: "Fill in.", RequestedSchema: json.RawMessage(formSchema)})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(result.Action, result.Content), nil
	})
	add("ping", func(ctx context.Context, session *mcp.ServerSession) (string, error) {
		return "pong", session.Ping(ctx, nil)
	})
}

// openURL elicits by URL; the user is done when the call is long over.
func openURL(ctx context.Context, session *mcp.ServerSession) (string, error) {
	params := &mcp.ElicitParams{Mode: "url", ElicitationID: "open-1", URL: "https://example.com/open?a=b&c=d", Message: "Please open this."}
	result, err := session.Elicit(ctx, params)
	if err != nil {
		return "", err
	}
	go completed(session, params.ElicitationID)
	return result.Action, nil
}

// completed tells the client outside of any call that the user is done.
func completed(session *mcp.ServerSession, id string) {
	_ = session.NotifyElicitationComplete(context.Background(), &mcp.ElicitationCompleteParams{ElicitationID: id})
}

// askWithTool lets the client's model use a tool, and tells it what came of that.
func askWithTool(ctx context.Context, session *mcp.ServerSession) (string, error) {
	question := &mcp.SamplingMessageV2{Role: "user", Content: []mcp.Content{&mcp.TextContent{Text: "How warm is it in Graz?"}}}
	tool := &mcp.Tool{Name: "thermometer", InputSchema: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}}}`)}
	params := &mcp.CreateMessageWithToolsParams{MaxTokens: 10, Messages: []*mcp.SamplingMessageV2{question}, Tools: []*mcp.Tool{tool},
		ToolChoice: &mcp.ToolChoice{Mode: "required"}}
	first, err := session.CreateMessageWithTools(ctx, params)
	if err != nil {
		return "", err
	}
	use, ok := first.Content[len(first.Content)-1].(*mcp.ToolUseContent)
	if !ok || len(first.Content) != 2 || first.StopReason != "toolUse" {
		return "", fmt.Errorf("want a text and a use of the tool, got %d parts, the last a %T", len(first.Content), use)
	}
	degrees := fmt.Sprint("21.5 degrees in ", use.Input["city"])
	result := &mcp.ToolResultContent{ToolUseID: use.ID, Content: []mcp.Content{&mcp.TextContent{Text: degrees}}}
	params.Messages = append(params.Messages, &mcp.SamplingMessageV2{Role: "assistant", Content: first.Content},
		&mcp.SamplingMessageV2{Role: "user", Content: []mcp.Content{result}})
	second, err := session.CreateMessageWithTools(ctx, params)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(second.Model, " says ", second.Content[0].(*mcp.TextContent).Text), nil
}
