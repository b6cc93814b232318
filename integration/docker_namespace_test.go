package integration

import (
	"errors"
	"testing"

	"github.com/moby/moby/api/types/container"
)

// The cases of containers that have no network of their own.

// inNetworkOf has a container use what a network mode says, and exposes nothing, as the engine wants it.
func (s spec) inNetworkOf(mode string) spec {
	s.Expose = []string{}
	edit := s.Edit
	s.Edit = func(c *container.Config, h *container.HostConfig) {
		h.NetworkMode = container.NetworkMode(mode)
		if edit != nil {
			edit(c, h)
		}
	}
	return s
}

// reaches reports when a server does not answer, or had requests that were not for it. In another's network it does not
// know its own name.
func (h *labHub) reaches(c *client, id string) {
	h.t.Helper()
	got, err := c.call(h.t.Context(), id+"__header", map[string]any{"name": "X-For"})
	strangers, strangersErr := c.call(h.t.Context(), id+"__strangers", map[string]any{})
	if err := errors.Join(err, strangersErr); err != nil || got != id || strangers != "0" {
		h.t.Errorf("%s has a request for %q and had %q for others, %v; want its own, and none", id, got, strangers, err)
	}
}

// onPort has the tests' own server listen on a port, and its labels say so.
func (s spec) onPort(port string) spec {
	s.Env, s.Labels = append(s.Env, "PORTS="+port), append(s.Labels, ".port="+port)
	return s
}

func TestCase31_ServerInTheHostsNetwork(t *testing.T) {
	l := newLab(t)
	n := l.network()
	l.run(ownServer("neighbour").on(n))
	l.run(ownServer("server").onPort(portText(freePort(t))).inNetworkOf("host"))
	l.run(ownServer("portless").inNetworkOf("host"))
	named := spec{Name: "named", Edit: func(c *container.Config, h *container.HostConfig) {
		l.socket(c, h)
		h.ExtraHosts = append(h.ExtraHosts, "host.docker.internal:host-gateway")
	}}
	hubs := map[string]*labHub{
		"on the host":                   l.hub(),
		"with host.docker.internal":     l.hubBox(named.on(n)),
		"by the gateway of its network": l.containedHub(n),
	}
	for name, hub := range hubs {
		t.Run(name, func(t *testing.T) {
			hub.until("neighbour connected", "portless invalid", "server connected")
			hub.reaches(hub.open("/mcp"), "server")
			expectText(t, hub.server("portless").Error, "network mode host", "set mcphub.port")
		})
	}
}

// Who restarts leaves those behind that use its network, until they restart as well. That is the engine's way.
func TestCase32_ServerInAnothersNetwork(t *testing.T) {
	l := newLab(t)
	n := l.network()
	owner := l.run(ownServer("owner").on(n))
	guest := l.run(ownServer("guest").onPort("9090").inNetworkOf("container:" + owner.id))
	hub := l.hub()
	hub.until("guest connected", "owner connected")
	c := hub.open("/mcp")
	hub.reaches(c, "guest")
	call := startSleep(t, c, "guest")
	owner.restart()
	call.fails(t, "guest")
	hub.until("guest away", "owner connected")
	expectText(t, hub.server("guest").Error, "connection refused")
	hub.serves(c, "owner", owner)
	guest.restart()
	hub.until("guest connected", "owner connected")
	hub.reaches(c, "guest")
	hub.serves(c, "owner", owner)
}

func TestCase33_NoNetwork(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	neighbour := l.serve("neighbour")
	l.run(ownServer("server", ".port=8080").inNetworkOf("none"))
	hub.until("neighbour connected", "server invalid")
	expectText(t, hub.server("server").Error, "the container has no network (network_mode: none)")
	hub.serves(hub.open("/mcp"), "neighbour", neighbour)
}
