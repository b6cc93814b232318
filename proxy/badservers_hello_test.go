package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
)

// badAtHello are servers that never get connected.
var badAtHello = []badServer{
	{name: "HTML instead of an answer to initialize", beside: overEvents, run: refusedHello(
		`initialize: read the answer: its content type is "text/html"`,
		func(w http.ResponseWriter, _ *http.Request, _ *jsonrpc.Message) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "<html><body>Log in first</body></html>")
		})},
	{name: "answers without a content type", beside: overJSON, run: refusedHello(
		`initialize: read the answer: it has no content type`,
		func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, right(m, initializeResult(`{}`, "")))
		})},
	{name: "compresses though nobody asked", beside: overSSE, run: refusedHello(
		`initialize: read the answer: it is encoded as "gzip", which was not asked for`,
		func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			_, _ = io.WriteString(packed, right(m, initializeResult(`{}`, "")))
			packed.Close()
		})},
	{name: "protocol version nobody knows", beside: overStdio, run: refusedHello(
		`initialize: the server speaks protocol version "2099-01-01", the hub [2024-11-05 `,
		saying(`{"protocolVersion":"2099-01-01","capabilities":{},"serverInfo":{"name":"n","version":"1"}}`))},
	{name: "capabilities that are no object", beside: overEvents, run: refusedHello(
		`initialize: read the result: capabilities are no object but ["tools"]`,
		saying(`{"protocolVersion":"2025-11-25","capabilities":["tools"],"serverInfo":{"name":"n","version":"1"}}`))},
	{name: "redirects to another origin", beside: overJSON, run: elsewhere},
	{name: "SSE endpoint at another origin", beside: overEvents, run: inboxElsewhere},
	{name: "TLS that fails", beside: overEvents, run: untrusted},
	{name: "host name that cannot be resolved", beside: overEvents, alone: true, run: unresolved},
	{name: "command not found", beside: overStdio, run: func(x *trial) {
		x.serve("bad", discovery.Spec{Transport: discovery.Stdio, Command: []string{"no-such-command"}})
		x.expect("bad", failed, `start the server: "no-such-command" was not found in PATH`, "install it, or give its full path")
	}},
}

func saying(result string) func(http.ResponseWriter, *http.Request, *jsonrpc.Message) {
	return func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, right(m, result))
	}
}

// refusedHello is a server that answers initialize badly, for a reason, until it
// mends its ways.
func refusedHello(reason string, hello func(http.ResponseWriter, *http.Request, *jsonrpc.Message)) func(*trial) {
	return func(x *trial) {
		h := x.host(overJSON, spoiling("initialize", hello))
		x.serve("bad", h.spec())
		x.expect("bad", failed, reason)
		h.set(nil)
		x.works("bad")
	}
}

// stranger is a server that nobody must come to.
func (x *trial) stranger() (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		x.t.Errorf("%s %s came to another origin, with %v", r.Method, r.URL, r.Header)
	}))
	x.t.Cleanup(s.Close)
	return s.URL
}

// elsewhere redirects, from the beginning and then during a session.
func elsewhere(x *trial) {
	away := func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) {
		http.Redirect(w, r, x.stranger()+"/mcp?secret=1", http.StatusTemporaryRedirect)
	}
	h := x.host(overEvents, spoiling("initialize", away))
	spec := h.spec()
	spec.Headers = map[string]string{"Authorization": "Bearer secret"}
	x.serve("bad", spec)
	x.expect("bad", failed, h.url+"/mcp redirects to another origin, http://127.0.0.1:", "/mcp: refused; declare that URL if it is meant")
	h.set(spoiling("tools/call", away))
	x.expect("bad", connected)
	got := x.connect("/mcp", "user", `{}`).call(`tools/call {"name":"bad__do"}`)
	x.fails("a redirected call", got, `server \"bad\": `, "redirects to another origin", "refused")
	h.set(nil)
	x.works("bad")
}

func inboxElsewhere(x *trial) {
	at := x.stranger()
	h := x.host(overSSE, func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) bool {
		if r.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "event: endpoint\ndata: "+at+"/messages\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	x.serve("bad", h.spec())
	x.expect("bad", failed, h.url+"/sse wants messages at another origin, "+at+"/messages: refused")
	h.set(nil)
	x.works("bad")
}

// untrusted has a certificate that nobody knows. It answers, so that clients who
// list tools do not have it tried again.
func untrusted(x *trial) {
	var came atomic.Int32
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			came.Add(1)
		}
	}
	s.StartTLS()
	x.t.Cleanup(s.Close)
	x.hub.SetReconnect(Reconnect{MaxAttempts: 1, InitialDelay: 20 * time.Millisecond, MaxDelay: time.Hour})
	x.serve("bad", at(s.URL+"/mcp"))
	x.expect("bad", failed, "connect to "+s.URL+"/mcp: tls: failed to verify certificate: x509: ")
	time.Sleep(minPause + minPause/4)
	if n := came.Load(); n != 2 {
		x.t.Errorf("%d connections, want those of the first try and of one more", n)
	}
}

// unresolved is at a name that the name server does not know.
func unresolved(x *trial) {
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { names.Close() })
	go denyAll(names)
	before := net.DefaultResolver
	x.t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = newResolver(names.LocalAddr().String())
	x.serve("bad", at("http://nobody.knows.this.test/mcp"))
	x.expect("bad", failed, "connect to http://nobody.knows.this.test/mcp: ", "lookup nobody.knows.this.test", "no such host")
}

func newResolver(address string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", address)
	}}
}

// denyAll answers all questions to a name server with NXDOMAIN (RFC 1035,
// section 4.1.1).
func denyAll(names net.PacketConn) {
	packet := make([]byte, 512)
	for {
		n, from, err := names.ReadFrom(packet)
		if err != nil {
			return
		}
		answer := bytes.Clone(packet[:n])
		if n < 12 {
			continue
		}
		answer[2] |= 0x80 // a response
		answer[3] = 0x83  // recursion available; no such name
		answer[11] = 0    // no additional records
		end := 12
		for end < n && answer[end] != 0 {
			end += int(answer[end]) + 1
		}
		_, _ = names.WriteTo(answer[:min(n, end+5)], from)
	}
}
