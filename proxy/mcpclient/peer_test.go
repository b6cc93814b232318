package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mcphub/proxy/jsonrpc"
)

// childVariable makes the test binary a misbehaving server; see children.
const childVariable = "MCPCLIENT_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		children[name]()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// received collects what belongs to no call.
type received struct {
	messages chan *jsonrpc.Message
}

func (r *received) receive(_ *Session, m *jsonrpc.Message) { r.messages <- m }

// expect waits for a message with a method.
func (r *received) expect(t *testing.T, method string) *jsonrpc.Message {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case m := <-r.messages:
			if m.Method == method {
				return m
			}
			t.Logf("received %s meanwhile", m.Method)
		case <-timeout:
			t.Fatalf("no %s came", method)
		}
	}
}

func testOptions(t *testing.T) (Options, *received) {
	r := &received{messages: make(chan *jsonrpc.Message, 100)}
	return Options{
		Identity: Identity{Capabilities: jsonrpc.Raw(`{"sampling":{},"roots":{}}`), ClientInfo: jsonrpc.Raw(`{"name":"test","version":"1"}`)},
		Receive:  r.receive,
		Log:      slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, r
}

// dial opens a session that ends with the test.
func dial(t *testing.T, transport Transport) (*Session, *received) {
	t.Helper()
	o, r := testOptions(t)
	return dialWith(t, transport, o), r
}

func dialWith(t *testing.T, transport Transport, o Options) *Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := Dial(ctx, transport, o)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// message returns a request as a client sends it.
func message(t *testing.T, method, params string) *jsonrpc.Message {
	t.Helper()
	m, err := jsonrpc.Parse([]byte(`{"jsonrpc":"2.0","id":"client","method":"` + method + `","params":` + params + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tool returns a call of a tool, with a progress token.
func tool(t *testing.T, name, arguments string) *Call {
	t.Helper()
	params := fmt.Sprintf(`{"name":%q,"arguments":%s,"_meta":{"progressToken":"theirs"}}`, name, arguments)
	return &Call{Method: "tools/call", Message: message(t, "tools/call", params)}
}

// call calls and expects a result that contains want.
func call(t *testing.T, s *Session, c *Call, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	m, err := s.Call(ctx, c)
	if err != nil {
		t.Fatalf("%s: %v", c.Method, err)
	}
	if got := string(m.Result) + string(m.Error); !strings.Contains(got, want) {
		t.Errorf("%s: got %.300s, want %s in it", c.Method, got, want)
	}
}

// wantErr checks that err is of a kind and says something.
func wantErr(t *testing.T, what string, err, kind error, text string) {
	t.Helper()
	if err == nil || kind != nil && !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: got %v, want %v with %q", what, err, kind, text)
	}
}

const initializeResult = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"x":1}},"serverInfo":{"name":"fake","version":"1"},"instructions":"do\n"}`

// fakeHTTP is a Streamable HTTP server that does what a test says.
type fakeHTTP struct {
	session string                                                           // its session id; empty: none
	call    func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) // answers requests but initialize
	get     func(w http.ResponseWriter, r *http.Request)                     // nil: 405
	note    func(m *jsonrpc.Message)                                         // sees notifications and responses; may be nil

	mu      sync.Mutex
	deleted []string // the sessions of DELETE requests
}

func (f *fakeHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		if f.get == nil {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		f.get(w, r)
	case http.MethodDelete:
		f.mu.Lock()
		f.deleted = append(f.deleted, r.Header.Get("Mcp-Session-Id"))
		f.mu.Unlock()
	default:
		f.post(w, r)
	}
}

func (f *fakeHTTP) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	m, err := jsonrpc.Parse(body)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case m.Kind() != jsonrpc.Request:
		if f.note != nil {
			f.note(m)
		}
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "initialize":
		if f.session != "" {
			w.Header().Set("Mcp-Session-Id", f.session)
		}
		sendJSON(w, string(jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(initializeResult))))
	default:
		f.call(w, r, m)
	}
}

func sendJSON(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = io.WriteString(w, text)
}

// sendEvents begins an event stream and sends text.
func sendEvents(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, text)
	w.(http.Flusher).Flush()
}

// eventOf returns a message as an event.
func eventOf(format string, args ...any) string {
	return "event: message\ndata: " + fmt.Sprintf(format, args...) + "\n\n"
}

// answerOf returns the response to m as an event.
func answerOf(m *jsonrpc.Message, result string) string {
	return eventOf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

// pipes is a network in memory, for tests with a clock of their own.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
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

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// inMemory serves handler and returns how to reach it.
func inMemory(t *testing.T, handler http.Handler) StreamableHTTP {
	t.Helper()
	network := newPipes()
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go func() { _ = server.Serve(network) }()
	transport := &http.Transport{DialContext: network.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	return StreamableHTTP{URL: "http://fake/mcp", HTTP: transport}
}
