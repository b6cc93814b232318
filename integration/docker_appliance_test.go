package integration

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	docker "github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go/exec"
)

// The cases of the hub's own image.

func TestCase47_SocketProxy(t *testing.T) {
	l := newLab(t)
	n, socket := l.network(), l.network()
	proxy := l.run(spec{
		Name: "proxy", Cmd: []string{"socketproxy"}, Edit: l.socket,
		Env: []string{`ALLOW=^(HEAD /_ping|GET /v1\.[0-9]+/(containers/json|events))$`},
	}.on(socket))
	hub := l.hubBox(spec{Env: []string{"DOCKER_HOST=tcp://" + proxy.name + ":2375"}}.on(n, socket))
	l.run(ownServer("neighbour").on(n))
	server := l.run(ownServer("server").on(n))
	hub.until("neighbour connected", "server connected")
	c := hub.open("/mcp")
	hub.serves(c, "server", server)
	server.restart()
	hub.until("neighbour connected", "server connected")
	hub.serves(c, "server", server)
	hub.engineSays("")
	if said := proxy.output(); strings.Contains(said, "refused ") || !strings.Contains(said, "allowed GET ") {
		t.Errorf("the hub made calls that it need not make:\n%s", said)
	}
}

// Nobody's hub, as the image has it, needs the group of the socket, and says which that is.
func TestCase51_SocketThatIsOfNoUse(t *testing.T) {
	l := newLab(t)
	path := l.socketPath()
	group, err := fileGroup(path)
	l.must(err)
	n := l.network()
	without := func(name, from string) *labHub {
		return l.hubBox(spec{Name: name, Edit: func(_ *container.Config, h *container.HostConfig) {
			h.Binds = []string{from + ":/var/run/docker.sock"}
		}}.on(n))
	}
	hub := without("groupless", path)
	hub.engineSays("permission denied on the socket /var/run/docker.sock")
	hub.engineSays("run the hub with --group-add " + group)
	expectText(t, hub.box.output(), "--group-add "+group)
	if status := hub.health().Status; status != "healthy" {
		t.Errorf("/health says %s, want healthy: the hub serves", status)
	}
	hub.open("/mcp")

	// Docker makes a directory of what is to be mounted and is not there.
	hub = without("directory", filepath.Join(t.TempDir(), "missing.sock"))
	hub.engineSays("/var/run/docker.sock is a directory")
	hub.open("/mcp")
}

func TestCase52_NothingToWriteAndNoRights(t *testing.T) {
	l := newLab(t)
	n := l.network()
	server := l.run(ownServer("server").on(n))
	hub := l.hubBox(spec{Edit: func(c *container.Config, h *container.HostConfig) {
		l.socket(c, h)
		h.ReadonlyRootfs, h.CapDrop, h.SecurityOpt = true, []string{"ALL"}, []string{"no-new-privileges:true"}
	}}.on(n))
	hub.until("server connected")
	hub.serves(hub.open("/mcp"), "server", server)
}

func TestCase53_HealthCheckInTheImage(t *testing.T) {
	l := newLab(t)
	hub := l.hubBox(spec{
		Env: []string{"MCPHUB_DOCKER=off", "MCPHUB_AUTH_TOKEN=secret", "MCPHUB_SERVERS=away=http://127.0.0.1:9/mcp"},
		Edit: func(c *container.Config, _ *container.HostConfig) {
			c.Healthcheck = &container.HealthConfig{Interval: time.Second}
		},
	})
	eventually(t, labLimit, "the container to be healthy", func() bool {
		return l.inspect(hub.box).State.Health.Status == container.Healthy
	})
	for port, want := range map[string]int{"7070": 0, "7071": 1} {
		options := exec.ProcessOptionFunc(func(o *exec.ProcessOptions) { o.ExecConfig.Env = []string{"MCPHUB_PORT=" + port} })
		status, output, err := hub.box.Exec(t.Context(), []string{"/mcphub", "healthcheck"}, options, exec.Multiplexed())
		l.must(err)
		if status != want {
			t.Errorf("healthcheck at port %s: got status %d, want %d\n%s", port, status, want, tail(output))
		}
	}
}

func TestCase54_SIGTERMWithACallInFlight(t *testing.T) {
	l := newLab(t)
	n := l.network()
	hub := l.containedHub(n)
	l.run(ownServer("server").on(n))
	hub.until("server connected")
	call := startSleepOf(t, hub.open("/mcp"), "server", 3*time.Second)
	waited := l.engine.ContainerWait(t.Context(), hub.box.id, docker.ContainerWaitOptions{})
	_, err := l.engine.ContainerKill(t.Context(), hub.box.id, docker.ContainerKillOptions{Signal: "SIGTERM"})
	l.must(err)
	call.answers(t)
	select {
	case end := <-waited.Result:
		if end.StatusCode != 0 {
			t.Errorf("the hub ended with status %d, want 0", end.StatusCode)
		}
	case err := <-waited.Error:
		t.Fatal(err)
	case <-time.After(labLimit):
		t.Fatalf("waited %v for the hub to end", labLimit)
	}
}

func TestCase55_HubWithLabels(t *testing.T) {
	l := newLab(t)
	n := l.network()
	server := l.run(ownServer("server").on(n))
	hub := l.hubBox(spec{Labels: []string{".id=hub", ".port=7070", ".group=all"}, Edit: l.socket}.on(n))
	hub.until("server connected")
	hub.keeps(2*time.Second, "server connected")
	hub.serves(hub.open("/mcp"), "server", server)
}

func TestCase56_TwoHubs(t *testing.T) {
	l := newLab(t)
	home, work := l.hub("MCPHUB_INSTANCE=home"), l.hub("MCPHUB_INSTANCE=work")
	all := l.serve("all")
	both := l.serve("both", ".instance=home,work")
	one, other := l.serve("one", ".instance=home"), l.serve("other", ".instance=work")
	l.serve("none", ".instance=elsewhere")
	home.until("all connected", "both connected", "one connected")
	work.until("all connected", "both connected", "other connected")
	for hub, boxes := range map[*labHub]map[string]*box{
		home: {"all": all, "both": both, "one": one}, work: {"all": all, "both": both, "other": other},
	} {
		c := hub.open("/mcp")
		for id, b := range boxes {
			hub.serves(c, id, b)
		}
	}
}

// output returns what the container has written last.
func (b *box) output() string {
	b.lab.t.Helper()
	logs, err := b.Container.Logs(b.lab.t.Context())
	b.lab.must(err)
	defer logs.Close()
	return tail(logs)
}
