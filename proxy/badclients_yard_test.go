package proxy

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/julienschmidt/httprouter"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpserver"
)

// yard is a whole hub on real wires as the program serves it, with two servers:
// "good", whose tool "echo" the neighbour uses, and "srv", whose tools do what a
// case needs.
type yard struct {
	*fleet
	t         *testing.T
	good, srv *fake
	handler   http.Handler
	address   string
	client    *http.Client
	log       lockedBuffer
	conns     atomic.Int64  // of clients, that are open
	held      atomic.Int64  // calls of "hold" that the server has
	chatted   atomic.Int64  // calls of "chatty" for which the server has said all
	large     atomic.Int64  // calls of "big" that the server has answered
	letGo     chan struct{} // closed to end the calls of "hold"
	away      atomic.Bool   // srv is: the neighbour does not use it
}

const yardToken = "a-token-of-the-group"

func newYard(t *testing.T) *yard {
	y := &yard{t: t, letGo: make(chan struct{})}
	y.good, y.srv = offering("good", overEvents, "echo"), offering("srv", overEvents, "do", "some", "chatty", "big", "hold", "ask")
	y.good.forget, y.srv.forget = true, true
	y.good.answer = func(x *exchange) {
		x.respond(`{"content":[],"structuredContent":` + string(jsonrpc.Get(x.Params, "arguments")) + `}`)
	}
	y.srv.answer = y.answer
	y.fleet = newFleet(t, y.good, y.srv)
	y.handler = guarded(y.hub)
	web := mcpserver.NewHTTPServer(y.handler, slog.New(slog.NewTextHandler(&y.log, nil)))
	web.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			y.conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			y.conns.Add(-1)
		}
	}
	listener, err := mcpserver.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	y.address = listener.Addr().String()
	y.url = "http://" + y.address
	beside(t, func() { _ = web.Serve(listener) }, func() { _ = web.Close() })
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
	y.client = &http.Client{Transport: transport, Timeout: 3 * patience}
	t.Cleanup(transport.CloseIdleConnections)
	return y
}

// guarded is the hub behind a guard that asks for a token at /mcp/group/all.
func guarded(h *Hub) http.Handler {
	router := httprouter.New()
	h.Routes(router)
	return mcpserver.NewGuard(h.options.Keys, mcpserver.Access{
		Endpoints: map[string]mcpserver.Rule{"/mcp/group/all": {Enabled: true, Token: yardToken}},
	}).Wrap(router)
}

// answer is what the tools of srv do.
func (y *yard) answer(x *exchange) {
	switch name, _ := x.Text(jsonrpc.Name); name {
	case "chatty":
		text := strings.Repeat("x", 10_000)
		for range 1_000 {
			x.send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"` + text + `"}}`)
		}
		x.respond(`{"content":[]}`)
		y.chatted.Add(1)
	case "big":
		x.respond(`{"content":[{"type":"text","text":"` + strings.Repeat("x", 10<<20) + `"}]}`)
		y.large.Add(1)
	case "some":
		for range 20 {
			x.send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"` + strings.Repeat("x", 10_000) + `"}}`)
		}
		x.respond(`{"content":[{"type":"text","text":"` + strings.Repeat("x", 500_000) + `"}]}`)
	case "hold":
		x.send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"held"}}`)
		y.held.Add(1)
		select {
		case <-y.letGo:
		case <-x.gone:
		}
		x.respond(`{"content":[]}`)
	case "ask":
		x.send(`{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"?"}}`)
		select {
		case <-y.letGo:
		case <-x.gone:
		}
		x.respond(`{"content":[]}`)
	default:
		x.respond(`{"content":[]}`)
	}
}

// request makes a request; headers are "Name: value".
func (y *yard) request(method, path, session, body string, headers ...string) *http.Request {
	r, err := http.NewRequest(method, y.url+path, strings.NewReader(body))
	if err != nil {
		panic(err) // the tests write it
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Content-Type", "application/json")
	if session != "" {
		r.Header.Set("Mcp-Session-Id", session)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return r
}

// reply is an HTTP answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (y *yard) do(r *http.Request) (reply, error) {
	resp, err := y.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body)}, err
}

func (y *yard) post(session, body string, headers ...string) (reply, error) {
	return y.do(y.request(http.MethodPost, "/mcp", session, body, headers...))
}

func (y *yard) mustPost(session, body string, headers ...string) reply {
	y.t.Helper()
	got, err := y.post(session, body, headers...)
	if err != nil {
		y.t.Fatalf("%.200s: %v", body, err)
	}
	return got
}

// stream begins a request and returns its answer, of which nothing has been read.
func (y *yard) stream(method, session, body string, headers ...string) (a *answer) {
	y.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	y.t.Cleanup(cancel)
	resp, err := y.client.Do(y.request(method, "/mcp", session, body, headers...).WithContext(ctx))
	if err != nil {
		y.t.Fatalf("%s %.200s: %v", method, body, err)
	}
	return &answer{t: y.t, status: resp.StatusCode, header: resp.Header, body: resp.Body, lines: bufio.NewReader(resp.Body), cancel: cancel}
}

func helloOf(name, capabilities string) string { return helloIn("2025-11-25", name, capabilities) }

// open opens a session, which is deleted when the case is over.
func (y *yard) open(name, capabilities string) (session string) {
	y.t.Helper()
	got := y.mustPost("", helloOf(name, capabilities))
	if session = got.header.Get("Mcp-Session-Id"); session == "" {
		y.t.Fatalf("initialize: %d %s", got.status, got.body)
	}
	return session
}

// delete ends sessions.
func (y *yard) delete(sessions ...string) {
	y.t.Helper()
	for _, s := range sessions {
		if got, err := y.do(y.request(http.MethodDelete, "/mcp", s, "")); err != nil || got.status != http.StatusNoContent {
			y.t.Errorf("DELETE: %d %s %v", got.status, got.body, err)
		}
	}
}

// works checks that a session can be gone on with.
func (y *yard) works(session string) {
	y.t.Helper()
	if got := y.mustPost(session, toolCall("1", "do")); got.status != 200 || !strings.Contains(got.body, `"id":1,"result":{"content":[]}`) {
		y.t.Errorf("the session cannot be gone on with: %d %.300s", got.status, got.body)
	}
}

// toolCall is a call of a tool of srv.
func toolCall(id, name string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"srv__` + name + `"}}`
}

// eventually waits until ready.
func (y *yard) eventually(what string, ready func() bool) {
	y.t.Helper()
	if !eventually(ready) {
		y.t.Fatalf("never: %s", what)
	}
}
