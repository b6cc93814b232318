package proxy

import (
	"strings"
	"testing"
)

// TestLogLevel sets the level at the servers that a client uses, at those it will
// use, and at no others; then it hears what they log.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	const logged = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}`
	for _, path := range []string{"/mcp", "/mcp/server/one"} {
		one, two := offering("one", overJSON, "do"), offering("two", overJSON, "do")
		f := newFleet(t, one, two)
		client := f.connect(path, "c", `{}`)
		stream := client.open()
		client.call(`tools/call {"name":"one__do"}`)
		if got := client.call(`logging/setLevel {"level":"info"}`)[0]; strings.Contains(got, "error") {
			t.Errorf("%s: %s", path, got)
		}
		equal(t, path, string(one.awaitMethod("logging/setLevel").Params), `{"level":"info"}`)
		one.sessionOf("c").say <- logged
		equal(t, path, stream.expect("message"), logged)
		if path != "/mcp" {
			continue
		}
		client.call(`tools/call {"name":"two__do"}`)
		equal(t, path, string(two.awaitMethod("logging/setLevel").Params), `{"level":"info"}`)
		two.sessionOf("c").say <- logged
		equal(t, path, stream.expect("message"), logged)
	}
}

// TestSharedLogLevel has two clients share a server: it logs at the more verbose of
// their levels, also when it has been started again, and each hears its own.
func TestSharedLogLevel(t *testing.T) {
	t.Parallel()
	server := offering("srv", overStdio, "do")
	server.answer = func(x *exchange) {
		if x.Method == "tools/call" {
			for _, level := range []string{"debug", "info", "error"} {
				x.send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"` + level + `","data":1}}`)
			}
		}
		x.respond(`{"content":[]}`)
	}
	f := newFleet(t, server)
	terse, wordy, unset := f.connect("/mcp", "terse", `{}`), f.connect("/mcp/server/srv", "wordy", `{}`), f.connect("/mcp", "unset", `{}`)
	heard := func(c *client, name, want string) {
		t.Helper()
		got := strings.Join(c.call(`tools/call {"name":%q}`, name), "\n")
		for _, level := range []string{"debug", "info", "error"} {
			if strings.Contains(got, `"level":"`+level+`"`) != strings.Contains(want, level) {
				t.Errorf("%s: got %s, want %s of debug, info, error", name, got, want)
			}
		}
	}
	terse.result(`logging/setLevel {"level":"error"}`)
	equal(t, "first", string(server.awaitMethod("logging/setLevel").Params), `{"level":"error"}`)
	wordy.result(`logging/setLevel {"level":"info"}`)
	terse.result(`logging/setLevel {"level":"critical"}`)
	if n := server.count("logging/setLevel"); n != 2 {
		t.Errorf("the server was told %d times, want 2", n)
	}
	terse.result(`logging/setLevel {"level":"error"}`)
	heard(terse, "srv__do", "error")
	heard(wordy, "do", "info error")
	heard(unset, "srv__do", "debug info error")

	f.hub.view().servers["srv"].session.Close() // the process ends, and another is started
	_, skip := server.await("a new session", 1, func(m message) bool { return m.Method == "initialize" && m.session != server.sessions[0] })
	again, _ := server.await("the level", skip, func(m message) bool { return m.Method == "logging/setLevel" })
	equal(t, "again", string(again.Params), `{"level":"info"}`)
}
