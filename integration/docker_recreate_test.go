package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The cases of containers that get another name, are made anew, or are one of several of their service.

func TestCase09_RenamedWithTheIDFromItsName(t *testing.T) {
	l := newLab(t)
	hub := l.hub(shortLinger)
	server := l.run(spec{Name: "before", Labels: []string{".title=any"}})
	hub.until(l.name + "-before connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	server.rename("after")
	awaitMethod(t, heard, toolsChanged, labLimit)
	hub.until(l.name + "-after connected")
	hub.serves(c, l.name+"-after", server)
	expectServers(t, c, l.name+"-after")
}

func TestCase10_RenamedWithTheIDFromALabel(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	server := l.serve("server")
	hub.until("server connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	since := hub.server("server").Since
	server.rename("after")
	eventually(t, labLimit, "the new name at /health", func() bool { return hub.server("server").Container == server.name })
	hub.serves(c, "server", server)
	if got := hub.server("server").Since; got != since {
		t.Errorf("connected since %s, before the new name since %s", got, since)
	}
	expectNothing(t, heard)
}

func TestCase11_RemovedInACall(t *testing.T) { endsInACall(t, (*box).remove) }

// service is the tests' own server as a service of Compose, from which it has its id.
func (l *lab) service(name, number string, labels ...string) spec {
	return spec{Name: name + "-" + number, Labels: slices.Concat(compose(l.name, name, number), []string{".enable=true"}, labels)}
}

// recreate makes a container anew as Compose does: the new one, with a name for a while, then the end of the old one.
func (b *box) recreate(s spec) (*box, life) {
	l := b.lab
	l.t.Helper()
	name := strings.TrimPrefix(b.name, l.name+"-")
	s.Name = ""
	s.FullName = b.id[:12] + "_" + b.name
	made := l.create(s)
	end := b.stop()
	b.remove()
	made.rename(name)
	made.start()
	return made, end
}

func TestCase12_RecreatedWithAnotherGroup(t *testing.T) {
	l := newLab(t)
	n := l.network()
	server := l.run(l.service("files", "1", ".group=before").on(n))
	l.run(ownServer("neighbour").on(n))
	hub := l.containedHub(n)
	hub.until("files connected", "neighbour connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	ids := hub.watchIDs()
	calls := startCaller(t, hub.open("/mcp"), false, "files__add", "neighbour__add")
	calls.awaitServed(t, "files__add", time.Now())
	made, end := server.recreate(l.service("files", "1", ".group=after").on(n))
	eventually(t, labLimit, "the new container to answer", func() bool { return hub.asks(c, "files") == made.id[:12] })
	hub.until("files connected", "neighbour connected")
	if got, want := ids(), []string{"files", "neighbour"}; !slices.Equal(got, want) {
		t.Errorf("ids at /health meanwhile: got %q, want %q", got, want)
	}
	if got, want := hub.server("files").Groups, []string{"after"}; !slices.Equal(got, want) {
		t.Errorf("groups: got %q, want %q", got, want)
	}
	expectServers(t, hub.open("/mcp/group/after"), "files")
	calls.awaitServed(t, "files__add", time.Now())
	calls.stop()
	calls.checkBut(t, end.began, end.died)
	expectNothing(t, heard)
}

func TestCase13_PortAndPathChangedByLabels(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	server := l.run(l.service("files", "1", ".port=8080"))
	hub.until("files connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	edited := l.service("files", "1", ".port=9090", ".path=/other")
	edited.Env = []string{"PORTS=9090", "ENDPOINT=/other"}
	made, _ := server.recreate(edited)
	eventually(t, labLimit, "the new container to answer", func() bool { return hub.asks(c, "files") == made.id[:12] })
	hub.until("files connected")
	expectNothing(t, heard)
}

func TestCase14_OneOffContainersAreIgnored(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	server := l.run(l.service("files", "1"))
	hub.until("files connected")
	once := l.service("files", "run")
	once.Labels = append(once.Labels, "com.docker.compose.oneoff=True")
	l.run(once)
	l.serve("later") // when the hub has seen this one it has seen the other
	hub.until("files connected", "later connected")
	for range 4 {
		hub.serves(hub.open("/mcp"), "files", server)
	}
	if got := hub.server("files").Container; got != server.name {
		t.Errorf("containers of the server: got %s, want %s alone", got, server.name)
	}
}

func TestCase15_ScaledUpAndDownWithSessions(t *testing.T) {
	l := newLab(t)
	n := l.network()
	boxes := []*box{l.run(l.service("files", "1").on(n))}
	hub := l.containedHub(n)
	hub.until("files connected")
	sessions := []*client{hub.open("/mcp")}
	heard := sessions[0].listen(t)
	hub.serves(sessions[0], "files", boxes[0])
	for i := 2; i <= 3; i++ {
		boxes = append(boxes, l.run(l.service("files", fmt.Sprint(i)).on(n)))
		eventually(t, labLimit, "the replica at /health", func() bool {
			return strings.Count(hub.server("files").Container, ",") == i-1
		})
	}
	spread := map[string]bool{boxes[0].id[:12]: true}
	for range 2 {
		c := hub.open("/mcp")
		sessions = append(sessions, c)
		spread[eventualAnswer(t, hub, c, "files")] = true
	}
	if len(spread) != len(boxes) {
		t.Errorf("three sessions are at %d containers, want one each", len(spread))
	}
	hub.serves(sessions[0], "files", boxes[0])
	for _, b := range boxes[1:] {
		b.stop()
		b.remove()
	}
	for i, c := range sessions {
		if got := hub.asks(c, "files"); got != boxes[0].id[:12] {
			t.Errorf("session %d after the scale down: got %s, want the container that is left", i, got)
		}
	}
	hub.until("files connected")
	expectNothing(t, heard)
}

// eventualAnswer returns which container a session is at.
func eventualAnswer(t *testing.T, hub *labHub, c *client, id string) string {
	t.Helper()
	got := hub.asks(c, id)
	for range 3 {
		if again := hub.asks(c, id); again != got {
			t.Errorf("a session was at %s and is at %s", got, again)
		}
	}
	return got
}
