package proxy

import (
	"fmt"
	"strings"
	"testing"

	"mcphub/discovery"
)

// reading returns a server that says which resource it was asked for.
func reading(id string, w wire, resources, templates string) *fake {
	return &fake{
		id: id, wire: w,
		lists: listOf("resources/list", resources, "resources/templates/list", templates, "prompts/list", `{"name":"p"}`),
		answer: func(x *exchange) {
			if strings.Contains(x.text, "refuse") {
				x.fail(fmt.Sprintf(`{"code":-32002,"message":"%s has it not","data":1.0}`, id))
				return
			}
			x.respond(`{"from":"` + id + `"}`)
		},
	}
}

func uris(list ...string) string {
	for i, uri := range list {
		list[i] = `{"uri":"` + uri + `","name":"n"}`
	}
	return strings.Join(list, ",")
}

func uriTemplates(list ...string) string {
	for i, uri := range list {
		list[i] = `{"uriTemplate":"` + uri + `","name":"n"}`
	}
	return strings.Join(list, ",")
}

// TestResourcesFindTheirServer reads resources by every way that a URI can lead.
func TestResourcesFindTheirServer(t *testing.T) {
	t.Parallel()
	one := reading("one", overJSON, uris("file:///a", "db://x/1", "db://both/1"), uriTemplates("db://x/{+id}", "note:{+path}"))
	two := reading("two", overStdio, uris("file:///b", "db://x/y/z", "db://both/2"), uriTemplates("db://x/y/{id}", "mem://{host}/{id}"))
	f := newFleet(t, one, two)
	client := f.connect("/mcp", "c", `{}`)
	for uri, want := range map[string]string{
		"file:///a":    "one",
		`file:\/\/\/b`: "two", // the same text
		"db://x/1":     "one",
		"db://x/2":     "one", // template
		"db://x/y/z":   "two", // exact
		"db://x/y/w":   "two", // the longer literal prefix
		"note:a/b":     "one",
		"mem://h/1":    "two",
		"db://both/9":  "one", // listed by neither; the first with something there
		"FILE:///c":    "one", // schemes know no case
	} {
		equal(t, uri, client.result(`resources/read {"uri":"%s"}`, uri), `{"from":"`+want+`"}`)
	}
	for uri, want := range map[string]string{
		"db://both/refuse": `{"code":-32002,"message":"one has it not","data":1.0}`,
		"http://nobody/":   `{"code":-32002,"message":"resource not found","data":{"uri":"http://nobody/"}}`,
	} {
		equal(t, uri, client.call(`resources/read {"uri":"%s"}`, uri)[0], `{"jsonrpc":"2.0","id":1,"error":`+want+`}`)
	}
	if n := strings.Count(two.log(), "db://both/refuse"); n != 1 {
		t.Errorf("the second server was asked %d times for what the first has not", n)
	}
	alone := f.connect("/mcp/server/two", "c", `{}`)
	equal(t, "alone", alone.result(`resources/read {"uri":"http://nobody/"}`), `{"from":"two"}`)
}

// TestSameURI lists one URI at several servers. It goes to the one whose origin
// comes first, then to the one that had it, then to the first by id.
func TestSameURI(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"resource", "template"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			with := func(id string, origin discovery.Origin) *fake {
				s := reading(id, overJSON, uris("file:///same"), "")
				if kind == "template" {
					s = reading(id, overJSON, "", uriTemplates("file:///{id}"))
				}
				s.origin = origin
				return s
			}
			b, a, z := with("b", discovery.Label), with("a", discovery.Label), with("z", discovery.File)
			f := newFleet(t, b)
			client := f.connect("/mcp", "c", `{}`)
			check := func(what, want string) {
				t.Helper()
				equal(t, what, client.result(`resources/read {"uri":"file:///same"}`), `{"from":"`+want+`"}`)
				list := client.result("resources/list") + client.result("resources/templates/list")
				if n := strings.Count(list, "file:///"); n != 1 {
					t.Errorf("%s: listed %d times: %s", what, n, list)
				}
			}
			check("alone", "b")
			a.start(t)
			f.declare(a, b)
			f.awaitPhase("a", connected)
			check("beside one of the same origin", "b")
			z.start(t)
			f.declare(a, b, z)
			f.awaitPhase("z", connected)
			check("beside one of the file", "z")
			var problems []string
			for _, s := range f.hub.Status().Servers {
				problems = append(problems, fmt.Sprint(len(s.Problems)))
			}
			equal(t, "problems of a, b, z", strings.Join(problems, " "), "1 1 0")
			f.declare(a)
			f.await("a alone", func(v *view) bool { return len(v.servers) == 1 })
			check("alone again", "a")
		})
	}
}

// TestFailedServerGivesItsURIsAway has two servers with the same URI; the one that
// has it fails, and the other goes on.
func TestFailedServerGivesItsURIsAway(t *testing.T) {
	t.Parallel()
	a, b := reading("a", overSSE, uris("file:///same"), uriTemplates("mem:{x}")), reading("b", overJSON, uris("file:///same"), uriTemplates("mem:{x}"))
	f := newFleet(t, a)
	b.start(t)
	f.declare(a, b)
	f.awaitPhase("b", connected)
	client := f.connect("/mcp", "c", `{}`)
	equal(t, "before", client.result(`resources/read {"uri":"file:///same"}`), `{"from":"a"}`)
	a.breakDown()
	f.awaitPhase("a", failed)
	for _, uri := range []string{"file:///same", "mem:1"} {
		equal(t, "after", client.result(`resources/read {"uri":"%s"}`, uri), `{"from":"b"}`)
	}
	equal(t, "list", client.result("resources/list"), `{"resources":[`+uris("file:///same")+`]}`)
}

// TestCompletion routes by what the ref refers to.
func TestCompletion(t *testing.T) {
	t.Parallel()
	one := reading("one", overJSON, uris("file:///a"), uriTemplates("db://x/{id}"))
	two := reading("two", overJSON, uris("file:///b"), uriTemplates("db://y/{id}"))
	f := newFleet(t, one, two)
	client, alone := f.connect("/mcp", "c", `{}`), f.connect("/mcp/server/two", "c", `{}`)
	for ref, want := range map[string]string{
		`{"type":"ref/prompt","name":"two__p"}`:        "two",
		`{"name":"one__p","type":"ref/prompt"}`:        "one",
		`{"type":"ref/resource","uri":"db://y/{id}"}`:  "two",
		`{"type":"ref/resource","uri":"db://x/5"}`:     "one",
		`{"type":"ref/resource","uri":"file:\/\/\/b"}`: "two",
	} {
		equal(t, ref, client.result(`completion/complete {"argument":{"name":"a","value":""},"ref":%s}`, ref), `{"from":"`+want+`"}`)
	}
	if log := two.log(); !strings.Contains(log, `"name":"p"`) || strings.Contains(log, "two__p") {
		t.Errorf("the server does not hear its own name: %s", log)
	}
	for _, ref := range []string{`{"type":"ref/prompt","name":"p"}`, `{"type":"ref/prompt","name":"x"}`, `{"type":"ref/resource","uri":"q://"}`} {
		equal(t, "alone "+ref, alone.result(`completion/complete {"ref":%s}`, ref), `{"from":"two"}`)
	}
}

// TestUnknown asks for what is not there.
func TestUnknown(t *testing.T) {
	t.Parallel()
	server := offering("srv", overJSON, "do")
	f := newFleet(t, server)
	for _, path := range []string{"/mcp", "/mcp/group/all"} {
		client := f.connect(path, "c", `{}`)
		for call, code := range map[string]string{
			`tools/call {"name":"do"}`:          "-32602",
			`tools/call {"name":"srv__"}`:       "-32602",
			`tools/call {"name":"other__do"}`:   "-32602",
			`tools/call {"name":7}`:             "-32602",
			`tools/call {}`:                     "-32602",
			`prompts/get {"name":"srv__do"}`:    "-32602",
			`resources/read {}`:                 "-32602",
			`resources/read {"uri":"x:y"}`:      "-32002",
			`resources/subscribe {"uri":"x:y"}`: "-32002",
			`completion/complete {}`:            "-32602",
			`completion/complete {"ref":{"type":"ref/prompt","name":"srv__x"}}`: "-32602",
			`logging/setLevel {"level":"loud"}`:                                 "-32602",
			`vendor/method {}`:                                                  "-32601",
		} {
			if got := client.call("%s", call)[0]; !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":1,"error":{"code":`+code+`,`) {
				t.Errorf("%s: %s: got %s, want %s", path, call, got, code)
			}
		}
	}
	if n := server.count("tools/call") + server.count("vendor/method"); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
	alone := f.connect("/mcp/server/srv", "c", `{}`)
	alone.call(`vendor/method {"n":9007199254740993,"z":1.0}`)
	equal(t, "passed on", string(server.awaitMethod("vendor/method").Params), `{"n":9007199254740993,"z":1.0}`)
	for _, path := range []string{"/mcp/server/other", "/mcp/group/other", "/mcp/server/"} {
		stranger := *alone
		stranger.url = f.url + path
		if a := stranger.post(request("tools/list")); a.status != 404 {
			t.Errorf("%s: HTTP %d, want 404", path, a.status)
		}
	}
}
