package proxy

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/julienschmidt/httprouter"

	"mcphub/discovery"
	"mcphub/proxy/mcpserver"
)

// fleet is a hub that runs, with the servers of a test behind it.
type fleet struct {
	t       testing.TB
	hub     *Hub
	url     string
	desired chan discovery.Desired
	stop    func() // ends the hub and waits for it; the test's end does too
}

// newFleet starts the servers and a hub for them, and waits until all are
// connected. The group "all" has them all, the group "first" the first.
func newFleet(t testing.TB, servers ...*fake) *fleet {
	t.Helper()
	for _, s := range servers {
		s.start(t)
	}
	f := newHub(t)
	f.declare(servers...)
	for _, s := range servers {
		f.awaitPhase(s.id, connected)
	}
	f.declare(servers...) // which the hub takes when it has told everybody of the last change
	return f
}

// newHub starts a hub that has not been told of any server. All hubs have the same
// keys, as if they were one that is started again.
func newHub(t testing.TB) *fleet {
	t.Helper()
	return newLoggingHub(t, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

func newLoggingHub(t testing.TB, log *slog.Logger) *fleet {
	t.Helper()
	keys, err := mcpserver.NewKeys([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, desired: make(chan discovery.Desired)}
	f.hub = New(Options{
		Version: "test", Keys: keys, Log: log,
		Reconnect: Reconnect{MaxAttempts: 3, InitialDelay: 50 * time.Millisecond, MaxDelay: 200 * time.Millisecond},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.hub.Run(ctx, f.desired)
	}()
	router := httprouter.New()
	f.hub.Routes(router)
	server := httptest.NewServer(router)
	f.url = server.URL
	f.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the hub does not end")
		}
		server.CloseClientConnections()
		server.Close()
	})
	t.Cleanup(f.stop)
	return f
}

// declare tells the hub which servers there should be.
func (f *fleet) declare(servers ...*fake) {
	d := discovery.Desired{Groups: map[string][]string{}}
	for i, s := range servers {
		origin := s.origin
		if origin == "" {
			origin = discovery.File
		}
		d.Servers = append(d.Servers, discovery.Server{ID: s.id, Origin: origin, Spec: s.spec()})
		d.Groups["all"] = append(d.Groups["all"], s.id)
		if i == 0 {
			d.Groups["first"] = []string{s.id}
		}
	}
	slices.Sort(d.Groups["all"])
	f.desired <- d
}

// await waits for a view that ready accepts.
func (f *fleet) await(what string, ready func(*view) bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if f.hub.await(ctx, ready); ctx.Err() != nil {
		f.t.Fatalf("the hub never got to: %s; it is at %+v", what, f.hub.Status())
	}
}

func (f *fleet) awaitPhase(id string, p phase) {
	f.t.Helper()
	f.await(id+" "+string(p), func(v *view) bool { return v.servers[id] != nil && v.servers[id].phase == p })
}

// endpoints are where a server with this id can be reached, and how its tools are
// called there.
func endpoints(id string) []struct{ path, prefix string } {
	return []struct{ path, prefix string }{
		{"/mcp", id + "__"}, {"/mcp/group/all", id + "__"}, {"/mcp/server/" + id, ""},
	}
}

// equal compares texts.
func equal(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %.2000s\nwant %.2000s", what, got, want)
	}
}
