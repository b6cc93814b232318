package integration

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
)

// recorder passes everything on to a server, and remembers what the server is told, in these words: "GET", "DELETE"; "initialize NAME
// VERSION" of a client; the method of a notification; "cancelled NAME" for a call of a tool, if a call with that id was made in the same session.
type recorder struct {
	URL string

	mu    sync.Mutex
	calls map[string]string // name of the tool by session and id
	told  []string
}

func startRecorder(t testing.TB, server string) *recorder {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{calls: map[string]string{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = to.Scheme, to.Host, to.Host
			r.hear(p.Out)
		},
		FlushInterval: -1,
	}
	web := httptest.NewServer(proxy)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	r.URL = web.URL + to.Path
	return r
}

func (r *recorder) has(want string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.told, want)
}

func (r *recorder) count(what string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, told := range r.told {
		if told == what {
			n++
		}
	}
	return n
}

func (r *recorder) hear(request *http.Request) {
	if request.Method != http.MethodPost {
		r.remember(request.Method)
	}
	if request.Method != http.MethodPost {
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct {
			Name            string
			RequestID       json.RawMessage
			ProtocolVersion string
			ClientInfo      struct{ Name string }
		}
	}
	if json.Unmarshal(body, &m) != nil {
		return
	}
	session := request.Header.Get("Mcp-Session-Id") + " "
	switch {
	case m.Method == "initialize":
		r.remember("initialize " + m.Params.ClientInfo.Name + " " + m.Params.ProtocolVersion)
	case m.Method == "tools/call":
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls[session+string(m.ID)] = m.Params.Name
	case m.Method == "notifications/cancelled":
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = append(r.told, "cancelled "+r.calls[session+string(m.Params.RequestID)])
	case m.ID == nil:
		r.remember(m.Method)
	}
}

func (r *recorder) remember(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, what)
}
