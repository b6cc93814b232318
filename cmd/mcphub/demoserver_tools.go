package main

//lint:file-ignore SA1019 logging is deprecated since 2026-07-28; clients of every version still ask for it, so there is something to try it with.

import (
	"context"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // the container image has no zone files, and the tool now answers for any zone

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const demoCountdownMax = 60 // seconds; a forgotten countdown must not hold a call for long

var demoLogLevels = []mcp.LoggingLevel{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// demoReadOnly is what most of these tools say about themselves, so that clients need not ask before calling them.
var demoReadOnly = &mcp.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: new(false)}

// addDemoTools adds the tools that need nothing of the client but to be called.
func addDemoTools(server *mcp.Server) {
	mcp.AddTool(server, &mcp.Tool{
		Name: "echo", Title: "Echo", Annotations: demoReadOnly,
		Description: "Says back what it is told, byte for byte.",
	}, demoEcho)
	mcp.AddTool(server, &mcp.Tool{
		Name: "add", Title: "Add two numbers", Annotations: demoReadOnly,
		Description: "Adds two numbers. The sum comes as structured content, with a schema.",
	}, demoAdd)
	mcp.AddTool(server, &mcp.Tool{
		Name: "now", Title: "Time in a zone", Annotations: demoReadOnly,
		Description: "Tells the time in a zone, UTC unless one is named.",
	}, demoNow)
	mcp.AddTool(server, &mcp.Tool{
		Name: "countdown", Title: "Countdown", Annotations: demoReadOnly,
		Description: fmt.Sprintf("Counts down from 1 to %d seconds, reports progress each second, and stops when it is cancelled.", demoCountdownMax),
	}, demoCountdown)
	mcp.AddTool(server, &mcp.Tool{
		Name: "log", Title: "Write a log message", Annotations: demoReadOnly,
		Description: "Sends the client a log message of the level it names.",
	}, demoLog)
	mcp.AddTool(server, &mcp.Tool{
		Name: "surprise", Title: "Change the list of tools",
		Annotations: &mcp.ToolAnnotations{IdempotentHint: true, DestructiveHint: new(false), OpenWorldHint: new(false)},
		Description: "Adds the tool surprised to this server, or takes it away, and announces that the list of tools changed.",
	}, demoSurprise(server))
}

func demoText(format string, args ...any) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}
}

type demoEchoIn struct {
	Text string `json:"text" jsonschema:"what to say back"`
}

func demoEcho(_ context.Context, _ *mcp.CallToolRequest, in demoEchoIn) (*mcp.CallToolResult, any, error) {
	return demoText("%s", in.Text), nil, nil
}

type demoAddIn struct {
	A float64 `json:"a" jsonschema:"the first number"`
	B float64 `json:"b" jsonschema:"the second number"`
}

type demoAddOut struct {
	Sum float64 `json:"sum" jsonschema:"a plus b"`
}

func demoAdd(_ context.Context, _ *mcp.CallToolRequest, in demoAddIn) (*mcp.CallToolResult, demoAddOut, error) {
	return nil, demoAddOut{Sum: in.A + in.B}, nil
}

type demoNowIn struct {
	Zone string `json:"zone,omitempty" jsonschema:"a zone of the IANA database, such as Europe/Vienna"`
}

func demoNow(_ context.Context, _ *mcp.CallToolRequest, in demoNowIn) (*mcp.CallToolResult, any, error) {
	// LoadLocation takes "Local" for the zone of this machine, which is none of the database and nobody's business.
	zone, err := time.LoadLocation(in.Zone)
	if err != nil || zone == time.Local {
		return nil, nil, fmt.Errorf("no zone is named %q; try one like Europe/Vienna", in.Zone)
	}
	return demoText("%s", time.Now().In(zone).Format("Monday, 2 January 2006, 15:04:05 MST")), nil, nil
}

type demoCountdownIn struct {
	Seconds int `json:"seconds" jsonschema:"how long to count, 1 to 60"`
}

func demoCountdown(ctx context.Context, req *mcp.CallToolRequest, in demoCountdownIn) (*mcp.CallToolResult, any, error) {
	seconds := min(max(in.Seconds, 1), demoCountdownMax)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for done := range seconds {
		if err := demoProgress(ctx, req, done, seconds); err != nil {
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("countdown stopped with %d s left: %w", seconds-done, context.Cause(ctx))
		case <-tick.C:
		}
	}
	return demoText("Counted %d seconds.", seconds), nil, nil
}

// demoProgress reports to those who asked: progress without the client's token would belong to no call.
func demoProgress(ctx context.Context, req *mcp.CallToolRequest, done, total int) error {
	token := req.Params.GetProgressToken()
	if token == nil {
		return nil
	}
	return req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
		ProgressToken: token,
		Progress:      float64(done),
		Total:         float64(total),
		Message:       fmt.Sprintf("%d s left", total-done),
	})
}

type demoLogIn struct {
	Message string           `json:"message" jsonschema:"what to log"`
	Level   mcp.LoggingLevel `json:"level,omitempty" jsonschema:"debug, info (the default), notice, warning, error, critical, alert or emergency"`
}

func demoLog(ctx context.Context, req *mcp.CallToolRequest, in demoLogIn) (*mcp.CallToolResult, any, error) {
	if in.Level == "" {
		in.Level = "info"
	}
	if !slices.Contains(demoLogLevels, in.Level) {
		return nil, nil, fmt.Errorf("%q is not a log level; they are %v", in.Level, demoLogLevels)
	}
	err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: in.Level, Logger: "demo", Data: in.Message})
	if err != nil {
		return nil, nil, err
	}
	return demoText("Logged at level %s. You see it if your client asked for this level or a lower one.", in.Level), nil, nil
}

type demoSurpriseIn struct {
	Present bool `json:"present" jsonschema:"whether the tool surprised should be there"`
}

func demoSurprise(server *mcp.Server) mcp.ToolHandlerFor[demoSurpriseIn, any] {
	surprised := &mcp.Tool{Name: "surprised", Annotations: demoReadOnly, Description: "A tool that comes and goes; see surprise."}
	return func(_ context.Context, _ *mcp.CallToolRequest, in demoSurpriseIn) (*mcp.CallToolResult, any, error) {
		if !in.Present {
			server.RemoveTools(surprised.Name)
			return demoText("The tool %s is gone.", surprised.Name), nil, nil
		}
		mcp.AddTool(server, surprised, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return demoText("Surprise!"), nil, nil
		})
		return demoText("The tool %s is there now.", surprised.Name), nil, nil
	}
}
