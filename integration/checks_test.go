package integration

//lint:file-ignore SA1019 logging is deprecated since 2026-07-28; the hub carries it for all earlier versions.

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// check is one thing that a client does with what a server offers.
type check struct {
	name string
	run  func(*testing.T, *guest)
}

// everythingChecks are for npm's server-everything.
var everythingChecks = []check{
	{"tools", checkTools}, {"resources", checkResources}, {"templates", checkTemplates},
	{"prompts", checkPrompts}, {"completion", checkCompletion}, {"progress", checkProgress},
}

// bigChecks are for the tests' own server.
func (f *fleet) bigChecks() []check {
	return []check{
		{"pages", checkPages}, {"log messages", checkLogging},
		{"cancellation", func(t *testing.T, g *guest) { checkCancellation(t, g, f.big.cancelled) }},
	}
}

func checkTools(t *testing.T, g *guest) {
	names, err := collect(g.Tools(t.Context(), nil), func(tool *mcp.Tool) string { return tool.Name })
	for _, want := range []string{"echo", "get-sum", "get-structured-content"} {
		if err != nil || !slices.Contains(names, g.prefix+want) {
			t.Errorf("tools: got %d, %v; want %s among them", len(names), err, g.prefix+want)
		}
	}
	if got, want := g.text(t, "echo", map[string]any{"message": "héllo\n"}), "Echo: héllo\n"; got != want {
		t.Errorf("echo: got %q, want %q", got, want)
	}
}

func checkResources(t *testing.T, g *guest) {
	const uri = "demo://resource/static/document/architecture.md"
	uris, err := collect(g.Resources(t.Context(), nil), func(r *mcp.Resource) string { return r.URI })
	if err != nil || !slices.Contains(uris, uri) {
		t.Errorf("resources: got %q, %v; want %s among them", uris, err, uri)
	}
	g.checkRead(t, uri, "Architecture")
}

func checkTemplates(t *testing.T, g *guest) {
	const template = "demo://resource/dynamic/text/{resourceId}"
	templates, err := collect(g.ResourceTemplates(t.Context(), nil), func(r *mcp.ResourceTemplate) string { return r.URITemplate })
	if err != nil || !slices.Contains(templates, template) {
		t.Errorf("templates: got %q, %v; want %s among them", templates, err, template)
	}
	g.checkRead(t, "demo://resource/dynamic/text/7", "Resource 7")
}

func (g *guest) checkRead(t *testing.T, uri, want string) {
	t.Helper()
	result, err := g.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
	if err != nil {
		t.Fatalf("read %s: %v", uri, err)
	}
	if got := result.Contents[0]; got.URI != uri || !strings.Contains(got.Text, want) {
		t.Errorf("read %s: got %s, %.200q; want %q in it", uri, got.URI, got.Text, want)
	}
}

func checkPrompts(t *testing.T, g *guest) {
	names, err := collect(g.Prompts(t.Context(), nil), func(p *mcp.Prompt) string { return p.Name })
	if err != nil || !slices.Contains(names, g.prefix+"args-prompt") {
		t.Errorf("prompts: got %q, %v; want %s among them", names, err, g.prefix+"args-prompt")
	}
	result, err := g.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: g.prefix + "args-prompt", Arguments: map[string]string{"city": "Vienna"}})
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := result.Messages[0].Content.(*mcp.TextContent); !ok || !strings.Contains(text.Text, "Vienna") {
		t.Errorf("prompt: got %v, want Vienna in it", result.Messages[0].Content)
	}
}

func checkCompletion(t *testing.T, g *guest) {
	for _, c := range []struct {
		ref                   mcp.CompleteReference
		argument, value, want string
	}{
		{mcp.CompleteReference{Type: "ref/prompt", Name: g.prefix + "completable-prompt"}, "department", "E", "Engineering"},
		{mcp.CompleteReference{Type: "ref/resource", URI: "demo://resource/dynamic/text/{resourceId}"}, "resourceId", "7", "7"},
	} {
		result, err := g.Complete(t.Context(), &mcp.CompleteParams{
			Ref: &c.ref, Argument: mcp.CompleteParamsArgument{Name: c.argument, Value: c.value},
		})
		if err != nil {
			t.Errorf("complete %s of %v: %v", c.argument, c.ref, err)
		} else if !slices.Contains(result.Completion.Values, c.want) {
			t.Errorf("complete %s of %v: got %q, want %q among them", c.argument, c.ref, result.Completion.Values, c.want)
		}
	}
}

func checkProgress(t *testing.T, g *guest) {
	const steps = 4
	_, err := g.CallTool(t.Context(), &mcp.CallToolParams{
		Name: g.prefix + "trigger-long-running-operation", Arguments: map[string]any{"duration": 0.4, "steps": steps},
		Meta: mcp.Meta{"progressToken": "its token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for step := range steps {
		got := receive(t, g.progress, "progress")
		if got.ProgressToken != "its token" || got.Progress != float64(step+1) || got.Total != steps {
			t.Errorf("progress %d: got %v of %v for %v", step+1, got.Progress, got.Total, got.ProgressToken)
		}
	}
}

// receive returns the next value of a channel, and ends the test if none comes.
func receive[T any](t *testing.T, from <-chan T, what string) (value T) {
	t.Helper()
	select {
	case value = <-from:
	case <-time.After(eventLimit):
		t.Fatalf("waited %v for %s", eventLimit, what)
	}
	return value
}

func checkPages(t *testing.T, g *guest) {
	const pageSize = 1000
	var names []string
	params := &mcp.ListToolsParams{}
	for page := 1; page == 1 || params.Cursor != ""; page++ {
		result, err := g.ListTools(t.Context(), params)
		if err != nil {
			t.Fatalf("page %d: %v", page, err)
		}
		if got := len(result.Tools); result.NextCursor != "" && got != pageSize || got > pageSize {
			t.Errorf("page %d has %d tools, want %d", page, got, pageSize)
		}
		for _, tool := range result.Tools {
			names = append(names, tool.Name)
		}
		params.Cursor = result.NextCursor
	}
	slices.Sort(names)
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
		t.Errorf("pages: %d of %d tools came twice", len(names)-len(unique), len(names))
	}
	for i := range bigTools {
		if _, found := slices.BinarySearch(names, g.prefix+bigTool(i)); !found {
			t.Fatalf("pages: %s is on none of them", g.prefix+bigTool(i))
		}
	}
	last := bigTool(bigTools - 1)
	if got, want := g.text(t, last, map[string]any{}), "this is "+last; got != want {
		t.Errorf("call %s: got %q, want %q", last, got, want)
	}
}

func checkLogging(t *testing.T, g *guest) {
	if err := g.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "warning"}); err != nil {
		t.Fatal(err)
	}
	g.text(t, "log", map[string]any{"level": "info", "text": "below the level"})
	g.text(t, "log", map[string]any{"level": "error", "text": "heard"})
	if got := receive(t, g.logs, "the log message"); got.Level != "error" || got.Data != "heard" || got.Logger != "test" {
		t.Errorf("log message: got %v %v of %v, want error heard of test", got.Level, got.Data, got.Logger)
	}
}

func checkCancellation(t *testing.T, g *guest, reached <-chan struct{}) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := g.CallTool(ctx, &mcp.CallToolParams{
			Name: g.prefix + "wait", Arguments: map[string]any{}, Meta: mcp.Meta{"progressToken": "wait"},
		})
		ended <- err
	}()
	receive(t, g.progress, "the call to begin")
	cancel()
	receive(t, reached, "the server to hear of the cancellation")
	if err := receive(t, ended, "the call to end"); err == nil {
		t.Error("a cancelled call ended without an error")
	}
}

// checkMirrored compares what a server says of itself directly and through the hub's endpoint that shows it alone. The
// hub adds that it tells of changed lists.
func checkMirrored(t *testing.T, direct, through string) {
	want := introduction(t, &mcp.StreamableClientTransport{Endpoint: direct})
	got := introduction(t, withToken(through, exampleToken))
	for _, list := range []string{"tools", "prompts", "resources"} {
		want["capabilities"].(map[string]any)[list].(map[string]any)["listChanged"] = true
	}
	for key, own := range want {
		if !reflect.DeepEqual(got[key], own) {
			t.Errorf("initialize: %s is %v, want the server's own %v", key, got[key], own)
		}
	}
	if text := fmt.Sprint(want["instructions"]); len(text) < 100 {
		t.Errorf("the server's instructions are %q: too short to compare", text)
	}
}

// introduction is a server's answer to initialize.
func introduction(t *testing.T, transport mcp.Transport) (answer map[string]any) {
	t.Helper()
	session, err := mcp.NewClient(&mcp.Implementation{Name: "integration"}, nil).
		Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: clientVersion})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	if err := json.Unmarshal([]byte(quoted(t, session.InitializeResult())), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
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
