package integration

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/api/types/container"
	docker "github.com/moby/moby/client"
)

// The cases of an engine that is away, or tells less than it should. What runs stays served meanwhile.

// through has a hub reach the engine by a gate.
func through(g *engineGate) string { return "DOCKER_HOST=" + g.host() }

func portText(port int) string { return strconv.Itoa(port) }

// engineSays returns when what /health says of the engine has the text in it; with none, when it says nothing.
func (h *labHub) engineSays(text string) {
	h.t.Helper()
	eventually(h.t, labLimit, fmt.Sprintf("/health to say %q of the engine", text), func() bool {
		said := h.health().Docker.Error
		return strings.Contains(said, text) && (said == "") == (text == "")
	})
}

func TestCase41_EventsAreCutAndComeBack(t *testing.T) {
	l := newLab(t)
	g := l.gate()
	g.open()
	hub := l.hub(through(g), shortLinger)
	goes, restarts, stays := l.serve("goes"), l.serve("restarts"), l.serve("stays")
	hub.until("goes connected", "restarts connected", "stays connected")
	c := hub.open("/mcp")
	g.shut()
	hub.engineSays("Cannot connect to the Docker daemon")
	goes.remove()
	restarts.restart()
	comes := l.serve("comes")
	hub.serves(c, "stays", stays)
	if got := len(hub.health().Servers); got != 3 {
		t.Errorf("the hub knows of %d servers, want the three that were listed last", got)
	}
	g.open()
	hub.until("comes connected", "restarts connected", "stays connected")
	hub.engineSays("")
	hub.serves(c, "comes", comes)
	hub.serves(c, "restarts", restarts)
	hub.serves(c, "stays", stays)
}

// Of a socket that was mounted itself, a container keeps the file that it was; of a mounted directory it sees the new one.
func TestCase42_SocketIsReplaced(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	g := l.gateAt(filepath.Join(dir, "docker.sock"))
	g.open()
	n := l.network()
	mounted := func(name, from, to string) *labHub {
		return l.hubBox(spec{Name: name, Env: []string{"DOCKER_HOST=unix:///run/engine/docker.sock"}, Edit: func(_ *container.Config, h *container.HostConfig) {
			h.Binds = []string{from + ":" + to}
		}}.on(n))
	}
	hub := mounted("directory", dir, "/run/engine")
	other := mounted("file", g.address, "/run/engine/docker.sock")
	server := l.run(ownServer("server").on(n))
	hub.until("server connected")
	other.until("server connected")
	c := hub.open("/mcp")
	g.shut()
	hub.engineSays("there is no socket at /run/engine/docker.sock")
	other.engineSays("mount the socket's directory instead of the socket")
	g.open()
	late := l.run(ownServer("late").on(n))
	hub.until("late connected", "server connected")
	hub.engineSays("")
	hub.serves(c, "late", late)
	hub.serves(c, "server", server)
	other.until("server connected")
}

func TestCase43_EngineComesLater(t *testing.T) {
	l := newLab(t)
	g := l.gate()
	server := l.serve("server")
	hub := l.hub(through(g))
	hub.engineSays(g.address)
	hub.until()
	if status := hub.health().Status; status != "healthy" {
		t.Errorf("/health says %s, want healthy: no server is away", status)
	}
	c := hub.open("/mcp")
	heard := c.listen(t)
	g.open()
	awaitMethod(t, heard, toolsChanged, 2*labLimit) // it is tried every 30 s at least
	hub.serves(c, "server", server)
	hub.engineSays("")
}

// The hub reads events while a list takes its time: else some would be lost, and the engine be slowed down for everybody.
func TestCase45_ListsTakeTheirTime(t *testing.T) {
	l := newLab(t)
	g := l.gateAt(filepath.Join(t.TempDir(), "docker.sock")) // a socket holds little of what is not read
	g.open()
	hub := l.hub(through(g))
	server := l.serve("server")
	hub.until("server connected")
	c := hub.open("/mcp")
	call := startSleep(t, c, "server")
	release := g.keepLists()
	listed, passed := g.count(listCall), g.passed()
	const renames = 2000
	l.renameOften(renames)
	server.kill()
	call.fails(t, "server")
	eventually(t, labLimit, "all events to be read", func() bool { return g.passed()-passed > renames })
	if g.count(listCall) == listed {
		t.Error("no list was asked for meanwhile: this is not the case")
	}
	late := l.serve("late")
	release()
	hub.until("late connected", "server stopped")
	hub.serves(c, "late", late)
}

// renameOften renames containers so many times in all, four at once. Their labels make the events of it long.
func (l *lab) renameOften(times int) {
	l.t.Helper()
	const boxes = 4
	var renaming sync.WaitGroup
	for i := range boxes {
		b := l.create(spec{Name: "renamed" + portText(i), Labels: []string{"long=" + strings.Repeat("x", 2<<10)}})
		renaming.Go(func() {
			for j := range times / boxes {
				name := fmt.Sprintf("%s-renamed%d-%d", l.name, i, j)
				if _, err := l.engine.ContainerRename(l.t.Context(), b.id, docker.ContainerRenameOptions{NewName: name}); err != nil {
					l.t.Error(err)
					return
				}
			}
		})
	}
	renaming.Wait()
}

func TestCase48_EventsAreForbidden(t *testing.T) {
	l := newLab(t)
	g := l.gate()
	g.refuse(eventsCall)
	g.open()
	hub := l.hub(through(g), shortLinger)
	hub.engineSays("events: ")
	hub.engineSays("the gate does not let through GET /events")
	expectText(t, hub.Output(), "the gate does not let through GET /events")
	c := hub.open("/mcp")
	heard := c.listen(t)
	server := l.serve("server")
	awaitMethod(t, heard, toolsChanged, 2*labLimit) // lists are asked for every 12 s at least
	hub.serves(c, "server", server)
	server.remove()
	awaitMethod(t, heard, toolsChanged, 2*labLimit)
	hub.until()
}

func TestCase49_PingIsForbidden(t *testing.T) {
	l := newLab(t)
	g := l.gate()
	g.refuse(pingCall)
	g.refuse("GET /_ping")
	g.open()
	hub := l.hub(through(g))
	hub.engineSays("")
	c := hub.open("/mcp")
	heard := c.listen(t)
	server := l.serve("server")
	awaitMethod(t, heard, toolsChanged, labLimit)
	hub.serves(c, "server", server)
}
