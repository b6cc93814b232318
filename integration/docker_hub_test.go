package integration

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
)

// labHub is a hub that follows the engine and sees what its lab has there.
type labHub struct {
	t   testing.TB
	URL string
	box *box // its container, if it runs in one
	*process
}

// shortLinger has a container's features go soon after its end, so that a case need not wait.
const shortLinger = "MCPHUB_DOCKER_LINGER=2s"

// hub starts the hub's binary on this machine, which reaches containers at their own addresses.
func (l *lab) hub(env ...string) *labHub {
	l.t.Helper()
	p := startHub(l.t, hubOptions{Env: slices.Concat(l.follow(), []string{"MCPHUB_DOCKER_SELF=none"}, env)})
	return &labHub{t: l.t, URL: p.URL, process: p}
}

// follow is the part of a hub's environment that has it see the lab alone. What env says after it wins.
func (l *lab) follow() []string {
	return []string{"MCPHUB_DOCKER=on", "MCPHUB_DOCKER_FILTER=label=" + labelOf + "=" + l.name, "MCPHUB_LOG_LEVEL=debug"}
}

// containedHub starts the hub's image on a network, with the engine's socket, and reaches it through a mapped port.
func (l *lab) containedHub(n *testcontainers.DockerNetwork, env ...string) *labHub {
	l.t.Helper()
	return l.hubBox(spec{Env: env, Edit: l.socket}.on(n))
}

// hubBox starts the hub's image as a spec says, which need not name what is the same for all.
func (l *lab) hubBox(s spec) *labHub {
	l.t.Helper()
	s.Image, s.Expose, s.Publish = l.image(hubImage), []string{}, []string{"7070/tcp"}
	if s.Name == "" {
		s.Name = "hub"
	}
	s.Env = append(l.follow(), s.Env...)
	b := l.run(s)
	hub := &labHub{t: l.t, box: b}
	hub.locate()
	return hub
}

// socket gives a container the engine's socket, and its user the group that may use it.
func (l *lab) socket(config *container.Config, host *container.HostConfig) {
	l.t.Helper()
	path := l.socketPath()
	host.Binds = append(host.Binds, path+":/var/run/docker.sock")
	if group, err := fileGroup(path); err != nil {
		l.t.Fatal(err)
	} else {
		host.GroupAdd = append(host.GroupAdd, group)
	}
}

// socketPath returns the engine's socket, or skips the test where the engine listens elsewhere.
func (l *lab) socketPath() string {
	l.t.Helper()
	at, err := url.Parse(l.engine.DaemonHost())
	if err != nil || at.Scheme != "unix" {
		l.t.Skipf("the engine at %s has no socket that a container could be given", l.engine.DaemonHost())
	}
	if _, err := os.Stat(at.Path); err != nil {
		l.t.Skip(err)
	}
	return at.Path
}

// locate finds the hub's mapped port, and returns when /health answers there.
func (h *labHub) locate() {
	h.t.Helper()
	ctx, l := h.t.Context(), h.box.lab
	host, err := h.box.Host(ctx)
	l.must(err)
	port, err := h.box.MappedPort(ctx, "7070/tcp")
	l.must(err)
	h.URL = "http://" + net.JoinHostPort(host, fmt.Sprint(port.Num()))
	eventually(h.t, labLimit, "/health of the hub's container", func() bool {
		if !l.inspect(h.box).State.Running {
			h.t.Fatal("the hub's container has ended")
		}
		return answers(h.URL + "/health")
	})
}

// open starts a session at a path of the hub.
func (h *labHub) open(path string) *client {
	h.t.Helper()
	return open(h.t, h.URL+path, "")
}

// serves reports when a tool of a server is not listed, or is not answered by the container.
func (h *labHub) serves(c *client, id string, b *box) {
	h.t.Helper()
	names, err := c.tools(h.t.Context())
	if name := id + "__whoami"; err != nil || !slices.Contains(names, name) {
		h.t.Errorf("tools/list: got %q, %v; want %s among them", names, err, name)
	}
	if got, want := h.asks(c, id), b.id[:12]; got != want {
		h.t.Errorf("container that answers as %s: got %s, want %s, which is %s", id, got, want, b.name)
	}
}

// asks returns the host name of the container that answers as a server, which is the beginning of its id, or the error.
func (h *labHub) asks(c *client, id string) string {
	h.t.Helper()
	got, err := c.call(h.t.Context(), id+"__whoami", map[string]any{})
	if err != nil {
		return err.Error()
	}
	return got
}

func (h *labHub) health() healthReport {
	h.t.Helper()
	return healthAt(h.t, h.URL)
}

// server returns what /health says of a server now.
func (h *labHub) server(id string) serverHealth {
	h.t.Helper()
	return h.health().server(id)
}

// states returns all that /health tells of servers, as "id state".
func (h *labHub) states() (all []string) {
	h.t.Helper()
	for _, s := range h.health().Servers {
		all = append(all, s.ID+" "+s.State)
	}
	return all
}

// until returns when /health tells of these servers in these states, sorted by id, and of no others.
func (h *labHub) until(want ...string) {
	h.t.Helper()
	h.within(labLimit, want...)
}

func (h *labHub) within(limit time.Duration, want ...string) {
	h.t.Helper()
	deadline := time.Now().Add(limit)
	got := h.states()
	for ; !slices.Equal(got, want); got = h.states() {
		if time.Now().After(deadline) {
			h.t.Fatalf("servers at /health after %v:\n got %s\nwant %s\n%+v", limit, strings.Join(got, ", "), strings.Join(want, ", "), h.health())
		}
		time.Sleep(pollEvery)
	}
}

// keeps reports each state of the servers that differs while the time runs.
func (h *labHub) keeps(d time.Duration, want ...string) {
	h.t.Helper()
	for over := time.Now().Add(d); time.Now().Before(over); time.Sleep(pollEvery) {
		if got := h.states(); !slices.Equal(got, want) {
			h.t.Fatalf("servers at /health: got %s, want %s", strings.Join(got, ", "), strings.Join(want, ", "))
		}
	}
}

// problem returns what /health says of the declaration of an id that is not followed.
func (h *labHub) problem(id string) serverHealth {
	h.t.Helper()
	for _, s := range h.health().Servers {
		if s.ID == id && (s.State == "conflict" || s.State == "invalid") {
			return s
		}
	}
	h.t.Errorf("/health tells of no problem with %s", id)
	return serverHealth{}
}

// expectText reports those of the texts that are not in what was said.
func expectText(t testing.TB, said string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("got %q, want %q in it", said, text)
		}
	}
}

// watchIDs looks at /health again and again, until what it returns is called, which tells the ids
// that were there, and errors.
func (h *labHub) watchIDs() func() []string {
	over, seen := make(chan struct{}), make(chan map[string]bool)
	go func() {
		ids := map[string]bool{}
		for {
			select {
			case <-over:
				seen <- ids
				return
			case <-time.After(pollEvery):
				report, err := fetchHealth(h.URL)
				if err != nil {
					ids[err.Error()] = true
				}
				for _, s := range report.Servers {
					ids[s.ID] = true
				}
			}
		}
	}()
	return func() []string {
		close(over)
		return slices.Sorted(maps.Keys(<-seen))
	}
}
