package proxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpserver"
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

	accept chan net.Conn
	closed chan struct{}

	dialling, mostDialling atomic.Int32
}

func newRemote(t *testing.T, id, state string) *remote {
	r := &remote{id: id, state: state, began: time.Now(), die: make(chan struct{}), accept: make(chan net.Conn), closed: make(chan struct{})}
	web := &http.Server{Handler: r, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(r)
	}()
	t.Cleanup(func() {
		r.set(refuses)
		_ = web.Close()
		<-served
	})
	return r
}

func (r *remote) Accept() (net.Conn, error) {
	select {
	case c := <-r.accept:
		return c, nil
	case <-r.closed:
		return nil, net.ErrClosed
	}
}

func (r *remote) Close() error   { close(r.closed); return nil }
func (r *remote) Addr() net.Addr { return &net.UnixAddr{Name: r.id} }

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
	r.accept <- theirs
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

func idleHub(t *testing.T, r Reconnect) *Hub {
	keys, err := mcpserver.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Version: "test", Keys: keys, Reconnect: r, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
}

// bubbleHub runs a hub for remotes until the test ends.
func bubbleHub(t *testing.T, r Reconnect, remotes ...*remote) *Hub {
	h := idleHub(t, r)
	ctx, stop := context.WithCancel(context.Background())
	var d discovery.Desired
	for _, r := range remotes {
		server := r.declaration()
		l := newLink(ctx, h, server)
		l.dial = r.dial
		s := &state{link: l, server: server, phase: starting, since: time.Now()}
		h.states[r.id] = s
		h.links.Go(func() { l.run(*s) })
		d.Servers = append(d.Servers, server)
	}
	desired, ended := make(chan discovery.Desired), make(chan struct{})
	go func() {
		defer close(ended)
		h.Run(ctx, desired)
	}()
	desired <- d
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return h
}

// bubbleClient is a session of a client at /mcp.
type bubbleClient struct {
	hub     *Hub
	session string
}

func newBubbleClient(t *testing.T, h *Hub) *bubbleClient { return newCapableClient(t, h, `{}`) }

func newCapableClient(t *testing.T, h *Hub, capabilities string) *bubbleClient {
	c := &bubbleClient{hub: h}
	w := c.post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":` + capabilities + `,"clientInfo":{"name":"c","version":"1"}}}`)
	if c.session = w.Header().Get("Mcp-Session-Id"); c.session == "" {
		t.Fatalf("initialize: %s", w.Body)
	}
	return c
}

var requestIDs atomic.Int64

func (c *bubbleClient) post(body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(body))
	r.Header.Set("Mcp-Session-Id", c.session)
	w := httptest.NewRecorder()
	c.hub.clients.Serve(w, r, "/mcp")
	return w
}

// delete ends the session.
func (c *bubbleClient) delete() {
	r := httptest.NewRequest(http.MethodDelete, "/mcp", nil)
	r.Header.Set("Mcp-Session-Id", c.session)
	c.hub.clients.Serve(httptest.NewRecorder(), r, "/mcp")
}

func (c *bubbleClient) request(method, params string) *httptest.ResponseRecorder {
	return c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, requestIDs.Add(1), method, params))
}

// tools returns whether the list of tools has each server's.
func (c *bubbleClient) has(tool string) bool {
	return strings.Contains(c.request("tools/list", `{}`).Body.String(), `"`+tool+`"`)
}

func phaseOf(h *Hub, id string) phase { return h.view().servers[id].phase }

// want compares.
func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// A server that is lost keeps its features in the lists until it is reported
// failed; then they leave, and their routes stay.
func TestFeaturesOfLostServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newRemote(t, "a", isUp), newRemote(t, "b", isUp)
		h := bubbleHub(t, Reconnect{2, time.Second, 4 * time.Second}, a, b)
		time.Sleep(15 * time.Second)
		c := newBubbleClient(t, h)
		want(t, "listed at first", c.has("a__echo") && c.has("b__echo"), true)

		a.set(refuses)
		time.Sleep(1900 * time.Millisecond) // the first try, and one after 1 s
		want(t, "phase", phaseOf(h, "a"), away)
		want(t, "listed while away", c.has("a__echo"), true)
		time.Sleep(10 * time.Second)
		want(t, "phase later", phaseOf(h, "a"), failed)
		want(t, "listed when failed", c.has("a__echo"), false)
		want(t, "neighbour listed", c.has("b__echo"), true)
		got := c.request("tools/call", `{"name":"a__echo"}`).Body.String()
		if !strings.Contains(got, `server \"a\" is away: `) {
			t.Errorf("call of a failed server: %s", got)
		}
		want(t, "neighbour's call", c.request("tools/call", `{"name":"b__echo"}`).Code, 200)

		a.set(isUp)
		time.Sleep(5 * time.Second)
		want(t, "phase at last", phaseOf(h, "a"), connected)
		want(t, "listed again", c.has("a__echo"), true)
	})
}

// A connection that lasts starts the counting anew; one that breaks at once does
// not, and a server in a crash loop is not dialled more often for it.
func TestCrashLoop(t *testing.T) {
	for _, test := range []struct {
		lasts     time.Duration
		most      int
		everFails bool
	}{
		{time.Second, 25, true},
		{stableAfter + time.Second, 60, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newRemote(t, "a", isUp)
			h := bubbleHub(t, Reconnect{3, time.Second, 30 * time.Second}, a)
			hasFailed, began := false, time.Now()
			for time.Since(began) < 10*time.Minute {
				time.Sleep(50 * time.Millisecond)
				switch p := phaseOf(h, "a"); {
				case p == failed:
					hasFailed = true
				case p == connected:
					time.Sleep(test.lasts)
					a.set(refuses)
					synctest.Wait()
					a.set(isUp)
				}
			}
			if n := len(seen(a, &a.inits)); n > test.most || n < 10 {
				t.Errorf("connections of %v: %d tries in 10 minutes", test.lasts, n)
			}
			want(t, fmt.Sprintf("connections of %v: reported failed", test.lasts), hasFailed, test.everFails)
		})
	}
}

// A host that is gone without a word is found out, though a server that is silent
// may be busy.
func TestVanishedHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newRemote(t, "a", isUp), newRemote(t, "b", isUp)
		h := bubbleHub(t, Reconnect{0, time.Second, 30 * time.Second}, a, b)
		time.Sleep(time.Second)
		a.vanish()
		b.mu.Lock()
		b.mute = true
		b.mu.Unlock()
		time.Sleep(3 * time.Minute)
		want(t, "vanished", phaseOf(h, "a"), away)
		want(t, "busy", phaseOf(h, "b"), connected)
	})
}

// What clients that share a session have subscribed to is subscribed to again when
// the server comes back.
func TestSharedSubscriptionsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", isUp)
		a.isolation = discovery.IsolationShared
		h := bubbleHub(t, Reconnect{0, time.Second, 2 * time.Second}, a)
		time.Sleep(3 * time.Second)
		c, d := newBubbleClient(t, h), newBubbleClient(t, h)
		for _, who := range []*bubbleClient{c, d} {
			for _, uri := range []string{"a://1", "a://2"} {
				if got := who.request("resources/subscribe", `{"uri":"`+uri+`"}`).Body.String(); strings.Contains(got, "error") {
					t.Fatal(got)
				}
			}
		}
		for _, who := range []*bubbleClient{c, d} {
			who.request("resources/unsubscribe", `{"uri":"a://2"}`)
		}
		a.set(refuses)
		time.Sleep(3 * time.Second)
		a.mu.Lock()
		a.got = nil
		a.mu.Unlock()
		a.set(isUp)
		time.Sleep(5 * time.Second)
		got := slices.DeleteFunc(seen(a, &a.got), func(m string) bool { return !strings.Contains(m, "subscribe") })
		want(t, "subscriptions in the new session", strings.Join(got, ", "), "resources/subscribe a://1")
	})
}

// A call waits for its server, and is told in the end what is the matter.
func TestCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", isUp)
		h := bubbleHub(t, Reconnect{0, time.Minute, time.Hour}, a)
		time.Sleep(15 * time.Second)
		c := newBubbleClient(t, h)
		a.set(refuses)
		time.Sleep(5 * time.Second)

		began := time.Now()
		got := c.request("tools/call", `{"name":"a__echo"}`).Body.String()
		want(t, "waited", time.Since(began), holdLimit)
		if !strings.Contains(got, `server \"a\" is away: `) || !strings.Contains(got, "connection refused, next try in ") {
			t.Errorf("got %s", got)
		}
		began = time.Now()
		time.AfterFunc(3*time.Second, func() { a.set(isUp) })
		got = c.request("tools/call", `{"name":"a__echo"}`).Body.String()
		if waited := time.Since(began); !strings.Contains(got, `"content"`) || waited < 3*time.Second || waited > 5*time.Second {
			t.Errorf("after %v: %s", waited, got)
		}
	})
}

// So many calls wait for one server, and so many bytes for all; beyond, the
// client is to come again.
func TestWaitingCallsHaveABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newRemote(t, "a", isUp), newRemote(t, "b", isUp)
		h := bubbleHub(t, Reconnect{0, time.Minute, time.Hour}, a, b)
		time.Sleep(15 * time.Second)
		c := newBubbleClient(t, h)
		a.set(refuses)
		b.set(refuses)
		time.Sleep(5 * time.Second)
		var group sync.WaitGroup
		for range maxWaiting {
			group.Go(func() {
				if w := c.request("tools/call", `{"name":"a__echo"}`); w.Code != 200 || !strings.Contains(w.Body.String(), "is away") {
					t.Errorf("a call within the bound: %d %s", w.Code, w.Body)
				}
			})
		}
		synctest.Wait()
		busy := func(what, params string) {
			t.Helper()
			began := time.Now()
			w := c.request("tools/call", params)
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || time.Since(began) > 0 {
				t.Errorf("%s: %d %v %s after %v", what, w.Code, w.Header(), w.Body, time.Since(began))
			}
		}
		busy("one call more", `{"name":"a__echo"}`)
		group.Go(func() {
			if w := c.request("tools/call", `{"name":"b__echo"}`); w.Code != 200 {
				t.Errorf("a call to the neighbour: %d", w.Code)
			}
		})
		group.Wait()
		if held := h.held.Load(); held != 0 {
			t.Errorf("%d bytes held when nobody waits", held)
		}
		time.Sleep(time.Second)

		h.held.Store(maxHeld - 50)
		busy("bytes beyond the bound", `{"name":"b__echo","arguments":{"x":"`+strings.Repeat("x", 50)+`"}}`)
		want(t, "bytes held afterwards", h.held.Load(), int64(maxHeld-50))
		w := c.request("tools/call", `{"name":"b__echo"}`)
		want(t, "bytes within the bound", w.Code, 200)
	})
}

// A link that is stopped leaves nothing behind, whatever it was at: a bubble ends
// only when all its goroutines have. What it costs is no time.
func TestStop(t *testing.T) {
	for what, state := range map[string]string{"connected": isUp, "waiting": refuses, "dialling": hangs} {
		synctest.Test(t, func(t *testing.T) {
			var began time.Time
			t.Cleanup(func() { want(t, what+": took", time.Since(began), 0) })
			bubbleHub(t, Reconnect{0, time.Hour, time.Hour}, newRemote(t, "a", state))
			time.Sleep(time.Second)
			began = time.Now()
		})
	}
}
