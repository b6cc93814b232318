package proxy

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
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

// breakDown makes the fake unreachable, over HTTP.
func (f *fake) breakDown() {
	f.server.CloseClientConnections()
	go f.server.Close() // it waits for streams
}
