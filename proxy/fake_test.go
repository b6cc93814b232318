package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// wire is how a fake is reached, and how it writes.
type wire string

const (
	overJSON   wire = "streamable-http, JSON answers"
	overEvents wire = "streamable-http, SSE answers"
	overSSE    wire = "sse"
	overStdio  wire = "stdio"
)

var wires = []wire{overJSON, overEvents, overSSE, overStdio}

// fake is an MCP server written by hand: what it sends are the bytes a test gives
// it, and what it gets it keeps as bytes.
type fake struct {
	id        string
	wire      wire
	isolation discovery.Isolation
	origin    discovery.Origin // File if empty
	timeout   time.Duration
	forget    bool // keep nothing of what comes
	stays     bool // over stdio: does not end by itself

	initialize string                                     // the result of initialize
	lists      func(method, cursor string) string         // results of lists; may change at any time
	listsOf    func(s *fakeSession, method string) string // results of lists in a session; goes before lists unless empty
	answer     func(x *exchange)                          // answers all other requests; on its own goroutine

	t      testing.TB
	url    string
	server *httptest.Server // nil over stdio

	mu       sync.Mutex
	sessions []*fakeSession
	got      []message     // all that came, in order
	came     chan struct{} // closed when got grows
}

// message is one message that reached a fake.
type message struct {
	*jsonrpc.Message
	text    string // as it came
	session *fakeSession
	header  http.Header // of its POST; nil over stdio
}

// fakeSession is a session at a fake.
type fakeSession struct {
	id      string
	client  string      // the name that the client gave itself
	hello   string      // the params of initialize
	say     chan string // for the stream that belongs to no call
	over    chan struct{}
	overing sync.Once
	streams int // GET streams that were opened

	loggedIn atomic.Bool // as a test uses it
}

func (s *fakeSession) ended() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

func (s *fakeSession) end() { s.overing.Do(func() { close(s.over) }) }

// exchange is a request that a fake is to answer.
type exchange struct {
	message
	fake *fake
	send func(text string) // a message on the stream of the request
	gone <-chan struct{}   // closed when the HTTP request has ended
}

// respond sends the response: result is written as it is.
func (x *exchange) respond(result string) {
	x.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, x.ID, result))
}

func (x *exchange) fail(e string) {
	x.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":%s}`, x.ID, e))
}

// token returns the progress token of the request, as it came.
func (x *exchange) token() string { return string(x.Field(jsonrpc.MetaProgressToken)) }

const allCapabilities = `{"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true},"completions":{},"logging":{},"tasks":{"list":{}}}`

func initializeResult(capabilities, rest string) string {
	return `{"protocolVersion":"2025-11-25","capabilities":` + capabilities + `,"serverInfo":{"name":"fake","version":"1"}` + rest + `}`
}

// start begins to serve.
func (f *fake) start(t testing.TB) {
	f.t, f.came = t, make(chan struct{})
	if f.initialize == "" {
		f.initialize = initializeResult(allCapabilities, "")
	}
	switch f.wire {
	case overStdio:
		f.listenForChildren()
	default:
		s := httptest.NewServer(f)
		f.url, f.server = s.URL, s
		t.Cleanup(func() {
			s.CloseClientConnections()
			s.Close()
		})
	}
}

// spec declares the fake.
func (f *fake) spec() discovery.Spec {
	s := discovery.Spec{Isolation: f.isolation, Timeout: f.timeout}
	switch f.wire {
	case overStdio:
		s.Transport, s.Command = discovery.Stdio, []string{os.Args[0]}
		s.Env = map[string]string{childVariable: f.url, "GORACE": exitAtOnce}
		if f.stays {
			s.Env[stayVariable] = "1"
		}
	case overSSE:
		s.Transport, s.URL = discovery.SSE, f.url+"/sse"
	default:
		s.Transport, s.URL = discovery.StreamableHTTP, f.url+"/mcp"
	}
	return s
}

// take keeps a message, and answers it if it is a request.
func (f *fake) take(m message, send func(string), gone <-chan struct{}) {
	f.mu.Lock()
	if !f.forget {
		f.got = append(f.got, m)
	}
	if m.Method == "initialize" {
		m.session.hello = string(m.Params)
		m.session.client = jsonrpc.Text(jsonrpc.Get(m.Params, "clientInfo"), "name")
	}
	close(f.came)
	f.came = make(chan struct{})
	f.mu.Unlock()
	if m.Kind() != jsonrpc.Request {
		return
	}
	x := &exchange{m, f, send, gone}
	switch {
	case m.Method == "initialize":
		x.respond(f.initialize)
	case m.Method == "ping":
		x.respond(`{}`)
	case strings.HasSuffix(m.Method, "/list") && m.Method != "tasks/list":
		cursor := string(m.Field(jsonrpc.Cursor))
		if result := f.list(m.session, m.Method, cursor); result != "" {
			x.respond(result)
		} else {
			x.fail(`{"code":-32601,"message":"no such list"}`)
		}
	case f.answer != nil:
		f.answer(x)
	default:
		x.respond(`{}`)
	}
}

func (f *fake) list(s *fakeSession, method, cursor string) string {
	f.mu.Lock()
	list, listOf := f.lists, f.listsOf
	f.mu.Unlock()
	if listOf != nil {
		if own := listOf(s, method); own != "" {
			return own
		}
	}
	if list == nil {
		return ""
	}
	return list(method, cursor)
}

// setLists replaces what the fake offers.
func (f *fake) setLists(lists func(method, cursor string) string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists = lists
}

// listOf returns lists of one page each: the elements of each list by its method.
func listOf(pairs ...string) func(string, string) string {
	return func(method, _ string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == method {
				member := strings.TrimSuffix(method, "/list")
				if member == "resources/templates" {
					member = "resourceTemplates"
				}
				return `{"` + member + `":[` + pairs[i+1] + `]}`
			}
		}
		return ""
	}
}

// await waits for a message that match accepts, after the first skip ones, and
// returns it and how many came up to it.
func (f *fake) await(what string, skip int, match func(message) bool) (message, int) {
	f.t.Helper()
	timeout := time.After(patience)
	for {
		f.mu.Lock()
		got, came := f.got, f.came
		f.mu.Unlock()
		for ; skip < len(got); skip++ {
			if match(got[skip]) {
				return got[skip], skip + 1
			}
		}
		select {
		case <-came:
		case <-timeout:
			f.t.Fatalf("%s: never got %s; got %s", f.id, what, f.log())
		}
	}
}

// awaitMethod waits for a message with a method in a client's session. Over stdio
// that is the hub's.
func (f *fake) awaitMethod(method string) message {
	f.t.Helper()
	m, _ := f.await(method, 0, func(m message) bool {
		return m.Method == method && (m.session.client != "mcphub" || f.wire == overStdio)
	})
	return m
}

// breakDown makes the fake unreachable, over HTTP.
func (f *fake) breakDown() {
	f.server.CloseClientConnections()
	go f.server.Close() // it waits for streams
}

// count returns how many messages with a method have come.
func (f *fake) count(method string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.got {
		if m.Method == method {
			n++
		}
	}
	return n
}

func (f *fake) log() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out strings.Builder
	for _, m := range f.got {
		fmt.Fprintf(&out, "\n  %s: %.300s", m.session.id, m.text)
	}
	return out.String()
}

// newSession makes a session known.
func (f *fake) newSession() *fakeSession {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &fakeSession{id: "s" + strconv.Itoa(len(f.sessions)+1), say: make(chan string, 10_000), over: make(chan struct{})}
	f.sessions = append(f.sessions, s)
	return s
}

func (f *fake) session(id string) *fakeSession {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}

// sessionOf returns the latest session that a client, or the hub itself
// ("mcphub"), has here. What the hub has opened to list once is over.
func (f *fake) sessionOf(client string) *fakeSession {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.sessions) - 1; i >= 0; i-- {
		if s := f.sessions[i]; s.client == client && !(client == "mcphub" && s.ended()) {
			return s
		}
	}
	f.t.Fatalf("%s: no session of %s", f.id, client)
	return nil
}

// streamsOf returns how many GET streams a client's session has opened.
func (f *fake) streamsOf(client string) int {
	s := f.sessionOf(client)
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.streams
}

// ServeHTTP serves Streamable HTTP at /mcp, and HTTP+SSE at /sse and /messages.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/sse":
		f.serveStream(w, r, f.newSession(), "event: endpoint\ndata: /messages?session=%s\n\n")
	case r.URL.Path == "/messages":
		f.postSSE(w, r)
	case r.Method == http.MethodPost:
		f.post(w, r)
	case r.Method == http.MethodGet && f.session(r.Header.Get("Mcp-Session-Id")) != nil:
		f.serveStream(w, r, f.session(r.Header.Get("Mcp-Session-Id")), "")
	case r.Method == http.MethodDelete:
		if s := f.session(r.Header.Get("Mcp-Session-Id")); s != nil {
			s.end()
		}
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// read reads the message of a POST.
func (f *fake) read(r *http.Request) (m message, ok bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return m, false
	}
	parsed, err := jsonrpc.Parse(body)
	if err != nil {
		f.t.Errorf("%s: the hub sent what is no message: %v: %s", f.id, err, body)
		return m, false
	}
	return message{Message: parsed, text: string(body), header: r.Header}, true
}

func (f *fake) post(w http.ResponseWriter, r *http.Request) {
	m, ok := f.read(r)
	if !ok {
		return
	}
	if m.Method == "initialize" {
		m.session = f.newSession()
		w.Header().Set("Mcp-Session-Id", m.session.id)
	} else if m.session = f.session(r.Header.Get("Mcp-Session-Id")); m.session == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if m.Kind() != jsonrpc.Request {
		w.WriteHeader(http.StatusAccepted)
		f.take(m, nil, nil)
		return
	}
	f.take(m, f.writer(w), r.Context().Done())
}

// writer returns how the answer to a POST is written.
func (f *fake) writer(w http.ResponseWriter) func(string) {
	if f.wire == overJSON {
		return func(text string) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			_, _ = io.WriteString(w, text)
		}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	return func(text string) { writeEvent(w, text) }
}

// writeEvent writes a message as an event, with a data line for each of its
// lines.
func writeEvent(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, "event: message\ndata: "+strings.ReplaceAll(text, "\n", "\ndata: ")+"\n\n")
	w.(http.Flusher).Flush()
}

func (f *fake) postSSE(w http.ResponseWriter, r *http.Request) {
	m, ok := f.read(r)
	if !ok {
		return
	}
	m.session = f.session(r.URL.Query().Get("session"))
	w.WriteHeader(http.StatusAccepted)
	w.(http.Flusher).Flush()
	s := m.session
	f.take(m, func(text string) { s.say <- text }, s.over)
}

// serveStream writes what a session says outside its calls.
func (f *fake) serveStream(w http.ResponseWriter, r *http.Request, s *fakeSession, first string) {
	w.Header().Set("Content-Type", "text/event-stream")
	if first != "" {
		_, _ = fmt.Fprintf(w, first, s.id)
		defer s.end()
	}
	w.(http.Flusher).Flush()
	f.mu.Lock()
	s.streams++
	f.mu.Unlock()
	for {
		select {
		case text := <-s.say:
			writeEvent(w, text)
		case <-s.over:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// childVariable makes the test binary a stdio server: it carries its streams to
// and from the address that the variable has, where the fake is.
const childVariable = "PROXY_TEST_CHILD"

// stayVariable lets such a server stay when its streams have ended.
const stayVariable = "PROXY_TEST_CHILD_STAYS"

// exitAtOnce keeps a process that looks for data races from sleeping at its end.
const exitAtOnce = "atexit_sleep_ms=0"

func init() {
	address := os.Getenv(childVariable)
	if address == "" {
		return
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(conn, os.Stdin)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(os.Stdout, conn)
	if os.Getenv(stayVariable) != "" {
		time.Sleep(time.Hour)
	}
	os.Exit(0)
}

// listenForChildren accepts the connections of the processes; each is a session.
func (f *fake) listenForChildren() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.url = listener.Addr().String()
	f.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go f.serveChild(conn)
		}
	}()
}

func (f *fake) serveChild(conn net.Conn) {
	defer conn.Close()
	s := f.newSession()
	defer s.end()
	go func() {
		for {
			select {
			case text := <-s.say:
				_, _ = io.WriteString(conn, text+"\n")
			case <-s.over:
				return
			}
		}
	}()
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		text := strings.TrimSuffix(line, "\n")
		parsed, err := jsonrpc.Parse([]byte(text))
		if err != nil {
			f.t.Errorf("%s: the hub sent what is no message: %v: %s", f.id, err, text)
			return
		}
		m := message{Message: parsed, text: text, session: s}
		if m.Method == "initialize" || m.Kind() != jsonrpc.Request {
			f.take(m, func(text string) { s.say <- text }, s.over)
		} else {
			go f.take(m, func(text string) { s.say <- text }, s.over)
		}
	}
}
