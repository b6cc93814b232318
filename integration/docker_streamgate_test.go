package integration

import (
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// streamGate is a proxy in front of the engine of the kinds that let all calls through, but are hard on the streams of
// processes, for which a connection is upgraded.
type streamGate struct {
	engine http.Handler
	host   string                   // what DOCKER_HOST is for a hub that goes through it
	refuse func(*http.Request) bool // answered with 403
	plain  bool                     // takes the upgrade out of the request, so that the engine answers 200

	mu      sync.Mutex // guards streams; held for operations of memory only
	streams []net.Conn
}

// streamGate starts such a proxy, which edit may make refuse calls.
func (l *lab) streamGate(edit func(*streamGate)) *streamGate {
	l.t.Helper()
	g := &streamGate{engine: l.gate().engine, refuse: func(*http.Request) bool { return false }}
	if edit != nil {
		edit(g)
	}
	server := httptest.NewUnstartedServer(g)
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateHijacked {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.streams = append(g.streams, conn)
		}
	}
	server.Start()
	l.t.Cleanup(func() { g.cut(); server.CloseClientConnections(); server.Close() })
	g.host = "tcp://" + server.Listener.Addr().String()
	return g
}

func (g *streamGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.refuse(r) {
		http.Error(w, "forbidden by the gate", http.StatusForbidden)
		return
	}
	if g.plain && r.Header.Get("Upgrade") != "" {
		r.Header.Del("Upgrade")
		r.Header.Del("Connection")
	}
	g.engine.ServeHTTP(prompt{w}, r)
}

// prompt sends the header of an answer when it comes, though its body may take long.
type prompt struct{ http.ResponseWriter }

func (p prompt) WriteHeader(status int) {
	p.ResponseWriter.WriteHeader(status)
	if status >= http.StatusOK {
		p.ResponseWriter.(http.Flusher).Flush()
	}
}

func (p prompt) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// cut ends the streams that are open, as a proxy does that takes them for idle.
func (g *streamGate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conn := range g.streams {
		conn.Close()
	}
	g.streams = nil
}

// allowedByReadme returns what a socket proxy lets through with the flags that the README names, by method.
func allowedByReadme(t *testing.T) map[string]*regexp.Regexp {
	t.Helper()
	allowed := map[string]*regexp.Regexp{http.MethodHead: regexp.MustCompile(`^/_ping$`)}
	for flag := range strings.FieldsSeq(readmeBlock(t, "allow:stdio", "text")) {
		method, expression, _ := strings.Cut(strings.TrimPrefix(flag, "-allow"), "=")
		allowed[method] = regexp.MustCompile("^(" + expression + ")$")
	}
	return allowed
}

// TestCase58_StreamsBehindProxies: what a proxy in front of the engine does to the streams of processes is told as that, and
// is no end of the process.
func TestCase58_StreamsBehindProxies(t *testing.T) {
	t.Run("upgrade answered with 200", func(t *testing.T) {
		l := newLab(t)
		gate := l.streamGate(func(g *streamGate) { g.plain = true })
		l.run(stdioServer("attached", byAttach))
		l.run(stdioServer("run", byExec))
		neighbour := l.serve("neighbour")
		hub := l.hub("DOCKER_HOST=" + gate.host)
		hub.until("attached unreachable", "neighbour connected", "run unreachable")
		expectText(t, hub.server("run").Error, "POST /exec/{id}/start", "HAProxy", "mcphub bridge")
		expectText(t, hub.server("attached").Error, "POST /containers/{id}/attach", "drops the upgrade")
		hub.serves(hub.open("/mcp"), "neighbour", neighbour)
	})
	t.Run("refused", func(t *testing.T) {
		l := newLab(t)
		gate := l.streamGate(func(g *streamGate) {
			g.refuse = func(r *http.Request) bool { return r.Method == http.MethodPost || strings.Count(r.URL.Path, "/") > 3 }
		})
		l.run(stdioServer("attached", byAttach))
		l.run(stdioServer("run", byExec))
		neighbour := l.serve("neighbour")
		hub := l.hub("DOCKER_HOST=" + gate.host)
		hub.until("attached unreachable", "neighbour connected", "run unreachable")
		expectText(t, hub.server("run").Error, "POST /containers/{id}/exec is refused", "forbidden by the gate", "allow it where the socket is guarded", "mcphub bridge")
		expectText(t, hub.server("attached").Error, "GET /containers/{id}/json is refused")
		hub.serves(hub.open("/mcp"), "neighbour", neighbour)
	})
	t.Run("only what the README says is allowed", func(t *testing.T) {
		l := newLab(t)
		allowed := allowedByReadme(t)
		gate := l.streamGate(func(g *streamGate) {
			g.refuse = func(r *http.Request) bool {
				expression := allowed[r.Method]
				return expression == nil || !expression.MatchString(r.URL.Path)
			}
		})
		attached, run := l.run(stdioServer("attached", byAttach)), l.run(stdioServer("run", byExec))
		for range 2 { // the second hub has to restart the attached process
			hub := l.hub("DOCKER_HOST=" + gate.host)
			hub.until("attached connected", "run connected")
			c := hub.open("/mcp")
			hub.serves(c, "attached", attached)
			hub.serves(c, "run", run)
			hub.Kill()
		}
	})
	t.Run("cut", func(t *testing.T) {
		l := newLab(t)
		gate := l.streamGate(nil)
		attached, run := l.run(stdioServer("attached", byAttach)), l.run(stdioServer("run", byExec))
		hub := l.hub("DOCKER_HOST=" + gate.host)
		hub.until("attached connected", "run connected")
		c := hub.open("/mcp")
		heard := c.listen(t)
		started := l.inspect(attached).State.StartedAt
		first, second := startSleep(t, c, "attached"), startSleep(t, c, "run")
		gate.cut()
		first.fails(t, "outcome", "cut off, by a proxy in front of Docker as a rule; the process itself runs")
		second.fails(t, "outcome")
		hub.awaitServed(c, "run", run)
		hub.awaitServed(c, "attached", attached)
		if l.inspect(attached).State.StartedAt == started {
			t.Error("a process that has had a session has not been started anew for the next")
		}
		expectNothing(t, heard)
	})
}
