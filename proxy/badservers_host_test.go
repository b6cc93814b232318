package proxy

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
)

// host serves a fake over HTTP at one address, which it can leave and come back
// to, and has some requests answered badly.
type host struct {
	*fake
	t       *testing.T
	address string
	spoil   atomic.Pointer[spoiler]
	web     atomic.Pointer[http.Server]
}

// spoiler answers a request instead of the fake, and reports whether it did. m is
// the message of a POST, else nil.
type spoiler func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool

// host starts a server with a tool "do" that answers well but for what spoil
// answers, and does not declare it.
func (x *trial) host(w wire, spoil spoiler) *host {
	h := &host{fake: offering("bad", w, "do"), t: x.t, address: "127.0.0.1:0"}
	h.fake.t, h.came, h.initialize = x.t, make(chan struct{}), initializeResult(allCapabilities, "")
	h.set(spoil)
	h.up()
	h.url = "http://" + h.address
	x.t.Cleanup(h.down)
	return h
}

// set replaces what is answered badly; nil: nothing.
func (h *host) set(spoil spoiler) { h.spoil.Store(&spoil) }

// up begins to listen, at the address it had before if there was one.
func (h *host) up() {
	var listener net.Listener
	var err error
	for began := time.Now(); time.Since(began) < patience/4; time.Sleep(10 * time.Millisecond) {
		if listener, err = net.Listen("tcp", h.address); err == nil {
			break
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.address = listener.Addr().String()
	web := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	h.web.Store(web)
	go func() { _ = web.Serve(listener) }()
}

// down stops listening and breaks all connections.
func (h *host) down() { _ = h.web.Load().Close() }

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var m *jsonrpc.Message
	if r.Method == http.MethodPost {
		m, _ = jsonrpc.Parse(body)
	}
	if spoil := *h.spoil.Load(); spoil != nil && spoil(w, r, m) {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.fake.ServeHTTP(w, r)
}

// spoiling answers the requests with a method badly.
func spoiling(method string, answer func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message)) spoiler {
	return func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m == nil || m.Method != method {
			return false
		}
		answer(w, r, m)
		return true
	}
}

// right is a good response to m.
func right(m *jsonrpc.Message, result string) string {
	return string(jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(result)))
}

// url declares a server at a URL.
func at(url string) discovery.Spec {
	return discovery.Spec{Transport: discovery.StreamableHTTP, URL: url}
}

// failing answers with an error.
func failing(e string) func(http.ResponseWriter, *http.Request, *jsonrpc.Message) {
	return func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":%s}`, m.ID, e)
	}
}
