package integration

import (
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	docker "github.com/moby/moby/client"
)

// The cases of labels and ports that are not as they should be. Each has a good server beside it.

func TestCase19_MistakesInLabels(t *testing.T) {
	l := newLab(t)
	good := l.serve("good")
	l.serve("port", ".port=80800")
	l.serve("boolean", ".enable=maybe")
	l.run(spec{Name: "id", Labels: []string{".id=Not An Id"}})
	slip := l.serve("slip", ".prot=8080")
	hub := l.hub()
	hub.until("Not-An-Id invalid", "boolean invalid", "good connected", "port invalid", "slip connected")
	c := hub.open("/mcp")
	hub.serves(c, "good", good)
	hub.serves(c, "slip", slip)
	expectServers(t, c, "good", "slip")
	expectText(t, hub.server("port").Error, "mcphub.port", "80800", "65535")
	expectText(t, hub.server("boolean").Error, "mcphub.enable", "maybe")
	expectText(t, hub.server("Not-An-Id").Error, "mcphub.id", `"Not-An-Id" would do`)
	expectText(t, strings.Join(hub.server("slip").Problems, "; "), "did you mean mcphub.port?")
	for _, mistake := range []string{"80800", "maybe", "Not An Id", "did you mean mcphub.port?"} {
		if got := strings.Count(hub.Output(), mistake); got != 1 {
			t.Errorf("log: %q is in %d lines, want one", mistake, got)
		}
	}
}

func TestCase21_LargeOddAndEmptyLabels(t *testing.T) {
	l := newLab(t)
	good := l.serve("good")
	l.serve("large", ".description="+strings.Repeat("x", 100_000))
	lines := l.serve("lines", ".title=two\nlines\x1b[31m", ".description=")
	l.serve("quiet", ".port=", ".group=  ", ".path=")
	hub := l.hub()
	hub.until("good connected", "large invalid", "lines connected", "quiet connected")
	c := hub.open("/mcp")
	hub.serves(c, "good", good)
	hub.serves(c, "lines", lines)
	expectText(t, hub.server("large").Error, "mcphub.description", "100000 bytes", "65536")
	if got := hub.server("lines").Title; strings.ContainsAny(got, "\n\x1b") || !strings.Contains(got, "two") {
		t.Errorf("title: got %q, want it without what a terminal would obey", got)
	}
	if got := hub.server("quiet"); len(got.Groups)+len(got.Problems) > 0 {
		t.Errorf("of empty labels /health says %+v, want nothing", got)
	}
}

func TestCase22_NoExposedPort(t *testing.T) {
	l := newLab(t)
	good := l.serve("good")
	bare, said := ownServer("bare"), ownServer("said", ".port=8080")
	bare.Expose, said.Expose = []string{}, []string{}
	l.run(bare)
	told := l.run(said)
	hub := l.hub()
	hub.until("bare invalid", "good connected", "said connected")
	c := hub.open("/mcp")
	hub.serves(c, "good", good)
	hub.serves(c, "said", told)
	expectText(t, hub.server("bare").Error, "no EXPOSEd TCP port is listed", "mcphub.port")
}

func TestCase23_TwoExposedPorts(t *testing.T) {
	l := newLab(t)
	good := l.serve("good")
	several, said := ownServer("several"), ownServer("said", ".port=9090")
	several.Expose, said.Expose = []string{"8080/tcp", "9090/tcp"}, []string{"8080/tcp", "9090/tcp"}
	said.Env = append(said.Env, "PORTS=9090")
	l.run(several)
	told := l.run(said)
	hub := l.hub()
	hub.until("good connected", "said connected", "several invalid")
	c := hub.open("/mcp")
	hub.serves(c, "good", good)
	hub.serves(c, "said", told)
	expectText(t, hub.server("several").Error, "8080, 9090", "mcphub.port")
}

func TestCase24_OnePortListedSeveralTimes(t *testing.T) {
	l := newLab(t)
	s := ownServer("server")
	s.Expose, s.Publish = []string{"8080/udp"}, []string{"8080/tcp"}
	server := l.run(s)
	if got := l.listed(server); len(got) < 3 {
		t.Fatalf("the engine lists the ports %v: this is not the case", got)
	}
	hub := l.hub()
	hub.until("server connected")
	hub.serves(hub.open("/mcp"), "server", server)
}

// listed returns the ports of a container as the engine's list has them.
func (l *lab) listed(b *box) []container.PortSummary {
	l.t.Helper()
	found, err := l.engine.ContainerList(l.t.Context(), docker.ContainerListOptions{Filters: docker.Filters{}.Add("id", b.id)})
	l.must(err)
	return found.Items[0].Ports
}
