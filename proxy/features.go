package proxy

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/yosida95/uritemplate/v3"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// kind is a kind of feature.
type kind int

const (
	tools kind = iota
	prompts
	resources
	templates
	kinds
)

// kindInfo is what the protocol calls a kind.
type kindInfo struct {
	list       string // the method that lists it
	member     string // where the list stands in the result
	key        string // what tells two features apart
	capability string // what a server declares that has it
}

var kindInfos = [kinds]kindInfo{
	tools:     {"tools/list", "tools", "name", "tools"},
	prompts:   {"prompts/list", "prompts", "name", "prompts"},
	resources: {"resources/list", "resources", "uri", "resources"},
	templates: {"resources/templates/list", "resourceTemplates", "uriTemplate", "resources"},
}

// feature is one tool, prompt, resource or resource template of a server.
type feature struct {
	key     string      // its own name, or its URI or template
	raw     jsonrpc.Raw // its definition as the server gave it, repaired where clients need it
	pattern *regexp.Regexp
}

// features are what a server offers. They are never modified.
type features struct {
	lists    [kinds][]feature
	problems []string // what was repaired or left out, for /health
}

// Bounds on what one server may list.
const (
	maxFeatures  = 10_000   // of one kind
	maxListBytes = 32 << 20 // of one kind
)

// listKind reads all pages of one list of a server.
func listKind(ctx context.Context, session *mcpclient.Session, k kind) (list []feature, problems []string, err error) {
	reader := listReader{kind: k, seen: map[string]bool{}, cursors: map[string]bool{}}
	cursor := jsonrpc.Raw(nil)
	for {
		m, err := session.Call(ctx, &mcpclient.Call{Method: kindInfos[k].list, Raw: listParams(cursor)})
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", kindInfos[k].list, err)
		}
		if m.Error != nil {
			return nil, nil, fmt.Errorf("%s: %w", kindInfos[k].list, jsonrpc.PeerError(m.Error))
		}
		if cursor = reader.page(m.Result); cursor == nil {
			return reader.list, reader.problems, nil
		}
	}
}

func listParams(cursor jsonrpc.Raw) jsonrpc.Raw {
	if cursor == nil {
		return jsonrpc.Raw("{}")
	}
	return append(append(jsonrpc.Raw(`{"cursor":`), cursor...), '}')
}

// listReader gathers one list from its pages. A bad feature is left out, alone.
type listReader struct {
	kind     kind
	list     []feature
	problems []string
	seen     map[string]bool // keys
	cursors  map[string]bool
	bytes    int
}

// maxProblems bounds what is remembered of what is wrong with one list.
const maxProblems = 20

func (r *listReader) problem(format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, fmt.Sprintf(format, args...))
	}
}

// page takes one page and returns the cursor of the next, nil at the end. The
// empty cursor is a cursor.
func (r *listReader) page(result jsonrpc.Raw) (next jsonrpc.Raw) {
	info := kindInfos[r.kind]
	values, err := jsonrpc.Lookup(result, info.member, "nextCursor")
	if err != nil {
		r.problem("%s: %v", info.list, err)
		return nil
	}
	for element := range jsonrpc.Elements(values[0]) {
		if len(r.list) == maxFeatures || r.bytes > maxListBytes {
			r.problem("%s: the list is cut at %d entries, %d bytes", info.list, len(r.list), r.bytes)
			return nil
		}
		r.add(element)
	}
	next = values[1]
	if _, isText := jsonrpc.Unquote(next); !isText {
		return nil
	}
	if r.cursors[string(next)] {
		r.problem("%s: the cursor %.60s came twice; the list ends there", info.list, next)
		return nil
	}
	r.cursors[string(next)] = true
	return next
}

func (r *listReader) add(element jsonrpc.Raw) {
	info := kindInfos[r.kind]
	values, err := jsonrpc.Lookup(element, info.key)
	if err != nil {
		r.problem("%s: an entry cannot be read: %v", info.list, err)
		return
	}
	key, ok := jsonrpc.Unquote(values[0])
	switch {
	case !ok || key == "":
		r.problem("%s: an entry has no %s", info.list, info.key)
	case r.seen[key]:
		r.problem("%s: %.100q is listed twice; the first counts", info.list, key)
	default:
		r.seen[key] = true
		r.keep(key, element)
	}
}

// keep adds a feature that can be told apart, if it can be used.
func (r *listReader) keep(key string, element jsonrpc.Raw) {
	f := feature{key: key, raw: append(jsonrpc.Raw(nil), element...)}
	switch r.kind {
	case tools:
		var repairs []string
		if f.raw, repairs = repairTool(f.raw); len(repairs) > 0 {
			r.problem("tool %.100q: %s", key, strings.Join(repairs, ", "))
		}
	case templates:
		t, err := uritemplate.New(key)
		if err != nil {
			r.problem("resource template %.100q: %v", key, err)
			return
		}
		f.pattern = t.Regexp()
	}
	r.bytes += len(f.raw)
	r.list = append(r.list, f)
}

// repairTool mends what makes strict clients of the legacy era refuse a whole
// list for one tool: an input or output schema that is not of type "object".
func repairTool(tool jsonrpc.Raw) (repaired jsonrpc.Raw, repairs []string) {
	values, err := jsonrpc.Lookup(tool, "inputSchema", "outputSchema")
	if err != nil {
		return jsonrpc.Set(tool, "inputSchema", anyObject), []string{"inputSchema is ambiguous"}
	}
	if !objectSchema(values[0]) {
		schema := anyObject
		if jsonrpc.IsObject(values[0]) {
			schema = jsonrpc.Set(values[0], "type", jsonrpc.Raw(`"object"`))
		}
		tool = jsonrpc.Set(tool, "inputSchema", schema)
		repairs = append(repairs, `inputSchema made "type": "object"`)
	}
	if values[1] != nil && !objectSchema(values[1]) {
		tool = jsonrpc.Remove(tool, "outputSchema")
		repairs = append(repairs, `outputSchema left out: it is not of type "object"`)
	}
	return tool, repairs
}

var anyObject = jsonrpc.Raw(`{"type":"object"}`)

func objectSchema(schema jsonrpc.Raw) bool {
	return jsonrpc.IsObject(schema) && jsonrpc.Text(schema, "type") == "object"
}
