package main

//lint:file-ignore SA1019 the demonstration server has tools for roots, sampling and logging; see there.

import (
	"context"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestDemoAsks(t *testing.T) {
	for action, want := range map[string]string{
		"accept":  `The user answered "blue", certain: true.`,
		"decline": "The user does not want to answer.",
		"cancel":  "The user closed the form.",
	} {
		inBothEras(t, func(t *testing.T, era string) {
			session := startDemo(t, era, demoTestClient(&mcp.ClientOptions{
				ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					if got := req.Params.Message; got != "Which colour?" {
						t.Errorf("question: got %q", got)
					}
					result := &mcp.ElicitResult{Action: action}
					if action == "accept" {
						result.Content = map[string]any{"answer": "blue", "certain": true}
					}
					return result, nil
				},
			}))
			if got, _ := callDemo(t, session, "ask", map[string]any{"question": "Which colour?"}); got != want {
				t.Errorf("%s: got %q, want %q", action, got, want)
			}
		})
	}
}

func TestDemoSummarizesWithTheClientsModel(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		session := startDemo(t, era, demoTestClient(&mcp.ClientOptions{
			CreateMessageHandler: func(_ context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
				text := req.Params.Messages[0].Content.(*mcp.TextContent).Text
				return &mcp.CreateMessageResult{Model: "m", Role: "assistant", Content: &mcp.TextContent{Text: "In short: " + text}}, nil
			},
		}))
		got, _ := callDemo(t, session, "summarize", map[string]any{"text": "a long story"})
		if want := "In short: a long story"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestDemoListsRoots(t *testing.T) {
	inBothEras(t, func(t *testing.T, era string) {
		client := demoTestClient(nil)
		session := startDemo(t, era, client)
		if got, want := first(callDemo(t, session, "roots", nil)), "The client lists no roots."; got != want {
			t.Errorf("none: got %q, want %q", got, want)
		}
		client.AddRoots(&mcp.Root{URI: "file:///home/ada", Name: "home"}, &mcp.Root{URI: "file:///srv"})
		if got, want := first(callDemo(t, session, "roots", nil)), "file:///home/ada home\nfile:///srv\n"; got != want {
			t.Errorf("two: got %q, want %q", got, want)
		}
	})
}
