package proxy

import (
	"context"
	"fmt"
	"regexp"
	"slices"
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
	word       string
	list       string // the method that lists it
	member     string // where the list stands in the result
	key        string // what tells two features apart
	capability string // what a server declares that has it
}

var kindInfos = [kinds]kindInfo{
	tools:     {"tool", "tools/list", "tools", "name", "tools"},
	prompts:   {"prompt", "prompts/list", "prompts", "name", "prompts"},
	resources: {"resource", "resources/list", "resources", "uri", "resources"},
	templates: {"resource template", "resources/templates/list", "resourceTemplates", "uriTemplate", "resources"},
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
	maxPages     = 1_000    // of one list
	maxTemplate  = 1_000    // bytes of a URI template
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
	if len(r.cursors) == maxPages {
		r.problem("%s: the list is cut at %d pages", info.list, maxPages)
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
	f := feature{key: key}
	word := kindInfos[r.kind].word
	raw, repairs, err := repair(r.kind, key, element)
	if err == nil && r.kind == templates {
		f.pattern, err = compile(key)
	}
	if err != nil {
		r.problem("%s %.100q left out: %v", word, key, err)
		return
	}
	if len(repairs) > 0 {
		r.problem("%s %.100q: %s", word, key, strings.Join(repairs, ", "))
	}
	f.raw = slices.Clone(raw)
	r.bytes += len(f.raw)
	r.list = append(r.list, f)
}

// compile returns what a URI template (RFC 6570) matches. The bound on its length
// keeps the expression within what regexp compiles.
func compile(template string) (*regexp.Regexp, error) {
	if len(template) > maxTemplate {
		return nil, fmt.Errorf("it is longer than %d bytes", maxTemplate)
	}
	t, err := uritemplate.New(template)
	if err != nil {
		return nil, err
	}
	return t.Regexp(), nil
}
