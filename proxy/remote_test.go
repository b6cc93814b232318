package proxy

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
)

// How a remote can be reached.
const (
	isUp    = "up"
	refuses = "connection refused"
	hangs   = "no answer to a dial"
	deaf    = "accepts and reads nothing"
)

// remote is a server on a network in memory, for tests in a bubble.
type remote struct {
	id        string
	isolation discovery.Isolation
	began     time.Time

	mu     sync.Mutex
	state  string
	status int // HTTP, of all answers; 0: as it should be
	after  string
	mute   bool          // requests get no answer
	late   time.Duration // until a stream is there
	slow   time.Duration // until a call is answered
	dials  []time.Duration
	inits  []time.Duration
	got    []string // methods, and URIs; "stream" for a GET
	conns  []net.Conn
	die    chan struct{} // closed to end all streams

	network pipes

	dialling, mostDialling atomic.Int32
}

func newRemote(t *testing.T, id, state string) *remote {
	r := &remote{id: id, state: state, began: time.Now(), die: make(chan struct{}), network: newPipes()}
	web := &http.Server{Handler: r, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	beside(t, func() { _ = web.Serve(r.network) }, func() {
		r.set(refuses)
		_ = web.Close()
	})
	return r
}

func (r *remote) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	r.mostDialling.Store(max(r.mostDialling.Load(), r.dialling.Add(1)))
	defer r.dialling.Add(-1)
	r.mu.Lock()
	state := r.state
	r.dials = append(r.dials, time.Since(r.began))
	r.mu.Unlock()
	switch state {
	case refuses:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case hangs:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ours, theirs := net.Pipe()
	r.mu.Lock()
	r.conns = append(r.conns, theirs)
	r.mu.Unlock()
	if state == deaf {
		return ours, nil
	}
	r.network.conns <- theirs
	return ours, nil
}

// set changes how the remote can be reached; unless it is up, all connections
// break.
func (r *remote) set(state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = state
	if state == isUp {
		return
	}
	close(r.die)
	r.die = make(chan struct{})
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}

// vanish leaves the connections open, but nothing is answered any more.
func (r *remote) vanish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.mute = hangs, true
}

// appear undoes that.
func (r *remote) appear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.mute = isUp, false
}

func (r *remote) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	status, after, mute, late, die := r.status, r.after, r.mute, r.late, r.die
	r.mu.Unlock()
	m, err := jsonrpc.Parse(body)
	if err == nil && m.Method == "initialize" {
		r.mu.Lock()
		r.inits = append(r.inits, time.Since(r.began))
		r.mu.Unlock()
	}
	switch {
	case mute:
		<-die
	case status != 0:
		w.Header().Set("Retry-After", after)
		w.WriteHeader(status)
	case req.Method == http.MethodGet:
		time.Sleep(late)
		r.note("stream")
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		select {
		case <-die:
		case <-req.Context().Done():
		}
	case req.Method == http.MethodDelete:
		r.note("goodbye")
	case err != nil || m.Kind() != jsonrpc.Request:
		w.WriteHeader(http.StatusAccepted)
	default:
		r.answer(w, m)
	}
}

func (r *remote) answer(w http.ResponseWriter, m *jsonrpc.Message) {
	uri, _ := m.Text(jsonrpc.URI)
	r.note(strings.TrimSpace(m.Method + " " + uri))
	result := `{}`
	switch m.Method {
	case "initialize":
		result = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{"subscribe":true}},"serverInfo":{"name":"remote","version":"1"}}`
	case "tools/list":
		result = `{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`
	case "resources/list":
		result = `{"resources":[{"uri":"a://1","name":"1"},{"uri":"a://2","name":"2"}]}`
	case "resources/templates/list":
		result = `{"resourceTemplates":[]}`
	case "tools/call":
		time.Sleep(r.slow)
		result = `{"content":[]}`
	case "resources/read":
		result = `{"contents":[{"uri":"a://1","text":"` + strings.Repeat("x", 10<<20) + `"}]}`
	}
	if m.Method == "initialize" {
		w.Header().Set("Mcp-Session-Id", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(result)))
}

func (r *remote) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, what)
}

// seen returns a copy of what was counted.
func seen[T any](r *remote, what *[]T) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(*what)
}

func (r *remote) declaration() discovery.Server {
	return discovery.Server{ID: r.id, Origin: discovery.File, Spec: discovery.Spec{
		Transport: discovery.StreamableHTTP, URL: "http://" + r.id + ".test/mcp", Isolation: r.isolation,
	}}
}
