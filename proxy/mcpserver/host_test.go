package mcpserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mcphub/proxy/jsonrpc"
)

// host is a Server behind a Guard, on a network in memory.
type host struct {
	t       *testing.T
	server  *Server
	guard   *Guard
	network pipes
	client  *http.Client
	log     strings.Builder

	// answer answers calls; nil: with their params.
	answer func(ctx context.Context, c *Call) (jsonrpc.Raw, error)
	// hello is called by Initialize; may be nil.
	hello func()

	mu    sync.Mutex
	peers []*peer
	notes []string // methods of notifications
}

// peer is a Peer that does what its host says.
type peer struct {
	host    *host
	session *Session
	closed  atomic.Int32
}

func (p *peer) Initialize(context.Context) (jsonrpc.Raw, error) {
	if p.host.hello != nil {
		p.host.hello()
	}
	return jsonrpc.Raw(`{"capabilities":{},"serverInfo":{"name":"host","version":"1"}}`), nil
}

func (p *peer) Call(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
	if p.host.answer == nil {
		return c.Message.Params, nil
	}
	return p.host.answer(ctx, c)
}

func (p *peer) Notify(_ context.Context, m *jsonrpc.Message) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.host.notes = append(p.host.notes, m.Method)
}

func (p *peer) Close() { p.closed.Add(1) }

// newHost serves until the test ends. Keys are random if there are none.
func newHost(t *testing.T, o Options, a Access) *host {
	t.Helper()
	h := &host{t: t, network: pipes{conns: make(chan net.Conn), closed: make(chan struct{})}}
	if o.Keys == nil {
		o.Keys = newKeys(t)
	}
	o.Log = slog.New(slog.NewTextHandler(&h.log, nil))
	o.Open = func(s *Session) Peer {
		p := &peer{host: h, session: s}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.peers = append(h.peers, p)
		return p
	}
	h.server, h.guard = New(o), NewGuard(o.Keys, a)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.server.Run(ctx) })
	web := NewHTTPServer(h.guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.server.Serve(w, r, r.URL.Path)
	}), "/health"), slog.New(slog.DiscardHandler))
	running.Go(func() { _ = web.Serve(Listener{&h.network}) })
	transport := &http.Transport{DialContext: h.network.dial, DisableCompression: true}
	h.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		_ = web.Close()
		running.Wait()
	})
	return h
}

func newKeys(t testing.TB, secrets ...string) *Keys {
	t.Helper()
	var raw [][]byte
	for _, s := range secrets {
		raw = append(raw, []byte(s))
	}
	keys, err := NewKeys(raw...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// request sends a request; headers are "Name: value", and an empty value takes the
// header away.
func (h *host) request(method, path, session, body string, headers ...string) *http.Request {
	h.t.Helper()
	r, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if session != "" {
		r.Header.Set(headerSession, session)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		switch {
		case name == "Host":
			r.Host = value
		case value == "":
			r.Header.Del(name)
		default:
			r.Header.Set(name, value)
		}
	}
	return r
}

// do sends a request and returns its answer, read to the end.
func (h *host) do(method, path, session, body string, headers ...string) *reply {
	h.t.Helper()
	return h.send(h.request(method, path, session, body, headers...)).whole()
}

func (h *host) send(r *http.Request) *reply {
	h.t.Helper()
	resp, err := h.client.Do(r)
	if err != nil {
		h.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	h.t.Cleanup(func() { resp.Body.Close() })
	return &reply{t: h.t, Response: resp, lines: bufio.NewReader(resp.Body)}
}

// initialize opens a session and returns its id.
func (h *host) initialize(path string, headers ...string) string {
	h.t.Helper()
	got := h.do("POST", path, "", hello(`{}`, `{"name":"test","version":"1"}`), headers...)
	if got.StatusCode != http.StatusOK || got.Header.Get(headerSession) == "" {
		h.t.Fatalf("initialize: %d %s", got.StatusCode, got.body)
	}
	return got.Header.Get(headerSession)
}

// works calls in a session and reports whether it is answered.
func (h *host) works(path, session string, headers ...string) bool {
	h.t.Helper()
	got := h.do("POST", path, session, call(7, `{"x":1}`), headers...)
	return got.StatusCode == http.StatusOK && got.body == `{"jsonrpc":"2.0","id":7,"result":{"x":1}}`
}

// open opens the client's own stream.
func (h *host) open(session string) *reply {
	h.t.Helper()
	got := h.send(h.request("GET", "/mcp", session, ""))
	if got.StatusCode != http.StatusOK {
		h.t.Fatalf("GET: %d %s", got.StatusCode, got.whole().body)
	}
	return got
}

// last returns the peer that was made last.
func (h *host) last() *peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.peers[len(h.peers)-1]
}

func hello(capabilities, info string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":%s,"clientInfo":%s}}`, capabilities, info)
}

func call(id int, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":%s}`, id, params)
}

// pipes is a network in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// check compares values.
func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
