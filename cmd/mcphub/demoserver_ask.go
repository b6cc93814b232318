package main

//lint:file-ignore SA1019 sampling and roots are deprecated since 2026-07-28; clients still offer them, so there is something to try them with.

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// demoAnswer names the one thing these tools ask for.
const demoAnswer = "answer"

// demoAskSchema is the form of the tool ask; the protocol allows flat fields only.
var demoAskSchema = map[string]any{
	"type": "object",
	"properties": map[string]any{
		"answer":  map[string]any{"type": "string", "title": "Your answer"},
		"certain": map[string]any{"type": "boolean", "title": "I am certain", "default": false},
	},
	"required": []string{"answer"},
}

// addDemoConversations adds the tools that ask the client for something before they answer.
//
// Each is written as the current protocol has it: the first call returns what it wants to know, the client calls again with
// the answer. For clients of older versions the SDK asks by a request of its own and then calls the tool again.
func addDemoConversations(server *mcp.Server) {
	mcp.AddTool(server, &mcp.Tool{
		Name: "ask", Title: "Ask the user", Annotations: demoReadOnly,
		Description: "Asks the user a question in a form of the client (elicitation).",
	}, demoAsk)
	mcp.AddTool(server, &mcp.Tool{
		Name: "summarize", Title: "Summarize a text", Annotations: demoReadOnly,
		Description: "Has the client's own model summarize a text (sampling).",
	}, demoSummarize)
	mcp.AddTool(server, &mcp.Tool{
		Name: "roots", Title: "List the client's roots", Annotations: demoReadOnly,
		Description: "Lists the directories that the client lets servers know of (roots).",
	}, demoRoots)
}

// demoWant returns the client's answer, or the result that asks for it. Which of the two it is, the caller sees by the result.
func demoWant[A mcp.InputResponse](req *mcp.CallToolRequest, question mcp.InputRequest) (A, *mcp.CallToolResult) {
	answer, ok := req.Params.InputResponses[demoAnswer].(A)
	if ok {
		return answer, nil
	}
	return answer, &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{demoAnswer: question}}
}

// demoCapabilities is what the client said it can do, which a client may leave out altogether.
func demoCapabilities(req *mcp.CallToolRequest) *mcp.ClientCapabilities {
	if capabilities := req.ClientCapabilities(); capabilities != nil {
		return capabilities
	}
	return &mcp.ClientCapabilities{}
}

type demoAskIn struct {
	Question string `json:"question" jsonschema:"what to ask the user"`
}

func demoAsk(_ context.Context, req *mcp.CallToolRequest, in demoAskIn) (*mcp.CallToolResult, any, error) {
	if demoCapabilities(req).Elicitation == nil {
		return nil, nil, errors.New("this client cannot ask its user: it did not declare elicitation")
	}
	form := &mcp.ElicitParams{Message: in.Question, RequestedSchema: demoAskSchema}
	answer, ask := demoWant[*mcp.ElicitResult](req, form)
	if ask != nil {
		return ask, nil, nil
	}
	switch answer.Action {
	case "accept":
		return demoText("The user answered %q, certain: %t.", answer.Content["answer"], answer.Content["certain"] == true), nil, nil
	case "decline":
		return demoText("The user does not want to answer."), nil, nil
	default:
		return demoText("The user closed the form."), nil, nil
	}
}

type demoSummarizeIn struct {
	Text string `json:"text" jsonschema:"what to summarize"`
}

func demoSummarize(_ context.Context, req *mcp.CallToolRequest, in demoSummarizeIn) (*mcp.CallToolResult, any, error) {
	if demoCapabilities(req).Sampling == nil {
		return nil, nil, errors.New("this client lends no model: it did not declare sampling")
	}
	answer, ask := demoWant[*mcp.CreateMessageWithToolsResult](req, &mcp.CreateMessageParams{
		SystemPrompt: "Summarize what the user sends in one sentence.",
		Messages:     []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: in.Text}}},
		MaxTokens:    200,
	})
	if ask != nil {
		return ask, nil, nil
	}
	return &mcp.CallToolResult{Content: answer.Content}, nil, nil
}

func demoRoots(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	if demoCapabilities(req).RootsV2 == nil {
		return nil, nil, errors.New("this client has no roots: it did not declare them")
	}
	answer, ask := demoWant[*mcp.ListRootsResult](req, &mcp.ListRootsParams{})
	if ask != nil {
		return ask, nil, nil
	}
	if len(answer.Roots) == 0 {
		return demoText("The client lists no roots."), nil, nil
	}
	var lines strings.Builder
	for _, root := range answer.Roots {
		fmt.Fprintln(&lines, strings.TrimSpace(root.URI+" "+root.Name))
	}
	return demoText("%s", lines.String()), nil, nil
}
