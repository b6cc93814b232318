package integration

import (
	"testing"

	"github.com/moby/moby/api/types/container"
)

// Where the hub runs decides how it reaches containers.

func TestHubUnderAnotherHostName(t *testing.T) {
	l := newLab(t)
	n := l.network()
	server := l.run(ownServer("server").on(n))
	elsewhere := l.run(ownServer("elsewhere").on(l.network()))
	hub := l.hubBox(spec{Edit: func(c *container.Config, h *container.HostConfig) {
		l.socket(c, h)
		c.Hostname = "gateway"
	}}.on(n))
	hub.until("elsewhere unreachable", "server connected")
	hub.serves(hub.open("/mcp"), "server", server)
	expectText(t, hub.server("elsewhere").Error, elsewhere.name, n.Name) // it knows its own networks all the same
}

func TestHubInTheHostsNetwork(t *testing.T) {
	l := newLab(t)
	port := portText(freePort(t))
	s := spec{Name: "hub", Image: l.image(hubImage), Expose: []string{}, Env: append(l.follow(), "MCPHUB_PORT="+port), Edit: l.socket}
	hub := &labHub{t: t, URL: "http://127.0.0.1:" + port, box: l.run(s.inNetworkOf("host"))}
	eventually(t, labLimit, "/health of the hub", func() bool { return answers(hub.URL + "/health") })
	bridged := l.run(ownServer("bridged").on(l.network()))
	l.run(ownServer("host").onPort(portText(freePort(t))).inNetworkOf("host"))
	hub.until("bridged connected", "host connected")
	c := hub.open("/mcp")
	hub.serves(c, "bridged", bridged)
	hub.reaches(c, "host")
}

// A hub that is told so goes by published ports, as it has to where containers have no address that it reaches.
func TestPublishedPorts(t *testing.T) {
	l := newLab(t)
	hub := l.hub("MCPHUB_DOCKER_ADDRESS=published")
	s := ownServer("server")
	s.Publish = []string{"8080/tcp"}
	server := l.run(s)
	l.serve("private")
	internal := l.serve("internal", ".address=internal")
	hub.until("internal connected", "private unreachable", "server connected")
	c := hub.open("/mcp")
	hub.serves(c, "server", server)
	hub.serves(c, "internal", internal)
	expectText(t, hub.server("private").Error, "is not published")
}
