package integration

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/julienschmidt/httprouter"

	"mcphub/discovery"
	"mcphub/proxy"
	"mcphub/proxy/mcpserver"
)

var soak = flag.Duration("soak", 0, "how long TestSoak runs; 0 skips it")

const (
	soakClients = 12
	soakRest    = 5 * time.Minute // what it takes at most beside the soaking: to start, and to get back to its base
)

// TestSoak has many clients use servers of all transports while these are killed and started again, change their lists,
// and calls are cancelled. Every answer is right and goes to its caller; a call fails only if its server was disturbed
// meanwhile, and never at the one that is left in peace. In the end the hub holds no more than at the beginning.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("a soak test runs with -soak=10m -timeout=20m")
	}
	if deadline, ok := t.Deadline(); ok && time.Until(deadline) < *soak+soakRest {
		t.Fatalf("a soak test takes up to %v longer than it soaks: give go test -timeout=%v", soakRest, *soak+2*soakRest)
	}
	f := startSoak(t)
	f.warmUp(t)
	base := measure()
	ctx, cancel := context.WithTimeout(t.Context(), *soak)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { f.changeLists(ctx) })
	clients := make([]*soakClient, soakClients)
	for i := range clients {
		clients[i] = &soakClient{t: t, fleet: f, number: i, random: rand.New(rand.NewPCG(1, uint64(i)))}
		running.Go(func() { clients[i].run(ctx) })
	}
	f.disturb(ctx) // on the test's own goroutine, where a server that does not start again ends the test
	running.Wait()
	f.warmUp(t) // every server is back
	report(t, clients)
	checkBase(t, base)
}

// soakFleet is a hub in this process and the servers it has.
type soakFleet struct {
	url     string
	big     *bigServer
	servers []*soakServer
}

// soakServer is one of the servers.
type soakServer struct {
	id      string
	spec    discovery.Spec
	disturb func() // kills it, and starts it again where the hub does not; nil: it is left in peace

	mu    sync.Mutex  // held for the lists only
	began []time.Time // of each disturbance
	ended []time.Time
}

func startSoak(t *testing.T) *soakFleet {
	t.Helper()
	f := &soakFleet{big: startBig(t)}
	f.servers = []*soakServer{
		{id: "peace", spec: discovery.Spec{Transport: discovery.StreamableHTTP, URL: f.big.URL}},
		restartedServer(t, "http", discovery.StreamableHTTP),
		restartedServer(t, "sse", discovery.SSE),
		f.childServer(t, "shared", discovery.IsolationShared),
		f.childServer(t, "own", discovery.IsolationSession),
	}
	f.url = serveInProcess(t, f.servers)
	return f
}

// serveInProcess runs a hub in this process, so that its goroutines can be counted.
func serveInProcess(t *testing.T, servers []*soakServer) (url string) {
	t.Helper()
	keys, err := mcpserver.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	hub := proxy.New(proxy.Options{
		Version: "test", Keys: keys, Log: slog.New(slog.DiscardHandler),
		Reconnect: proxy.Reconnect{InitialDelay: 100 * time.Millisecond, MaxDelay: time.Second},
	})
	ctx, cancel := context.WithCancel(context.Background())
	desired, ended := make(chan discovery.Desired, 1), make(chan struct{})
	go func() {
		defer close(ended)
		hub.Run(ctx, desired)
	}()
	var d discovery.Desired
	for _, s := range servers {
		d.Servers = append(d.Servers, discovery.Server{ID: s.id, Origin: discovery.File, Spec: s.spec})
	}
	desired <- d
	router := httprouter.New()
	hub.Routes(router)
	web := httptest.NewServer(router)
	t.Cleanup(func() {
		cancel()
		<-ended
		web.CloseClientConnections()
		web.Close()
	})
	return web.URL
}

// restartedServer is a process that listens on a port, and does so again when it was killed.
func restartedServer(t *testing.T, id string, transport discovery.Transport) *soakServer {
	t.Helper()
	port := freePort(t)
	p := startGoSDK(t, string(transport), port)
	return &soakServer{
		id: id, spec: discovery.Spec{Transport: transport, URL: p.URL},
		disturb: func() {
			p.Kill()
			p = startGoSDK(t, string(transport), port)
		},
	}
}

// childServer is a process that the hub starts, and starts again when it was killed.
func (f *soakFleet) childServer(t *testing.T, id string, isolation discovery.Isolation) *soakServer {
	t.Helper()
	return &soakServer{
		id: id,
		spec: discovery.Spec{
			Transport: discovery.Stdio, Command: gosdkCommand(t), Isolation: isolation,
			Env: map[string]string{serverVariable: "stdio"},
		},
		disturb: func() {
			c := open(t, f.url+"/mcp/server/"+id, "")
			defer c.end()
			if text, err := c.call(t.Context(), "pid", map[string]any{}); err == nil {
				pid, _ := strconv.Atoi(text)
				if child, err := os.FindProcess(pid); err == nil {
					child.Kill()
				}
			}
		},
	}
}

// disturb disturbs one server after another until ctx ends, each every few seconds.
func (f *soakFleet) disturb(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(500*time.Millisecond + rand.N(time.Second)):
		}
		if s := f.servers[rand.IntN(len(f.servers))]; s.disturb != nil {
			s.noteBegin()
			s.disturb()
			s.noteEnd()
		}
	}
}

func (s *soakServer) noteBegin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = append(s.began, time.Now())
}

func (s *soakServer) noteEnd() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, time.Now())
}

// afterwards is how long after a disturbance calls may still fail: a call waits up to 10 s for a server to come back.
const afterwards = 12 * time.Second

// disturbed reports whether a call between two moments may have failed because of a disturbance.
func (s *soakServer) disturbed(from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, began := range s.began {
		if to.Before(began) {
			continue
		}
		if i >= len(s.ended) || from.Before(s.ended[i].Add(afterwards)) {
			return true
		}
	}
	return false
}

// changeLists adds a tool to the server in peace and takes it away again.
func (f *soakFleet) changeLists(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(300 * time.Millisecond):
			f.big.toggle()
		}
	}
}

// warmUp has one client use every server until it answers, and go.
func (f *soakFleet) warmUp(t *testing.T) {
	t.Helper()
	for _, s := range f.servers {
		c := open(t, f.url+"/mcp", "")
		eventually(t, startLimit, fmt.Sprintf("an answer of %s", s.id), func() bool {
			got, err := c.call(t.Context(), s.id+"__add", map[string]any{"a": 1, "b": 2})
			return err == nil && got == "3"
		})
		c.end()
	}
}
