package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// newIdleFleet is newFleet with a hub that soon ends the processes that clients do
// not use.
func newIdleFleet(t *testing.T, server *fake) *fleet {
	t.Helper()
	server.isolation = "session"
	f := newFleet(t, server)
	f.hub.options.ChildIdle = 300 * time.Millisecond // before there is any
	return f
}

// awaitPlaces waits until a server has so many processes of clients.
func (f *fleet) awaitPlaces(server string, want int32) {
	f.t.Helper()
	taken := &f.hub.linkTo(server).children
	for deadline := time.Now().Add(patience); taken.Load() != want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("%s: %d places are taken, want %d", server, taken.Load(), want)
		}
	}
}

// awaitOver waits until a session has ended at its server.
func (s *fakeSession) awaitOver(t *testing.T) {
	t.Helper()
	select {
	case <-s.over:
	case <-time.After(patience):
		t.Fatalf("the process of %s is not ended", s.client)
	}
}

// TestIdleProcessEnds has a client leave its process alone: it is ended, and the
// next call finds another that is set up like it.
func TestIdleProcessEnds(t *testing.T) {
	t.Parallel()
	server := offering("srv", overStdio, "do")
	f := newIdleFleet(t, server)
	client := f.connect("/mcp", "c", `{}`)
	stream := client.open()
	defer stream.close()
	client.result(`logging/setLevel {"level":"error"}`)
	for round := range 3 {
		equal(t, "call", client.result(`tools/call {"name":"srv__do"}`), `{"content":[]}`)
		s := server.sessionOf("c")
		server.await("the level in the session", 0, func(m message) bool { return m.session == s && m.Method == "logging/setLevel" })
		if s.awaitOver(t); t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	f.awaitPlaces("srv", 0)
}

// TestIdleOverHTTPStays has a client leave its session at a server alone that is no
// process: it stays.
func TestIdleOverHTTPStays(t *testing.T) {
	t.Parallel()
	server := offering("srv", overJSON, "do")
	f := newIdleFleet(t, server)
	client := f.connect("/mcp", "c", `{}`)
	client.result(`tools/call {"name":"srv__do"}`)
	time.Sleep(4 * f.hub.options.ChildIdle)
	client.result(`tools/call {"name":"srv__do"}`)
	if n := server.count("initialize"); n != 2 {
		t.Errorf("%d sessions, want the hub's and the client's", n)
	}
}

// TestBusyProcessStays has clients leave their processes alone while something is
// open there: they are not ended, where one with nothing open is, twice.
func TestBusyProcessStays(t *testing.T) {
	const subscribe = `resources/subscribe {"uri":"file:///r"}`
	for _, c := range []struct {
		name, path string
		open       func(t *testing.T, server *fake, client *client)
	}{
		{"call", "/mcp", func(t *testing.T, server *fake, client *client) {
			call := client.post(request(`tools/call {"name":"srv__do","arguments":{"hold":1}}`))
			t.Cleanup(call.close)
			call.expect("notifications/message")
		}},
		{"question", "/mcp", func(t *testing.T, server *fake, client *client) {
			stream := client.open()
			t.Cleanup(stream.close)
			client.result(`tools/call {"name":"srv__do"}`)
			server.sessionOf("busy").say <- question(`"q"`, "roots/list", `{}`)
			stream.expect("roots/list")
		}},
		{"subscription", "/mcp", func(t *testing.T, server *fake, client *client) { client.result(subscribe) }},
		{"own lists", "/mcp", func(t *testing.T, server *fake, client *client) {
			client.result(`tools/call {"name":"srv__do"}`)
			s := server.sessionOf("busy")
			s.loggedIn.Store(true)
			stream := client.open()
			t.Cleanup(stream.close)
			s.say <- toolsChanged
			stream.expect(toolsChanged)
		}},
		{"tasks", "/mcp/server/srv", func(t *testing.T, server *fake, client *client) { client.result(`tools/call {"name":"do"}`) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := holding()
			f := newIdleFleet(t, server)
			c.open(t, server, f.connect(c.path, "busy", everything))
			busy := server.sessionOf("busy")
			idle := f.connect("/mcp", "idle", `{}`)
			for range 2 {
				idle.result(`tools/call {"name":"srv__do"}`)
				server.sessionOf("idle").awaitOver(t)
			}
			if busy.ended() {
				t.Error("the process was ended")
			}
		})
	}
}

// holding returns a server whose tool do says something and then never answers a
// call that wants to be held, and which has more tools for those who have logged in.
func holding() *fake {
	server := offering("srv", overStdio, "do")
	offered := listOf("tools/list", tool("do"), "resources/list", `{"uri":"file:///r","name":"r"}`)
	server.setLists(offered)
	server.listsOf = func(s *fakeSession, method string) string {
		if method == "tools/list" && s.loggedIn.Load() {
			return listOf(method, tool("do")+","+tool("more"))(method, "")
		}
		return ""
	}
	server.answer = func(x *exchange) {
		if strings.Contains(x.text, "hold") {
			x.send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"alert","data":1}}`)
			return
		}
		x.respond(`{"content":[]}`)
	}
	return server
}

// TestTooManyProcesses has more clients use a server than it may have processes:
// those that are too many are told so, until another has gone.
func TestTooManyProcesses(t *testing.T) {
	t.Parallel()
	server := offering("srv", overStdio, "do")
	server.isolation = "session"
	f := newFleet(t, server)
	clients := make([]*client, maxChildren+1)
	for i := range clients {
		clients[i] = f.connect("/mcp", fmt.Sprintf("c%d", i), `{}`)
		if i < maxChildren {
			equal(t, clients[i].name, clients[i].result(`tools/call {"name":"srv__do"}`), `{"content":[]}`)
		}
	}
	last := clients[maxChildren]
	refused := last.post(request(`tools/call {"name":"srv__do"}`))
	text := refused.text()
	if refused.status != http.StatusServiceUnavailable || refused.header.Get("Retry-After") == "" || !strings.Contains(text, "16 run already") {
		t.Errorf("one too many: got HTTP %d %s", refused.status, text)
	}
	clients[3].do(http.MethodDelete, "").close()
	f.awaitPlaces("srv", maxChildren-1)
	equal(t, "then", last.result(`tools/call {"name":"srv__do"}`), `{"content":[]}`)
}

// TestIdleProcessGivesWay has more clients use a server than it may have processes:
// one that its client has not used for a while gives way, and no other does.
func TestIdleProcessGivesWay(t *testing.T) {
	t.Parallel()
	server := offering("srv", overStdio, "do")
	server.isolation = "session"
	f := newFleet(t, server)
	f.hub.options.ChildIdle = 3 * patience
	const do = `tools/call {"name":"srv__do"}`
	for i := range maxChildren {
		equal(t, "one of many", f.connect("/mcp", fmt.Sprintf("c%d", i), `{}`).result(do), `{"content":[]}`)
	}
	last := f.connect("/mcp", "last", `{}`)
	deadline, refused := time.Now().Add(patience), 0
	for ; ; time.Sleep(100 * time.Millisecond) {
		got := last.post(request(do))
		text := got.text()
		if got.status == http.StatusOK {
			break
		}
		if refused++; got.status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("after %d tries: HTTP %d %s", refused, got.status, text)
		}
	}
	if refused == 0 {
		t.Error("there was a place at once")
	}
}
