package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/julienschmidt/httprouter"
)

// counter is a client that reads everything and keeps nothing.
type counter struct {
	header http.Header
	status int
	bytes  int
}

func (c *counter) Header() http.Header    { return c.header }
func (c *counter) WriteHeader(status int) { c.status = status }
func (c *counter) Flush()                 {}
func (c *counter) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return len(p), nil
}

// bench is a hub in front of one server, without a network between the client and
// the hub. The server answers a call with a result of so many bytes.
func bench(b *testing.B, result int, toolNames ...string) (call func(body string, least int)) {
	b.Helper()
	server := offering("srv", overJSON, toolNames...)
	text := `{"content":[{"type":"text","text":"` + strings.Repeat("x", result) + `"}]}`
	server.answer = func(x *exchange) { x.respond(text) }
	server.forget = true
	f := newFleet(b, server)
	client := f.connect("/mcp", "c", `{}`)
	router := httprouter.New()
	f.hub.Routes(router)
	header := http.Header{"Mcp-Session-Id": {client.session}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	return func(body string, least int) {
		r := &http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: "/mcp"}, Header: header,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}
		w := &counter{header: http.Header{}}
		router.ServeHTTP(w, r)
		if w.status != http.StatusOK || w.bytes < least {
			b.Fatalf("HTTP %d, %d bytes", w.status, w.bytes)
		}
	}
}

// BenchmarkCall is a call from the client's bytes through the hub to a server on
// loopback and back. The server and its HTTP are in the figures.
func BenchmarkCall(b *testing.B) {
	for _, size := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			call := bench(b, size, "do")
			body := request(`tools/call {"name":"srv__do","arguments":{"text":"%s"}}`, strings.Repeat("x", 100))
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				call(body, size)
			}
		})
	}
}

// BenchmarkList is a list from memory.
func BenchmarkList(b *testing.B) {
	for _, n := range []int{20, 1000} {
		b.Run(fmt.Sprintf("%dtools", n), func(b *testing.B) {
			names := make([]string, n)
			for i := range names {
				names[i] = fmt.Sprintf("tool%d", i)
			}
			call := bench(b, 0, names...)
			body := request("tools/list")
			b.ReportAllocs()
			for b.Loop() {
				call(body, 50*n)
			}
		})
	}
}
