package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func status(id string) string {
	return `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"` + id + `","ttl":9007199254740993,"x":1.0}}`
}

// TestTaskStatus passes what a server says of a task to the client whose session
// it says it in: on its own stream, or where it waits for the result.
func TestTaskStatus(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		s := working("a", w)
		s.isolation = "session"
		f := newFleet(t, s.fake)
		client := f.connect("/mcp", "c", `{}`)
		stream := client.open()
		client.create("a__", "t")
		if w == overEvents { // which needs the server's own stream
			f.awaitStream(s.fake, "c")
		}
		s.sessionOf("c").say <- status("t")
		equal(t, "on the client's own stream", stream.expect("status"), status("t"))

		waiting := f.connect("/mcp", "d", `{}`) // has no stream of its own
		waiting.create("a__", "u")
		s.answer = func(x *exchange) {
			x.session.say <- status("u")
			time.Sleep(50 * time.Millisecond)
			x.respond(`{"content":[]}`)
		}
		if w == overEvents {
			f.awaitStream(s.fake, "d")
		}
		got := waiting.call(`tasks/result {"taskId":"u"}`)
		equal(t, "on the stream of the result", got[0], status("u"))
		stream.silent(50 * time.Millisecond)
	})
}

// TestTaskStatusOnItsCall passes what a server says of a task on the stream of the
// call that creates it.
func TestTaskStatusOnItsCall(t *testing.T) {
	t.Parallel()
	s := working("a", overEvents)
	s.answer = func(x *exchange) {
		x.send(status("t"))
		s.work(x)
	}
	client := newFleet(t, s.fake).connect("/mcp", "c", `{}`)
	got := client.call(`tools/call {"name":"a__do","arguments":{"id":"t"},"task":{}}`)
	equal(t, "status", got[0], status("t"))
}

// sharing returns a server whose session all clients share, with tasks.
func sharing(w wire) *worker {
	s := working("a", w)
	s.isolation = "shared"
	return s
}

// TestSharedTaskStatus tells nobody but a task's owners of it, even if the server
// speaks of it before anybody can know whose it is.
func TestSharedTaskStatus(t *testing.T) {
	onEach(t, []wire{overEvents, overSSE, overStdio}, func(t *testing.T, w wire) {
		s := sharing(w)
		s.answer = func(x *exchange) {
			if x.Method == "tools/call" {
				x.session.say <- status("t")
				time.Sleep(20 * time.Millisecond)
			}
			s.work(x)
		}
		f := newFleet(t, s.fake)
		client, other := f.connect("/mcp", "c", `{}`), f.connect("/mcp/server/a", "d", `{}`)
		stream, theirs := client.open(), other.open()
		client.create("a__", "t")
		equal(t, "while it is created", stream.expect("status"), status("t"))
		session := s.sessionOf("mcphub")
		session.say <- status("nobody's")
		session.say <- status("t")
		equal(t, "later", stream.expect("status"), status("t"))
		other.call(`tasks/get {"taskId":"t"}`) // who knows the id
		session.say <- status("t")
		stream.expect("status")
		equal(t, "who asked for it", theirs.expect("status"), status("t"))
		client.do("DELETE", "").close()
		l := f.hub.linkTo("a")
		f.eventually("one owner", func() bool { return l.shared.ownersOf("t") == 1 })
		theirs.silent(50 * time.Millisecond)
	})
}

// ownersOf returns how many clients own a task.
func (a *audience) ownersOf(id string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.tasks[id])
}

func (f *fleet) eventually(what string, is func() bool) {
	f.t.Helper()
	for began := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			f.t.Fatalf("never: %s", what)
		}
	}
}

// TestSharedTaskStatusOnACall has a server with a shared session speak of one
// client's task on the stream of another's call.
func TestSharedTaskStatusOnACall(t *testing.T) {
	t.Parallel()
	s := sharing(overEvents)
	f := newFleet(t, s.fake)
	client, other := f.connect("/mcp", "c", `{}`), f.connect("/mcp", "d", `{}`)
	stream := client.open()
	client.create("a__", "t")
	s.answer = func(x *exchange) {
		x.send(status("t"))
		x.respond(`{}`)
	}
	if got := other.call(`tools/call {"name":"a__do"}`); len(got) != 1 {
		t.Errorf("a client was told of another's task: %q", got)
	}
	equal(t, "its owner", stream.expect("status"), status("t"))
}

// TestSharedTaskList shows each client its own tasks of a shared session.
func TestSharedTaskList(t *testing.T) {
	t.Parallel()
	s := sharing(overStdio)
	f := newFleet(t, s.fake)
	mine, other, alone := f.connect("/mcp", "c", `{}`), f.connect("/mcp", "d", `{}`), f.connect("/mcp/server/a", "e", `{}`)
	mine.create("a__", "one")
	other.create("a__", "two")
	alone.create("", "three")
	for id, c := range map[string]*client{"one": mine, "two": other, "three": alone} {
		equal(t, id, c.result(`tasks/list`), `{"tasks":[{"taskId":"`+id+`","by":"a","n":9007199254740993}]}`)
	}
	mine.call(`tasks/get {"taskId":"three"}`)
	if got := mine.result(`tasks/list`); strings.Count(got, "taskId") != 2 {
		t.Errorf("after a task was asked for by its id: %s", got)
	}
}

// TestEarlyStatusIsBounded has a server speak of what nobody owns.
func TestEarlyStatusIsBounded(t *testing.T) {
	t.Parallel()
	s := sharing(overStdio)
	proceed := make(chan struct{})
	s.answer = func(x *exchange) {
		<-proceed
		s.work(x)
	}
	f := newFleet(t, s.fake)
	client := f.connect("/mcp", "c", `{}`)
	l := f.hub.linkTo("a")
	early := func() int {
		l.shared.mu.Lock()
		defer l.shared.mu.Unlock()
		return len(l.shared.early)
	}
	session := s.sessionOf("mcphub")
	session.say <- status("before")
	go client.create("a__", "t")
	s.awaitMethod("tools/call")
	session.say <- status(strings.Repeat("x", maxEarlyBytes))
	for i := range 2 * maxEarly {
		session.say <- status(fmt.Sprint(i))
	}
	f.eventually("the bound", func() bool { return early() == maxEarly })
	close(proceed)
	f.eventually("nothing is kept", func() bool { return early() == 0 })
}

// awaitStream waits until a client's session at a server has a stream for what
// belongs to no call.
func (f *fleet) awaitStream(s *fake, client string) {
	f.t.Helper()
	for began := time.Now(); s.streamsOf(client) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			f.t.Fatalf("%s: the hub does not listen in the session of %s", s.id, client)
		}
	}
}
