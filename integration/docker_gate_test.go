package integration

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// engineGate stands between a hub and the engine, as a socket proxy does. It lets through the three calls that the hub needs,
// and can be shut, refuse one of them, and keep lists back.
type engineGate struct {
	t       testing.TB
	address string // host and port, or the path of a socket
	engine  http.Handler
	server  *http.Server // nil while it is shut

	mu      sync.Mutex // guards what follows; held for operations of memory only
	refused map[string]bool
	kept    chan struct{}  // lists wait until it is closed; nil: they do not
	seen    map[string]int // calls, by what they are
	events  int            // that were passed on
}

// The calls of the engine, as a gate names them.
const (
	pingCall   = "HEAD /_ping"
	listCall   = "GET /containers/json"
	eventsCall = "GET /events"
)

// gate makes a gate that is shut, at a port of this machine.
func (l *lab) gate() *engineGate {
	l.t.Helper()
	return l.gateAt(net.JoinHostPort("127.0.0.1", portText(freePort(l.t))))
}

// gateAt makes a gate that is shut, at an address or the path of a socket.
func (l *lab) gateAt(address string) *engineGate {
	l.t.Helper()
	dial := l.engine.Client.Dialer()
	g := &engineGate{t: l.t, address: address, refused: map[string]bool{}, seen: map[string]int{}}
	g.engine = &httputil.ReverseProxy{
		FlushInterval: -1, // an event is passed on when it comes
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport:     &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }},
		ErrorLog:      log.New(io.Discard, "", 0), // of hubs that went away
	}
	l.t.Cleanup(g.shut)
	return g
}

// host is what DOCKER_HOST is for a hub on this machine that goes through the gate.
func (g *engineGate) host() string {
	if strings.HasPrefix(g.address, "/") {
		return "unix://" + g.address
	}
	return "tcp://" + g.address
}

// open begins to serve.
func (g *engineGate) open() {
	g.t.Helper()
	kind := "tcp"
	if strings.HasPrefix(g.address, "/") {
		kind = "unix"
	}
	listener, err := net.Listen(kind, g.address)
	if err != nil {
		g.t.Fatal(err)
	}
	if kind == "unix" {
		if err := os.Chmod(g.address, 0o666); err != nil { // the hub is nobody in its image
			g.t.Fatal(err)
		}
	}
	g.server = &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go g.server.Serve(listener)
}

// shut cuts all that goes through, and listens no more. A socket's file is gone then.
func (g *engineGate) shut() {
	if g.server != nil {
		g.server.Close()
		g.server = nil
	}
}

// refuse has a call answered with 403.
func (g *engineGate) refuse(call string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused[call] = true
}

// keepLists has lists wait until what it returns is called.
func (g *engineGate) keepLists() (release func()) {
	kept := make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kept = kept
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.kept = nil
		close(kept)
	}
}

// count returns how often a call has come.
func (g *engineGate) count(call string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen[call]
}

var apiVersion = regexp.MustCompile(`^/v1\.\d+`)

func (g *engineGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + apiVersion.ReplaceAllString(r.URL.Path, "")
	known := call == pingCall || call == listCall || call == eventsCall
	g.mu.Lock()
	g.seen[call]++
	refused, kept := g.refused[call], g.kept
	g.mu.Unlock()
	if !known || refused {
		http.Error(w, "the gate does not let through "+call, http.StatusForbidden)
		return
	}
	if call == listCall && kept != nil {
		select {
		case <-kept:
		case <-r.Context().Done():
		}
	}
	if call == eventsCall {
		w = &passedEvents{w, g}
	}
	g.engine.ServeHTTP(w, r)
}

// passedEvents counts the events that a hub has taken.
type passedEvents struct {
	http.ResponseWriter
	gate *engineGate
}

func (p *passedEvents) Write(text []byte) (int, error) {
	n, err := p.ResponseWriter.Write(text)
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.gate.events += bytes.Count(text[:n], []byte("\n"))
	return n, err
}

func (p *passedEvents) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// passed returns how many events hubs have taken.
func (g *engineGate) passed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.events
}
