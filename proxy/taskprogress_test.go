package proxy

import (
	"fmt"
	"strings"
	"testing"

	"mcphub/discovery"
)

func progress(token, rest string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1.0,"x":9007199254740993%s}}`, token, rest)
}

// TestTaskProgress has a server tell of a task's progress after it was created:
// outside calls and during others, to the client that asked, under its own token.
func TestTaskProgress(t *testing.T) {
	for _, isolation := range []discovery.Isolation{discovery.IsolationSession, discovery.IsolationShared} {
		t.Run(string(isolation), func(t *testing.T) {
			onEach(t, streaming, func(t *testing.T, w wire) {
				s := working("a", w)
				s.isolation = isolation
				f := newFleet(t, s.fake)
				client, other := f.connect("/mcp", "c", `{}`), f.connect("/mcp", "d", `{}`)
				stream, theirs := client.open(), other.open()
				client.call(`tools/call {"name":"a__do","arguments":{"id":"t"},"task":{},"_meta":{"progressToken":"\u0031"}}`)
				created := s.awaitCall("tools/call", 1)
				if w == overEvents {
					f.awaitStream(s.fake, created.session.client)
				}
				created.session.say <- progress("999", "")
				created.session.say <- progress(string(created.ID), "")
				equal(t, "outside calls", stream.expect("progress"), progress(`"\u0031"`, ""))
				s.answer = func(x *exchange) {
					x.send(progress(string(created.ID), `,"in":"`+x.Method+`"`))
					x.respond(`{}`)
				}
				client.call(`tasks/get {"taskId":"t"}`)
				equal(t, "during a call", stream.expect("progress"), progress(`"\u0031"`, `,"in":"tasks/get"`))
				if isolation == discovery.IsolationShared {
					other.call(`tools/call {"name":"a__do"}`)
					equal(t, "during another's call", stream.expect("progress"), progress(`"\u0031"`, `,"in":"tools/call"`))
				}
				client.do("DELETE", "").close()
				l := f.hub.linkTo("a")
				f.eventually("nothing is kept for a client that has gone", func() bool {
					l.shared.mu.Lock()
					defer l.shared.mu.Unlock()
					return len(l.shared.progress.at) == 0
				})
				theirs.silent(quiet / 10)
			})
		})
	}
}

// awaitCall waits for the nth message with a method.
func (f *fake) awaitCall(method string, n int) (m message) {
	f.t.Helper()
	skip := 0
	for range n {
		m, skip = f.await(method, skip, func(m message) bool { return m.Method == method })
	}
	return m
}

// TestProgressOfNothing drops progress that belongs to no call and no task.
func TestProgressOfNothing(t *testing.T) {
	t.Parallel()
	s := working("a", overSSE)
	f := newFleet(t, s.fake)
	client := f.connect("/mcp/server/a", "c", `{}`)
	stream := client.open()
	client.call(`tools/call {"name":"do","arguments":{"id":"t"},"task":{}}`) // without a token
	created := s.awaitCall("tools/call", 1)
	created.session.say <- progress(string(created.ID), "")
	created.session.say <- progress(`"`+string(created.ID)+`"`, "")
	stream.silent(quiet / 5)
}

// TestProgressOfClientTask has a client tell of the progress of a task that it has
// made for a server, after its answer.
func TestProgressOfClientTask(t *testing.T) {
	t.Parallel()
	a, b := asking("a", overEvents), asking("b", overEvents)
	client := newFleet(t, a, b).connect("/mcp", "c", taskingClient)
	call := client.post(request(`tools/call {"name":"a__do","arguments":{"method":"sampling/createMessage","params":{"task":{},"_meta":{"progressToken":"\u0074"}}}}`))
	asked := call.expect("sampling")
	_, after, _ := strings.Cut(asked, `"progressToken":`)
	token, _, _ := strings.Cut(after, "}")
	client.send(`{"jsonrpc":"2.0","id":` + idOf(t, asked) + `,"result":{"task":{"taskId":"mine"}}}`)
	call.expect(`"id":1`)
	client.send(progress(token, ""))
	equal(t, "progress", a.awaitMethod("notifications/progress").text, progress(`"\u0074"`, ""))
	if n := b.count("notifications/progress"); n != 0 {
		t.Errorf("another server was told %d times", n)
	}
}
