package proxy

import (
	"fmt"
	"strings"
	"testing"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpserver"
)

func TestPublicName(t *testing.T) {
	for _, c := range []struct{ server, own, want string }{
		{"fs", "read_file", "fs__read_file"},
		{"fs", "a.b-c", "fs__a.b-c"},
		{"fs", "__a", "fs____a"},
		{"fs", strings.Repeat("x", 60), "fs__" + strings.Repeat("x", 60)},
		{"fs", strings.Repeat("x", 61), "fs__" + strings.Repeat("x", 51) + "_gd6kd6cg"},
		{"fs", "a b", "fs__a_b_hvhuyfhr"},
		{"fs", "a/b", "fs__a_b_auhpxplm"},
		{"fs", "é", "fs____jus2kvb7"},
	} {
		if got := publicName(c.server, c.own); got != c.want {
			t.Errorf("publicName(%s, %.80s): got %s, want %s", c.server, c.own, got, c.want)
		}
	}
}

// FuzzPublicName: every name is one that clients take, the same each time, and of
// no other tool.
func FuzzPublicName(f *testing.F) {
	f.Add("a", "b")
	f.Add("a b", "a_b")
	f.Add(strings.Repeat("x", 300), strings.Repeat("x", 299)+"\xff")
	f.Fuzz(func(t *testing.T, one, two string) {
		a, b := publicName("s", one), publicName("s", two)
		if len(a) > maxName || strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != "" {
			t.Errorf("%q becomes %q", one, a)
		}
		if (a == b) != (one == two) {
			t.Errorf("%q and %q become %q and %q", one, two, a, b)
		}
	})
}

// offered makes an offer of features, each written as kind:key.
func offered(server string, origin discovery.Origin, listed bool, list ...string) offer {
	o := offer{server: server, origin: origin, features: new(features), listed: listed}
	for _, text := range list {
		word, key, _ := strings.Cut(text, ":")
		for k, info := range kindInfos {
			if info.word == word {
				raw := jsonrpc.Raw(`{"` + info.key + `":` + string(jsonrpc.Quote(key)) + `}`)
				f := feature{key: key, raw: raw}
				if kind(k) == templates {
					f.pattern, _ = compile(key)
				}
				o.features.lists[k] = append(o.features.lists[k], f)
			}
		}
	}
	return o
}

// text writes what a catalog lists, with the server of each, as a user could read
// it.
func (c *catalog) text() string {
	var lines []string
	for k, l := range c.lists {
		for _, key := range l.keys {
			lines = append(lines, kindInfos[k].word+" "+key+" → "+c.leadsTo(kind(k), key))
		}
	}
	return strings.Join(lines, "\n")
}

func (c *catalog) leadsTo(k kind, key string) string {
	switch k {
	case tools, prompts:
		r := c.names[k][key]
		return r.server + "." + string(r.name)
	default:
		return c.holders(k)[key]
	}
}

func TestCatalog(t *testing.T) {
	fs := offered("fs", discovery.Label, true, "tool:read", "tool:odd name", "prompt:read", "resource:file:///a", "resource:file:///same", "resource template:file:///{p}")
	mail := offered("mail", discovery.Label, true, "tool:read", "resource:file:///same", "resource template:file:///{p}", "resource:mail://1")
	env := offered("zz", discovery.Environment, true, "resource:file:///same")
	gone := offered("mail", discovery.Environment, false, "tool:read", "resource:file:///same", "resource:mail://1")

	both := newCatalog([]offer{fs, mail}, prefixed, nil)
	equal(t, "two servers", both.text(), `tool fs__read → fs."read"
tool fs__odd_name_mdrusq3c → fs."odd name"
tool mail__read → mail."read"
prompt fs__read → fs."read"
resource file:///a → fs
resource file:///same → fs
resource mail://1 → mail
resource template file:///{p} → fs`)
	equal(t, "shadowed", fmt.Sprint(both.shadowed), "map[mail:[file:///same file:///{p}]]")

	alone := newCatalog([]offer{mail}, prefixed, nil)
	equal(t, "the one that had it", newCatalog([]offer{fs, mail}, prefixed, alone).uris["file:///same"], "mail")
	equal(t, "the one that had it, a template", newCatalog([]offer{fs, mail}, prefixed, alone).templates["file:///{p}"], "mail")
	equal(t, "the first origin", newCatalog([]offer{fs, mail, env}, prefixed, both).uris["file:///same"], "zz")

	failed := newCatalog([]offer{fs, gone}, prefixed, alone)
	equal(t, "one that has failed", failed.uris["file:///same"], "fs")
	equal(t, "its route stays", failed.names[tools]["mail__read"].server+" "+failed.uris["mail://1"], "mail mail")
	if list := failed.text(); strings.Contains(list, "mail") {
		t.Errorf("features of a server that has failed are listed: %s", list)
	}

	own := newCatalog([]offer{fs}, bare, nil)
	equal(t, "alone", own.text(), `tool read → fs."read"
tool odd name → fs."odd name"
prompt read → fs."read"
resource file:///a → fs
resource file:///same → fs
resource template file:///{p} → fs`)
	equal(t, "alone, by its prefixed name", own.leadsTo(tools, "fs__odd_name_mdrusq3c"), `fs."odd name"`)
}

func TestCatalogChanges(t *testing.T) {
	before := newCatalog([]offer{offered("a", discovery.File, true, "tool:x", "resource:r:1", "resource template:r:{x}", "prompt:p")}, prefixed, nil)
	for _, c := range []struct {
		now  []string
		want mcpserver.Changes
	}{
		{[]string{"tool:x", "resource:r:1", "resource template:r:{x}", "prompt:p"}, 0},
		{[]string{"tool:y", "resource:r:1", "resource template:r:{x}", "prompt:p"}, mcpserver.ToolsChanged},
		{[]string{"tool:x", "resource:r:1", "prompt:p"}, mcpserver.ResourcesChanged},
		{[]string{"tool:x", "resource:r:2", "resource template:r:{x}"}, mcpserver.ResourcesChanged | mcpserver.PromptsChanged},
		{nil, mcpserver.AllChanged},
	} {
		now := newCatalog([]offer{offered("a", discovery.File, true, c.now...)}, prefixed, before)
		if got := now.changes(before); got != c.want {
			t.Errorf("%v: got %b, want %b", c.now, got, c.want)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	for uri, want := range map[string]string{
		"db://Host/a/b": "db://host", "DB://host": "db://host", "file:///a": "file://",
		"note:a/b": "note", "mem://{host}/x": "mem://{host}", "": "", "plain": "plain",
	} {
		equal(t, uri, placeOf(uri), want)
	}
}

// TestListing pages through lists around the size of a page, and goes on where it
// was when the list has changed elsewhere.
func TestListing(t *testing.T) {
	list := func(from, n int) *listing {
		var keys []string
		var items []jsonrpc.Raw
		for i := from; i < from+n; i++ {
			keys, items = append(keys, fmt.Sprintf("k%d", i)), append(items, jsonrpc.Raw(fmt.Sprint(i)))
		}
		return newListing(tools, keys, items)
	}
	for n, want := range map[int][]int{0: {0}, 1: {1}, 999: {999}, 1000: {1000}, 1001: {1000, 1}, 2500: {1000, 1000, 500}} {
		var got []int
		l, cursor := list(0, n), jsonrpc.Raw(nil)
		for {
			page, err := l.page(cursor)
			if err != nil {
				t.Fatalf("%d: %v", n, err)
			}
			count := 0
			for range jsonrpc.Elements(jsonrpc.Get(page, "tools")) {
				count++
			}
			got = append(got, count)
			if cursor = jsonrpc.Get(page, "nextCursor"); cursor == nil {
				break
			}
		}
		equal(t, fmt.Sprint(n), fmt.Sprint(got), fmt.Sprint(want))
	}
	cursor := jsonrpc.Get(list(0, 2500).first, "nextCursor")
	page, err := list(500, 2500).page(cursor)
	if err != nil || !strings.HasPrefix(string(page), `{"tools":[1000,`) {
		t.Errorf("after the list has changed: got %.60s %v, want what follows k999", page, err)
	}
	for _, bad := range []string{`""`, `"!"`, `5`, `{}`, `"azk5OQ"`, string(cursor)} {
		if _, err := list(5000, 2500).page(jsonrpc.Raw(bad)); err == nil {
			t.Errorf("cursor %s: no error", bad)
		}
	}
	if !list(0, 1500).equal(list(0, 1500)) || list(0, 1500).equal(list(0, 1501)) || list(0, 10).equal(list(1, 10)) {
		t.Error("equal is wrong")
	}
}

// TestRepairTool has one case for each thing that is mended; TestDefinitions has
// the whole way.
func TestRepairTool(t *testing.T) {
	for _, c := range []struct{ in, want, repairs string }{
		{`{"inputSchema":{"type":"object"}}`, `{"inputSchema":{"type":"object"}}`, ""},
		{`{}`, `{"inputSchema":{"type":"object"}}`, `inputSchema made "type": "object"`},
		{`{"inputSchema":null}`, `{"inputSchema":{"type":"object"}}`, `inputSchema made "type": "object"`},
		{`{"inputSchema": {"type":"string","n":1.0} }`, `{"inputSchema": {"type":"object","n":1.0} }`, `inputSchema made "type": "object"`},
		{`{"inputSchema":{"type":"object","properties":[]}}`, `{"inputSchema":{"type":"object"}}`, `inputSchema.properties left out: []`},
		{`{"inputSchema":{"type":"object","properties":{"a":true}}}`, `{"inputSchema":{"type":"object","properties":{"a":{}}}}`, `inputSchema.properties: true and false spelled out`},
		{`{"inputSchema":{"type":"object"},"outputSchema":true}`, `{"inputSchema":{"type":"object"}}`, `outputSchema left out: it is not of type "object"`},
		{`{"inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"a":false}}}`, `{"inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"a":{"not":{}}}}}`, `outputSchema.properties: true and false spelled out`},
		{`{"inputSchema":{},"InputSchema":{}}`, "", "err"},
		{`{"inputSchema":{"type":"object","type":"string"}}`, "", "err"},
		{`{"inputSchema":{"type":"object"},"output\u0053chema":1}`, "", "err"},
	} {
		got, repairs, err := repairTool(jsonrpc.Raw(c.in))
		said := strings.Join(repairs, ", ")
		if err != nil {
			said = "err"
		}
		equal(t, c.in, string(got), c.want)
		equal(t, c.in, said, c.repairs)
	}
}

// TestCompile holds the bound on templates against those that ask most of the
// expression: nothing that a server lists may make regexp panic.
func TestCompile(t *testing.T) {
	for _, unit := range []string{"a,", "a*,", "abc,", "é", "%20", "(", "\\"} {
		for _, op := range []string{"", "+", "#", ".", "/", ";", "?", "&"} {
			for _, n := range []int{1, 10, 498, 990} {
				inside := strings.Repeat(unit, n)
				if len(inside) > maxTemplate {
					inside = inside[:maxTemplate]
				}
				template := "{" + op + strings.TrimSuffix(inside, ",") + "}"
				_, _ = compile(template)
				_, _ = compile(inside)
				_, _ = compile(strings.Repeat("{"+op+"a}", min(n, 200)))
			}
		}
	}
	if _, err := compile("{" + strings.Repeat("a,", maxTemplate) + "a}"); err == nil {
		t.Error("a template over the bound is taken")
	}
	re, err := compile("db://x/{id}/{+rest}")
	if err != nil || !re.MatchString("db://x/1/a/b") || re.MatchString("db://y/1/a/b") {
		t.Errorf("db://x/{id}/{+rest}: %v %v", re, err)
	}
}
