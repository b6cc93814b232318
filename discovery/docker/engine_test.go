package docker

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

func TestRealLifeOfAContainer(t *testing.T) {
	l := newLab(t)
	l.run("before", nil)
	s := l.watch(nil)
	s.until("before: at IP:8080/mcp")
	s.answers("before", "before")

	id := l.run("after", nil, ".group=dev")
	s.until("after: at IP:8080/mcp; group dev; before: at IP:8080/mcp")
	s.answers("after", "after")
	first := s.instance("after")

	// A restart withdraws nothing on its way.
	l.restart(id)
	s.over(first)
	for _, list := range s.until("after: at IP:8080/mcp; group dev; before: at IP:8080/mcp") {
		if len(list.Servers) != 2 {
			t.Errorf("withdrawn on the way: %s", brief(list))
		}
	}
	s.answers("after", "after")
	second := s.instance("after")
	if second.Same(first) || second.Container != first.Container {
		t.Errorf("first %+v, second %+v", first, second)
	}

	_, err := l.client.ContainerKill(t.Context(), id, client.ContainerKillOptions{Signal: "KILL"})
	l.must(err)
	s.over(second)
	s.until("after: at; group dev; stopped: container LAB-after has ended; its server is withdrawn unless it comes back soon; before: at IP:8080/mcp")
	s.until("before: at IP:8080/mcp")

	_, err = l.client.ContainerStart(t.Context(), id, client.ContainerStartOptions{})
	l.must(err)
	s.until("after: at IP:8080/mcp; group dev; before: at IP:8080/mcp")
	third := s.instance("after")
	l.remove(id)
	s.over(third)
	s.until("before: at IP:8080/mcp")
}

// A stop is announced: what is told to stop is draining before it is gone.
func TestRealStop(t *testing.T) {
	l := newLab(t)
	id := l.run("a", func(c *api.Config, _ *api.HostConfig) {
		c.StopSignal = "SIGTERM"
		c.Entrypoint, c.Cmd = []string{"/server", "stubborn"}, nil
	})
	s := l.watch(nil)
	s.until("a: at IP:8080/mcp")
	i := s.instance("a")
	s.answers("a", "a")
	var stopping sync.WaitGroup
	defer stopping.Wait()
	stopping.Go(func() {
		patience := 1
		_, err := l.client.ContainerStop(t.Context(), id, client.ContainerStopOptions{Timeout: &patience})
		if err != nil {
			t.Error(err)
		}
	})
	s.until("a: at IP:8080/mcp (draining)")
	select {
	case <-i.Gone:
		t.Error("gone while it still runs")
	default:
	}
	s.over(i)
	s.until("nothing")
}

func TestRealPauseAndRename(t *testing.T) {
	l := newLab(t)
	id := l.run("a", nil)
	s := l.watch(nil)
	s.until("a: at IP:8080/mcp")
	before := s.instance("a")
	_, err := l.client.ContainerPause(t.Context(), id, client.ContainerPauseOptions{})
	l.must(err)
	s.until("a: at IP:8080/mcp (paused)")
	_, err = l.client.ContainerUnpause(t.Context(), id, client.ContainerUnpauseOptions{})
	l.must(err)
	s.until("a: at IP:8080/mcp")
	_, err = l.client.ContainerRename(t.Context(), id, client.ContainerRenameOptions{NewName: l.name + "-b"})
	l.must(err)
	for s.instance("a").Name != l.name+"-b" {
		s.last = <-s.lists
	}
	if after := s.instance("a"); !after.Same(before) || len(s.last.Servers) != 1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// Compose changes labels by a new container, which gets the old one's name last.
func TestRealRecreation(t *testing.T) {
	l := newLab(t)
	old := l.run("web-1", nil, ".id=", composeProject+"="+l.name, composeService+"=web", ".group=old")
	s := l.watch(func(o *Options) { o.Linger = 20 * time.Second })
	s.until("web: at IP:8080/mcp; group old")
	first := s.instance("web")

	config := &api.Config{Image: l.image, Env: []string{"NAME=new"}, Labels: map[string]string{
		composeProject: l.name, composeService: "web", l.name + ".group": "new", l.name + ".enable": "true",
	}}
	temporary := old[:12] + "_" + l.name + "-web-1"
	created, err := l.client.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: config, Name: temporary})
	l.must(err)
	_, err = l.client.ContainerStop(t.Context(), old, client.ContainerStopOptions{})
	l.must(err)
	l.remove(old)
	_, err = l.client.ContainerRename(t.Context(), created.ID, client.ContainerRenameOptions{NewName: l.name + "-web-1"})
	l.must(err)
	_, err = l.client.ContainerStart(t.Context(), created.ID, client.ContainerStartOptions{})
	l.must(err)
	for _, list := range s.until("web: at IP:8080/mcp; group new") {
		if len(list.Servers) != 1 {
			t.Errorf("withdrawn on the way: %s", brief(list))
		}
	}
	s.over(first)
	s.answers("web", "new")
}

// Another server may get the address of one that restarts. The first is gone by then.
func TestRealAddressIsTakenOver(t *testing.T) {
	l := newLab(t)
	l.network("net")
	id := l.run("a", l.onNetwork("net"))
	s := l.watch(nil)
	s.until("a: at IP:8080/mcp")
	first := s.instance("a")
	_, err := l.client.ContainerStop(t.Context(), id, client.ContainerStopOptions{})
	l.must(err)
	l.run("thief", l.onNetwork("net"))
	_, err = l.client.ContainerStart(t.Context(), id, client.ContainerStartOptions{})
	l.must(err)
	s.until("a: at IP:8080/mcp; thief: at IP:8080/mcp")
	s.over(first)
	if thief, again := s.instance("thief"), s.instance("a"); thief.URL != first.URL || again.URL == first.URL {
		t.Errorf("a was at %s and is at %s, the other at %s", first.URL, again.URL, thief.URL)
	}
	s.answers("thief", "thief")
	s.answers("a", "a")
}

func TestRealHealthCheck(t *testing.T) {
	l := newLab(t)
	s := l.watch(nil)
	s.until("nothing")
	l.run("a", func(c *api.Config, _ *api.HostConfig) {
		c.Healthcheck = &api.HealthConfig{Test: []string{"CMD", "/server", "health"}, Interval: 5 * time.Second}
	})
	s.until("a: at; waiting: waiting for the health check of container LAB-a")
	s.until("a: at IP:8080/mcp")
	if s.instance("a").Booting {
		t.Error("what is healthy is not booting")
	}
}

// The hub sees who shares a network with it, and when that changes.
func TestRealNetworks(t *testing.T) {
	l := newLab(t)
	l.network("one")
	two := l.network("two")
	hub := l.run("hub", l.onNetwork("one"))
	id := l.run("a", l.onNetwork("two"))
	s := l.watch(func(o *Options) { o.Self = hub })
	s.until("a: at; unreachable: LAB-a is on LAB_two, the hub on LAB_one; put them on a network together")
	_, err := l.client.NetworkConnect(t.Context(), two, client.NetworkConnectOptions{Container: hub})
	l.must(err)
	s.until("a: at IP:8080/mcp")
	before := s.instance("a")
	_, err = l.client.NetworkDisconnect(t.Context(), two, client.NetworkDisconnectOptions{Container: id})
	l.must(err)
	s.until("a: at; unreachable: LAB-a is on none, the hub on LAB_one, LAB_two; put them on a network together")
	select {
	case <-before.Gone:
		t.Error("it has lost its network, and has not ended")
	default:
	}
	_, err = l.client.NetworkConnect(t.Context(), l.name+"_one", client.NetworkConnectOptions{Container: id})
	l.must(err)
	s.until("a: at IP:8080/mcp")
	if after := s.instance("a"); after.Same(before) || after.Run != before.Run {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestRealNeighboursOfMistakes(t *testing.T) {
	l := newLab(t)
	l.run("good", nil)
	l.run("badport", nil, ".port=80a")
	l.run("odd", nil, ".prot=1", ".description="+strings.Repeat("x", 1000))
	l.run("huge", nil, ".description="+strings.Repeat("x", 100<<10))
	l.run("oneoff", nil, composeOneOff+"=True")
	l.run("host", func(c *api.Config, h *api.HostConfig) {
		c.Env, h.NetworkMode = append(c.Env, "ADDR=127.0.0.1:0"), "host"
	})
	l.run("none", func(_ *api.Config, h *api.HostConfig) { h.NetworkMode = "none" })
	l.run("attached", func(_ *api.Config, h *api.HostConfig) { h.NetworkMode = "none" }, ".transport=stdio")
	s := l.watch(nil)
	s.until("attached: stdio attach to LAB-attached; good: at IP:8080/mcp; " +
		"odd: at IP:8080/mcp; description " + strings.Repeat("x", 500) + "…; warning: LAB.prot: is unknown and ignored; did you mean LAB.port?; " +
		`badport, of container LAB-badport, is invalid: LAB.port: "80a" is no port; take 1 to 65535; ` +
		"host, of container LAB-host, is invalid: in network mode host nobody can see which ports it listens on; set LAB.port; " +
		"huge, of container LAB-huge, is invalid: LAB.description: is 102400 bytes long; 65536 is the most; " +
		"none, of container LAB-none, is invalid: the container has no network (network_mode: none); give it one, or use the transport stdio")
	s.answers("good", "good")
}

// Three calls are enough, so a socket proxy need allow no others.
func TestRealSocketProxy(t *testing.T) {
	l := newLab(t)
	allowed := regexp.MustCompile(`^(HEAD /_ping|GET /v1\.[0-9]+/(containers/json|events))$`)
	var mu sync.Mutex
	var refused []string
	dial := l.client.Dialer()
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx)
		}},
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if call := r.Method + " " + r.URL.Path; !allowed.MatchString(call) {
			mu.Lock()
			refused = append(refused, call)
			mu.Unlock()
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	l.must(err)
	go func() { _ = server.Serve(listener) }()
	defer server.Close()

	s := l.watch(func(o *Options) { o.Host = "tcp://" + listener.Addr().String() })
	s.until("nothing")
	id := l.run("a", nil)
	s.until("a: at IP:8080/mcp")
	s.answers("a", "a")
	l.remove(id)
	s.until("nothing")
	mu.Lock()
	defer mu.Unlock()
	if len(refused) > 0 {
		t.Errorf("calls beyond the three: %q", refused)
	}
}
