package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

// The cases of servers that are not well, or not yet.

// checked gives a container a health check that is bad until turn says otherwise. Within grace, failures do not count.
func checked(s spec, grace time.Duration) spec {
	s.Env = append(s.Env, "HEALTH=bad")
	s.Edit = func(config *container.Config, _ *container.HostConfig) {
		config.Healthcheck = &container.HealthConfig{
			Test: []string{"CMD", "/server", "health"}, Interval: 300 * time.Millisecond, Timeout: 10 * time.Second,
			StartPeriod: grace, Retries: 1,
		}
	}
	return s
}

func TestCase34_StartingThenHealthy(t *testing.T) {
	l := newLab(t)
	n := l.network()
	neighbour := l.run(ownServer("neighbour").on(n))
	hub := l.containedHub(n)
	hub.until("neighbour connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	server := l.run(checked(ownServer("server"), time.Hour).on(n))
	hub.until("neighbour connected", "server waiting")
	hub.keeps(time.Second, "neighbour connected", "server waiting")
	expectText(t, hub.server("server").Error, "health check", server.name)
	if got := hub.server("server").Attempts; got != 0 {
		t.Errorf("attempts to connect: got %d, want none", got)
	}
	hub.serves(c, "neighbour", neighbour)
	expectServers(t, c, "neighbour")
	expectNothing(t, heard)
	server.turn("good")
	awaitMethod(t, heard, toolsChanged, labLimit)
	hub.serves(c, "server", server)
}

func TestCase35_StartingThenUnhealthy(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	neighbour := l.serve("neighbour")
	server := l.run(checked(ownServer("server"), 0))
	eventually(t, labLimit, "the health check to say unhealthy", func() bool {
		return strings.Contains(hub.server("server").Error, "unhealthy")
	})
	hub.until("neighbour connected", "server waiting")
	expectText(t, hub.server("server").Error, server.name, "mcphub.health=ignore")
	c := hub.open("/mcp")
	hub.serves(c, "neighbour", neighbour)
	expectServers(t, c, "neighbour")
	server.turn("good")
	hub.until("neighbour connected", "server connected")
	hub.serves(c, "server", server)
}

func TestCase36_UnhealthyInASession(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	first := l.run(checked(l.service("files", "1"), time.Hour))
	first.turn("good")
	hub.until("files connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	hub.serves(c, "files", first)
	first.turn("bad")
	eventually(t, labLimit, "the engine to say unhealthy", func() bool {
		return l.inspect(first).State.Health.Status == container.Unhealthy
	})
	hub.keeps(2*time.Second, "files connected")
	hub.serves(c, "files", first)
	second := l.run(l.service("files", "2"))
	eventually(t, labLimit, "the replica to serve", func() bool {
		return hub.asks(hub.open("/mcp"), "files") == second.id[:12]
	})
	for range 3 {
		hub.serves(hub.open("/mcp"), "files", second) // new sessions go to the one that is well
	}
	hub.serves(c, "files", first)
	expectNothing(t, heard)
}

func TestCase37_HealthIgnored(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	server := l.run(checked(ownServer("server", ".health=ignore"), time.Hour))
	hub.until("server connected")
	hub.serves(hub.open("/mcp"), "server", server)
	if got := l.inspect(server).State.Health.Status; got != container.Starting {
		t.Errorf("the engine says %s: this is not the case", got)
	}
}

func TestCase38_CrashLoop(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	neighbour := l.serve("neighbour")
	hub.until("neighbour connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	s := ownServer("server")
	s.Cmd = []string{"crash"}
	s.Edit = func(_ *container.Config, host *container.HostConfig) {
		host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyAlways}
	}
	l.run(s)
	calls := startCaller(t, c, false, "neighbour__add")
	hub.until("neighbour connected", "server crashing")
	expectText(t, hub.server("server").Error, "ends again and again", "log")
	calls.stop()
	calls.check(t, time.Time{})
	hub.serves(c, "neighbour", neighbour)
	expectServers(t, c, "neighbour")
	expectNothing(t, heard)
}

func TestCase39_ListensLongAfterItsStart(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	c := hub.open("/mcp")
	heard := c.listen(t)
	s := ownServer("server")
	s.Env = append(s.Env, "DELAY=5s")
	server := l.run(s)
	hub.until("server starting")
	hub.keeps(3*time.Second, "server starting")
	if got := hub.server("server").Attempts; got != 0 {
		t.Errorf("attempts while it boots: got %d, want none", got)
	}
	awaitMethod(t, heard, toolsChanged, labLimit)
	hub.until("server connected")
	hub.serves(c, "server", server)
}

// A server that says nothing holds up nobody: not its neighbour, and not the clients who ask for it.
func TestCase40_NeverAnswersInitialize(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	neighbour := l.serve("neighbour")
	mute := ownServer("mute")
	mute.Env = append(mute.Env, "MUTE=1")
	l.run(mute)
	hub.until("mute starting", "neighbour connected")
	c := hub.open("/mcp")
	hub.serves(c, "neighbour", neighbour)
	expectText(t, hub.asks(c, "mute"), "unknown tool")
	hub.open("/mcp/server/mute") // answered, in spite of the server
	eventually(t, 3*labLimit, "word that it does not answer", func() bool {
		return strings.Contains(hub.server("mute").Error, "has not answered within")
	})
	hub.serves(c, "neighbour", neighbour)
	hub.until("mute starting", "neighbour connected")
}
