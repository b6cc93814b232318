package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const demoReadme = `# The demonstration server of MCP Hub

Everything here goes through the hub unchanged. Try:

- echo, add, now: plain calls; add answers with structured content.
- countdown: watch the progress of a long call, and cancel it.
- ask, summarize, roots: the server asks back. Your client shows a form, lends its model, lists its directories.
- log: messages beside the answer. Your client sets the level.
- note: writes a line into demo://notes. Subscribe to it and hear of the change.
- surprise: the list of tools changes under you.
- the prompts greet and tour, the resources demo://logo and demo://greeting/YOUR-NAME. Names and languages are completed.
`

const (
	demoReadmeURI   = "demo://readme"
	demoLogoURI     = "demo://logo"
	demoNotesURI    = "demo://notes"
	demoGreetingURI = "demo://greeting/"

	demoNotesMax = 20  // lines kept; the oldest go
	demoNoteMax  = 500 // bytes in a line
)

// demoLogoPNG is a picture of 32 by 32 points: a hub with six spokes.
const demoLogoPNG = "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAQMAAABJtOi3AAAABlBMVEX///8LV6R91pD9AAAAAXRSTlMAQObYZgAAAEdJREFUeNpjYEADH/gZGBg/8DdACDCXoYAPSEhIwAgeAyDB/wFKCPB/4GCokf9hx1D///8/CAHmgiUQ6iDaEKaADcVmGwoAAAloHPO3ErTNAAAAAElFTkSuQmCC"

// demoGreetings are in the order in which languages are completed.
var demoGreetings = []struct{ language, hello string }{
	{"Deutsch", "Guten Tag"},
	{"English", "Hello"},
	{"Español", "Hola"},
	{"Esperanto", "Saluton"},
	{"Français", "Bonjour"},
	{"Italiano", "Buongiorno"},
	{"Português", "Olá"},
}

var demoNames = []string{"Ada", "Alan", "Barbara", "Edsger", "Grace", "Margaret"}

func addDemoResources(server *mcp.Server) {
	server.AddResource(&mcp.Resource{
		URI: demoReadmeURI, Name: "readme", Title: "What to try", MIMEType: "text/markdown", Size: int64(len(demoReadme)),
		Description: "A tour of this server.",
	}, demoReadReadme)
	server.AddResource(&mcp.Resource{
		URI: demoLogoURI, Name: "logo", Title: "Logo", MIMEType: "image/png",
		Description: "A small picture, to see that binary content arrives.",
	}, demoReadLogo)
	server.AddResourceTemplate(&mcp.ResourceTemplate{
		URITemplate: demoGreetingURI + "{name}", Name: "greeting", Title: "A greeting", MIMEType: "text/plain",
		Description: "Greets whoever the address names.",
	}, demoReadGreeting)
	addDemoNotes(server)
}

func demoReadReadme(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return demoContents(&mcp.ResourceContents{Text: demoReadme}), nil
}

func demoReadLogo(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	logo, err := base64.StdEncoding.DecodeString(demoLogoPNG)
	if err != nil {
		return nil, fmt.Errorf("decode the logo: %w", err)
	}
	return demoContents(&mcp.ResourceContents{Blob: logo}), nil
}

func demoReadGreeting(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	name, err := url.PathUnescape(strings.TrimPrefix(req.Params.URI, demoGreetingURI))
	if err != nil || name == "" {
		return nil, mcp.ResourceNotFoundError(req.Params.URI)
	}
	return demoContents(&mcp.ResourceContents{Text: "Hello, " + name + "!"}), nil
}

// demoContents is a reading of one part. The SDK fills in its URI and type.
func demoContents(part *mcp.ResourceContents) *mcp.ReadResourceResult {
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{part}}
}

// demoNotes is the resource that changes. Over HTTP all clients share it: the server has no other memory.
type demoNotes struct {
	mu    sync.Mutex // guards lines, held for one append or one join
	lines []string
}

type demoNoteIn struct {
	Text string `json:"text" jsonschema:"the line to add, at most 500 bytes"`
}

func addDemoNotes(server *mcp.Server) {
	notes := &demoNotes{}
	server.AddResource(&mcp.Resource{
		URI: demoNotesURI, Name: "notes", Title: "Notes", MIMEType: "text/plain",
		Description: "The last lines that the tool note was given. Subscribe to hear of new ones.",
	}, notes.read)
	mcp.AddTool(server, &mcp.Tool{
		Name: "note", Title: "Take a note",
		Annotations: &mcp.ToolAnnotations{DestructiveHint: new(false), OpenWorldHint: new(false)},
		Description: "Adds a line to the resource demo://notes, which everyone connected to this server can read, and tells its subscribers.",
	}, func(ctx context.Context, _ *mcp.CallToolRequest, in demoNoteIn) (*mcp.CallToolResult, any, error) {
		if err := notes.add(in.Text); err != nil {
			return nil, nil, err
		}
		if err := server.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: demoNotesURI}); err != nil {
			return nil, nil, err
		}
		return demoText("Noted in %s.", demoNotesURI), nil, nil
	})
}

func (n *demoNotes) add(line string) error {
	if len(line) > demoNoteMax {
		return fmt.Errorf("a note has at most %d bytes, this one has %d", demoNoteMax, len(line))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
	n.lines = slices.Delete(n.lines, 0, max(0, len(n.lines)-demoNotesMax))
	return nil
}

func (n *demoNotes) read(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return demoContents(&mcp.ResourceContents{Text: strings.Join(n.lines, "\n")}), nil
}

func addDemoPrompts(server *mcp.Server) {
	server.AddPrompt(&mcp.Prompt{
		Name: "greet", Title: "Greet somebody",
		Description: "A greeting in a language of your choice.",
		Arguments: []*mcp.PromptArgument{
			{Name: "name", Title: "Name", Description: "whom to greet", Required: true},
			{Name: "language", Title: "Language", Description: "English unless you choose another; completed as you type"},
		},
	}, demoGreet)
	server.AddPrompt(&mcp.Prompt{
		Name: "tour", Title: "Tour",
		Description: "Has the model show you around this server.",
	}, demoTour)
}

func demoGreet(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	name, language := req.Params.Arguments["name"], req.Params.Arguments["language"]
	if name == "" {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "the prompt greet needs the argument name"}
	}
	hello := "Hello"
	for _, greeting := range demoGreetings {
		if strings.EqualFold(greeting.language, language) {
			hello = greeting.hello
		}
	}
	return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{
		{Role: "user", Content: &mcp.TextContent{Text: fmt.Sprintf("%s, %s! Greet me back in the same language, in one sentence.", hello, name)}},
	}}, nil
}

func demoTour(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	readme := &mcp.ResourceContents{URI: demoReadmeURI, MIMEType: "text/markdown", Text: demoReadme}
	return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{
		{Role: "user", Content: &mcp.TextContent{Text: "Show me around this server: call a few of its tools and explain what happens."}},
		{Role: "user", Content: &mcp.EmbeddedResource{Resource: readme}},
	}}, nil
}

// demoComplete completes argument names, whichever prompt or template they belong to: each means the same everywhere here.
func demoComplete(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	var known []string
	switch req.Params.Argument.Name {
	case "name":
		known = demoNames
	case "language":
		for _, greeting := range demoGreetings {
			known = append(known, greeting.language)
		}
	}
	values := []string{} // an empty list; null would not fit the protocol
	for _, word := range known {
		if strings.HasPrefix(strings.ToLower(word), strings.ToLower(req.Params.Argument.Value)) {
			values = append(values, word)
		}
	}
	return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: values, Total: len(values)}}, nil
}
