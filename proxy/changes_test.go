package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	toolsChanged     = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
	resourcesChanged = `{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`
)

// tool returns a tool's definition.
func tool(name string) string {
	return fmt.Sprintf(`{"name":%q,"inputSchema":{"type":"object"}}`, name)
}

// offering returns a server with tools of these names.
func offering(id string, w wire, names ...string) *fake {
	f := &fake{id: id, wire: w}
	f.offer(names...)
	f.answer = func(x *exchange) { x.respond(`{"content":[]}`) }
	return f
}

// offer replaces the tools.
func (f *fake) offer(names ...string) {
	definitions := make([]string, len(names))
	for i, name := range names {
		definitions[i] = tool(name)
	}
	f.setLists(listOf("tools/list", strings.Join(definitions, ",")))
}

// tellHub says something in the hub's own session.
func (f *fake) tellHub(method string) {
	f.t.Helper()
	f.sessionOf("mcphub").say <- `{"jsonrpc":"2.0","method":"` + method + `"}`
}

// quiet is how long nothing may come where nothing should: longer than the hub
// takes between two listings.
const quiet = 3 * relistPause

// TestListChanged has a server change its tools. The sessions whose scope has it
// are told, when the new list is already in place; no others are.
func TestListChanged(t *testing.T) {
	t.Parallel()
	for _, w := range wires {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			changing, neighbour := offering("b", w, "old"), offering("a", overJSON, "still")
			f := newFleet(t, neighbour, changing)
			paths := []string{"/mcp", "/mcp/group/all", "/mcp/server/b"}
			var clients []*client
			var streams []*answer
			for _, path := range paths {
				clients = append(clients, f.connect(path, "c", `{}`))
				streams = append(streams, clients[len(clients)-1].open())
			}
			others := []*answer{f.connect("/mcp/server/a", "c", `{}`).open(), f.connect("/mcp/group/first", "c", `{}`).open()}

			changing.offer("old", "new")
			changing.tellHub("notifications/tools/list_changed")
			for i, stream := range streams {
				equal(t, paths[i], stream.expect("list_changed"), toolsChanged)
				if list := clients[i].result("tools/list"); !strings.Contains(list, `new"`) {
					t.Errorf("%s: the list at the moment of the notification is the old one: %s", paths[i], list)
				}
			}
			for _, other := range others {
				other.silent(quiet)
			}
		})
	}
}

// TestNothingHasChanged has a server say that its lists have changed when they
// have not, or not so that clients see it.
func TestNothingHasChanged(t *testing.T) {
	t.Parallel()
	server := offering("b", overJSON, "one")
	f := newFleet(t, server)
	stream := f.connect("/mcp", "c", `{}`).open()
	before := server.count("tools/list")
	server.tellHub("notifications/tools/list_changed")
	server.await("a second listing", 0, func(message) bool { return server.count("tools/list") > before })
	server.setLists(listOf("tools/list", tool("one")+`,{"name":""},7`)) // what is left out is not seen
	time.Sleep(2 * relistPause)
	server.tellHub("notifications/tools/list_changed")
	server.await("a third listing", 0, func(message) bool { return server.count("tools/list") > before+1 })
	stream.silent(quiet)
}

// TestChangeIsHeardLater opens a stream only after a list has changed.
func TestChangeIsHeardLater(t *testing.T) {
	t.Parallel()
	server := offering("b", overJSON, "one")
	f := newFleet(t, server)
	client := f.connect("/mcp", "c", `{}`)
	server.setLists(listOf("tools/list", tool("two"), "resources/list", `{"uri":"x:y","name":"n"}`))
	server.tellHub("notifications/tools/list_changed")
	server.tellHub("notifications/resources/list_changed")
	f.await("both", func(v *view) bool { return len(v.catalogs["/mcp"].uris) == 1 })
	f.await("both", func(v *view) bool { return strings.Contains(string(v.catalogs["/mcp"].lists[tools].first), "two") })
	stream := client.open()
	equal(t, "first", stream.expect("list_changed"), toolsChanged)
	equal(t, "second", stream.expect("list_changed"), resourcesChanged)
	stream.close()
	client.open().silent(quiet) // told once
}

// TestChangeOnTheStreamOfACall has a server tell of the change in the client's own
// session, in the middle of a call.
func TestChangeOnTheStreamOfACall(t *testing.T) {
	t.Parallel()
	server := offering("b", overEvents, "one")
	server.answer = func(x *exchange) {
		server.offer("one", "two")
		x.send(toolsChanged)
		x.respond(`{"content":[]}`)
	}
	f := newFleet(t, server)
	client := f.connect("/mcp", "c", `{}`)
	stream := client.open()
	if got := client.call(`tools/call {"name":"b__one"}`); len(got) != 1 {
		t.Errorf("on the call's stream came %q, want the response alone", got)
	}
	equal(t, "on the client's stream", stream.expect("list_changed"), toolsChanged)
}

// TestChangesInASwarm has a server tell of 1,000 changes in a second. It is listed
// a few times, the last one counts, and its neighbour does not notice.
func TestChangesInASwarm(t *testing.T) {
	t.Parallel()
	for _, w := range []wire{overJSON, overSSE, overStdio} {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			noisy, neighbour := offering("b", w, "v0"), offering("a", overJSON, "still")
			f := newFleet(t, neighbour, noisy)
			client := f.connect("/mcp", "c", `{}`)
			began, listed := time.Now(), noisy.count("tools/list")
			for i := range 1000 {
				noisy.offer(fmt.Sprintf("v%d", i+1))
				noisy.tellHub("notifications/tools/list_changed")
				if i%100 == 0 {
					if got := client.result(`tools/call {"name":"a__still"}`); got != `{"content":[]}` {
						t.Errorf("the neighbour answered %s", got)
					}
				}
				time.Sleep(time.Until(began.Add(time.Duration(i) * time.Millisecond)))
			}
			f.await("the last list", func(v *view) bool { return strings.Contains(string(v.catalogs["/mcp"].lists[tools].first), "v1000") })
			most := 3 + int(time.Since(began)/relistPause)
			if n := noisy.count("tools/list") - listed; n > most {
				t.Errorf("listed %d times, want at most %d", n, most)
			}
		})
	}
}

// TestServersComeAndGo declares servers and takes them away again while a client
// listens.
func TestServersComeAndGo(t *testing.T) {
	t.Parallel()
	one, two := offering("a", overJSON, "x"), offering("b", overJSON, "y")
	f := newFleet(t, one)
	two.start(t)
	client := f.connect("/mcp", "c", `{}`)
	stream := client.open()
	alone := client.result("tools/list")

	f.declare(one, two)
	equal(t, "after it came", stream.expect("list_changed"), toolsChanged)
	if got := client.result("tools/list"); !strings.Contains(got, `"b__y"`) {
		t.Errorf("the new server's tool is missing: %s", got)
	}
	at := f.connect("/mcp/server/b", "c", `{}`)
	stream2 := at.open()
	f.declare(one)
	equal(t, "after it went", stream.expect("list_changed"), toolsChanged)
	equal(t, "list after it went", client.result("tools/list"), alone)
	if a := at.post(request("tools/list")); a.status != 404 {
		t.Errorf("at the endpoint of a server that is gone: HTTP %d, want 404", a.status)
	}
	two.offer("z")
	f.declare(one, two)
	equal(t, "to a session from before", stream2.expect("list_changed"), toolsChanged)
	equal(t, "its list", at.result("tools/list"), `{"tools":[`+tool("z")+`]}`)
}
