package integration

import (
	"net"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	tcnetwork "github.com/testcontainers/testcontainers-go/network"
)

// The cases of networks. The hub runs as its image: on the engine's host it would reach all of them.

func TestCase25_NoSharedNetwork(t *testing.T) {
	l := newLab(t)
	here, there := l.network(), l.network()
	neighbour := l.run(ownServer("neighbour").on(here))
	hub := l.containedHub(here)
	hub.until("neighbour connected")
	server := l.run(ownServer("server").on(there))
	hub.within(5*time.Second, "neighbour connected", "server unreachable") // a dial would take longer to say so
	got := hub.server("server")
	expectText(t, got.Error, server.name, here.Name, there.Name, "put them on a network together")
	if got.Attempts != 0 {
		t.Errorf("attempts to connect: got %d, want none", got.Attempts)
	}
	c := hub.open("/mcp")
	hub.serves(c, "neighbour", neighbour)
	expectServers(t, c, "neighbour")
}

func TestCase26_ConnectedToASharedNetworkLater(t *testing.T) {
	l := newLab(t)
	here, there := l.network(), l.network()
	hub := l.containedHub(here)
	c := hub.open("/mcp")
	heard := c.listen(t)
	server := l.run(ownServer("server").on(there))
	hub.until("server unreachable")
	l.connect(server, here)
	awaitMethod(t, heard, toolsChanged, labLimit)
	hub.until("server connected")
	hub.serves(c, "server", server)
}

func TestCase27_DisconnectedFromTheNetworkInUse(t *testing.T) {
	l := newLab(t)
	one, other := l.network(), l.network()
	server := l.run(ownServer("server", ".drain=1s").on(one, other))
	hub := l.hubBox(spec{Edit: l.socket}.on(one, other))
	hub.until("server connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	used, left := one, other
	if hub.route(c, "server") == l.address(server, other).String() {
		used, left = other, one
	}
	l.disconnect(server, used)
	eventually(t, labLimit, "the other network in use", func() bool {
		return hub.route(c, "server") == l.address(server, left).String()
	})
	expectNothing(t, heard)
	l.disconnect(server, left)
	hub.until("server unreachable")
}

// route returns the address that the hub reaches a server at.
func (h *labHub) route(c *client, id string) string {
	h.t.Helper()
	got, err := c.call(h.t.Context(), id+"__header", map[string]any{"name": "X-Host"})
	if err != nil {
		return err.Error()
	}
	host, _, _ := net.SplitHostPort(got)
	return host
}

func TestCase28_TheSameOfTwoNetworksOverRestarts(t *testing.T) {
	l := newLab(t)
	networks := []*testcontainers.DockerNetwork{l.network(), l.network()}
	server := l.run(ownServer("server").on(networks...))
	hub := l.hubBox(spec{Edit: l.socket}.on(networks...))
	hub.until("server connected")
	c := hub.open("/mcp")
	used := networks[0]
	if networks[1].Name < networks[0].Name {
		used = networks[1]
	}
	for i := range 20 {
		if got, want := hub.route(c, "server"), l.address(server, used).String(); got != want {
			t.Fatalf("after %d restarts: reached at %s, want %s in %s", i, got, want, used.Name)
		}
		server.restart()
	}
}

func TestCase29_NetworkByLabel(t *testing.T) {
	l := newLab(t)
	first, wanted := l.named("a"), l.named("b")
	whole := l.run(ownServer("whole", ".network="+wanted.Name).on(first, wanted))
	short := l.run(l.service("short", "1", ".network=b").on(first, wanted))
	l.run(ownServer("wrong", ".network=c").on(first, wanted))
	hub := l.hubBox(spec{Edit: l.socket}.on(first, wanted))
	hub.until("short connected", "whole connected", "wrong unreachable")
	c := hub.open("/mcp")
	for id, b := range map[string]*box{"whole": whole, "short": short} {
		if got, want := hub.route(c, id), l.address(b, wanted).String(); got != want {
			t.Errorf("%s: reached at %s, want %s in %s", id, got, want, wanted.Name)
		}
	}
	expectText(t, hub.server("wrong").Error, "network c", first.Name, wanted.Name)
}

func TestCase30_InternalNetwork(t *testing.T) {
	l := newLab(t)
	internal := l.network(tcnetwork.WithInternal())
	server := l.run(ownServer("server", ".port=8080").on(internal))
	l.run(ownServer("silent").on(internal)) // of which the engine lists no ports there
	hub := l.hubBox(spec{Edit: l.socket}.on(l.network(), internal))
	hub.until("server connected", "silent invalid")
	hub.serves(hub.open("/mcp"), "server", server)
	expectText(t, hub.server("silent").Error, "internal network", "mcphub.port")
}
