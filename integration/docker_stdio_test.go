package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	docker "github.com/moby/moby/client"
)

// The ways in which the hub reaches a container whose server speaks over stdio.
const (
	byExec   = "exec"   // it runs a command in the container
	byAttach = "attach" // it attaches to the container's own process
)

// stdioServer is the tests' own server over stdio. With byExec it runs beside the container's own process.
func stdioServer(id, way string, labels ...string) spec {
	s := ownServer(id)
	s.Labels, s.Expose = append([]string{".id=" + id}, labels...), []string{}
	switch way {
	case byExec:
		s.Labels = append([]string{".command=/server stdio"}, s.Labels...)
	case byAttach:
		s.Labels, s.Cmd = append(s.Labels, ".transport=stdio"), []string{"stdio"}
		s.Edit = func(c *container.Config, _ *container.HostConfig) { c.OpenStdin = true }
	}
	return s
}

// commands returns the commands that run in a container, as the engine has them.
func (b *box) commands() (running []docker.ExecInspectResult) {
	b.lab.t.Helper()
	for _, id := range b.lab.inspect(b).ExecIDs {
		found, err := b.lab.engine.ExecInspect(b.lab.t.Context(), id, docker.ExecInspectOptions{})
		if err == nil && found.Running { // those that have ended are forgotten after a while
			running = append(running, found)
		}
	}
	return running
}

// eachWay runs a test for both ways, beside a neighbour that is reached over HTTP.
func eachWay(t *testing.T, test func(t *testing.T, l *lab, way string)) {
	for _, way := range []string{byExec, byAttach} {
		t.Run(way, func(t *testing.T) { test(t, newLab(t), way) })
	}
}

// awaitServed returns when a tool of a server is answered by the container, which may have to be connected again.
func (h *labHub) awaitServed(c *client, id string, b *box) {
	h.t.Helper()
	eventually(h.t, labLimit, "an answer of "+id, func() bool { return h.asks(c, id) == b.id[:12] })
}

// TestCase57_Exec: a command in a container is a server.
func TestCase57_Exec(t *testing.T) {
	t.Run("serves each session", func(t *testing.T) {
		l := newLab(t)
		server := l.run(stdioServer("server", byExec, ".isolation=session", ".env.NAME=exec", ".user=65532", ".workdir=/tmp"))
		hub := l.hub()
		hub.until("server connected")
		first, second := hub.open("/mcp"), hub.open("/mcp")
		hub.serves(first, "server", server)
		hub.serves(second, "server", server)
		if got := len(server.commands()); got != 3 {
			t.Errorf("%d commands run in the container, want the hub's own and one for each of two clients", got)
		}
		second.end()
		eventually(t, labLimit, "the end of the client's command", func() bool { return len(server.commands()) == 2 })
		if !strings.Contains(hub.Output(), "exec is ready") {
			t.Error("what the command wrote to its standard error is not in the hub's log")
		}
	})
	t.Run("ends with the hub", func(t *testing.T) {
		l := newLab(t)
		server := l.run(stdioServer("server", byExec))
		hub := l.hub()
		hub.until("server connected")
		if err := hub.Stop(); err != nil {
			t.Errorf("the hub ended with %v", err)
		}
		eventually(t, labLimit, "the end of the command", func() bool { return len(server.commands()) == 0 })
	})
	t.Run("missing", func(t *testing.T) {
		l := newLab(t)
		l.serve("neighbour")
		l.run(stdioServer("server", byExec, ".command=/nowhere/server"))
		hub := l.hub()
		eventually(t, labLimit, "the reason", func() bool { return strings.Contains(hub.server("server").Error, "no such file") })
		expectText(t, hub.server("server").Error, "the command cannot be run in container "+l.name+"-server: exit status 12", "OCI runtime exec failed")
		eventually(t, labLimit, "the neighbour", func() bool { return hub.server("neighbour").Connected })
	})
	t.Run("deaf", func(t *testing.T) {
		l := newLab(t)
		server := l.run(stdioServer("server", byExec, ".command=/server deaf", ".isolation=session"))
		hub := l.hub()
		hub.until("server connected")
		c := hub.open("/mcp")
		hub.serves(c, "server", server)
		c.end()
		eventually(t, labLimit, "the problem at /health", func() bool {
			return strings.Contains(strings.Join(hub.server("server").Problems, ""), "1 of its processes run in container "+l.name+"-server without a session")
		})
		server.restart()
		eventually(t, labLimit, "the problem to be gone", func() bool {
			now := hub.server("server")
			return now.Connected && len(now.Problems) == 0
		})
	})
}

// TestStdioServerKilledInACall also shows that the server is served again when its container is.
func TestStdioServerKilledInACall(t *testing.T) {
	eachWay(t, func(t *testing.T, l *lab, way string) {
		neighbour, server := l.serve("neighbour"), l.run(stdioServer("server", way))
		hub := l.hub()
		hub.until("neighbour connected", "server connected")
		c := hub.open("/mcp")
		heard := c.listen(t)
		call := startSleep(t, c, "server")
		server.kill()
		call.fails(t, "outcome", l.name+"-server", "ended") // be it the process or its container that is heard of first
		server.start()
		hub.awaitServed(c, "server", server)
		call = startSleep(t, c, "server")
		server.restart()
		call.fails(t, "outcome")
		hub.awaitServed(c, "server", server)
		hub.serves(c, "neighbour", neighbour)
		expectNothing(t, heard)
	})
}

// Case 11 over stdio.
func TestStdioServerRemovedInACall(t *testing.T) {
	eachWay(t, func(t *testing.T, l *lab, way string) {
		neighbour, server := l.serve("neighbour"), l.run(stdioServer("server", way))
		hub := l.hub(shortLinger)
		hub.until("neighbour connected", "server connected")
		c := hub.open("/mcp")
		heard := c.listen(t)
		call := startSleep(t, c, "server")
		server.remove()
		call.fails(t, "server")
		awaitMethod(t, heard, toolsChanged, labLimit)
		hub.until("neighbour connected")
		hub.serves(c, "neighbour", neighbour)
	})
}

// Cases 7 and 8 over stdio: what is said to a paused process waits, and no longer than the call may.
func TestStdioServerPaused(t *testing.T) {
	eachWay(t, func(t *testing.T, l *lab, way string) {
		neighbour, server := l.serve("neighbour"), l.run(stdioServer("server", way, ".timeout=8s"))
		hub := l.hub()
		hub.until("neighbour connected", "server connected")
		c := hub.open("/mcp")
		heard := c.listen(t)
		call := startSleepOf(t, c, "server", time.Second)
		server.pause()
		hub.until("neighbour connected", "server suspended")
		hub.serves(c, "neighbour", neighbour)
		call.waits(t)
		server.unpause()
		call.answers(t)
		hub.until("neighbour connected", "server connected")

		call = startSleepOf(t, c, "server", 6*time.Second)
		server.pause()
		call.fails(t, "server", "8s")
		server.unpause()
		hub.until("neighbour connected", "server connected")
		hub.awaitServed(c, "server", server)
		expectNothing(t, heard)
	})
}

// Case 36 over stdio.
func TestStdioServerUnhealthyInASession(t *testing.T) {
	eachWay(t, func(t *testing.T, l *lab, way string) {
		s := checked(stdioServer("server", way), time.Hour)
		check := s.Edit
		s.Edit = func(c *container.Config, h *container.HostConfig) {
			check(c, h)
			c.OpenStdin = way == byAttach
		}
		server := l.run(s)
		server.turn("good")
		hub := l.hub()
		hub.until("server connected")
		c := hub.open("/mcp")
		hub.serves(c, "server", server)
		server.turn("bad")
		eventually(t, labLimit, "the engine to say unhealthy", func() bool { return l.inspect(server).State.Health.Status == container.Unhealthy })
		hub.keeps(2*time.Second, "server connected")
		hub.serves(c, "server", server)
	})
}

// TestAttachRefused: what stands in the way of attaching is said with its mend, and harms nobody.
func TestAttachRefused(t *testing.T) {
	l := newLab(t)
	neighbour := l.serve("neighbour")
	terminal, closed := stdioServer("terminal", byAttach), stdioServer("closed", byAttach)
	terminal.Edit = func(c *container.Config, _ *container.HostConfig) { c.OpenStdin, c.Tty = true, true }
	closed.Edit, closed.Cmd = nil, []string{"deaf"}
	l.run(terminal)
	l.run(closed)
	hub := l.hub("MCPHUB_RECONNECT_MAX_ATTEMPTS=0")
	hub.until("closed away", "neighbour connected", "terminal away")
	expectText(t, hub.server("terminal").Error, "has a terminal", "take tty: true away")
	expectText(t, hub.server("closed").Error, "keeps no standard input open", "set stdin_open: true")
	hub.serves(hub.open("/mcp"), "neighbour", neighbour)
}

// TestAttachAfterTheHub: a process that has had a session with an earlier hub, and takes no second, is started anew.
func TestAttachAfterTheHub(t *testing.T) {
	l := newLab(t)
	server := l.run(stdioServer("server", byAttach))
	started := l.inspect(server).State.StartedAt
	hub := l.hub()
	hub.until("server connected")
	hub.serves(hub.open("/mcp"), "server", server)
	if l.inspect(server).State.StartedAt != started {
		t.Error("the container was restarted for its first hub")
	}
	hub.Kill()
	hub = l.hub()
	hub.until("server connected")
	hub.serves(hub.open("/mcp"), "server", server)
	if l.inspect(server).State.StartedAt == started {
		t.Error("the second hub speaks to a process that the first had a session with")
	}
	if said := hub.Output(); strings.Count(said, "container restarted") != 1 {
		t.Errorf("the hub's log does not tell of one restart:\n%s", said)
	}
}

// TestCase60_HubKilledUnderCommands: the engine ends what an exec has started when the hub is killed, but for what ignores
// the end of its input: of that the next hub tells. (That the hub starts containers itself is not offered.)
func TestCase60_HubKilledUnderCommands(t *testing.T) {
	l := newLab(t)
	polite, deaf := l.run(stdioServer("polite", byExec)), l.run(stdioServer("deaf", byExec, ".command=/server deaf"))
	hub := l.hub()
	hub.until("deaf connected", "polite connected")
	hub.Kill()
	eventually(t, labLimit, "the end of what is polite", func() bool { return len(polite.commands()) == 0 })
	if got := len(deaf.commands()); got != 1 {
		t.Errorf("%d commands run that ignore the end of their input, want 1", got)
	}
	hub = l.hub()
	hub.until("deaf connected", "polite connected")
	eventually(t, labLimit, "the one that was left at /health", func() bool { return fmt.Sprint(hub.server("deaf").Problems) != "[]" })
	if got := hub.server("polite").Problems; len(got) > 0 {
		t.Errorf("told of the polite one: %q", got)
	}
	if got := hub.server("deaf").Problems[0]; !strings.Contains(got, "1 of its processes") {
		t.Errorf("told of the deaf one: %q", got)
	}
}
