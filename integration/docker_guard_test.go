package integration

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestHostAndOriginThroughAMappedPort: what guards an open endpoint from web pages looks at what the client has written, which
// a mapped port does not change.
func TestHostAndOriginThroughAMappedPort(t *testing.T) {
	l := newLab(t)
	hub := l.containedHub(l.network(), "MCPHUB_ALLOWED_HOSTS=hub.example.com", "MCPHUB_ALLOWED_ORIGINS=https://app.example.com")
	at, err := url.Parse(hub.URL)
	l.must(err)
	for _, test := range []struct {
		host, origin string
		want         int
	}{
		{at.Host, "", 200},
		{"localhost:" + at.Port(), "http://localhost:3000", 200},
		{"127.0.0.1:" + at.Port(), "", 200},
		{"mcphub:7070", "", 200},
		{"hub.example.com", "https://app.example.com", 200},
		{"evil.example.com:" + at.Port(), "", 403},
		{"evil.example.com", "https://app.example.com", 403},
		{at.Host, "https://evil.example.com", 403},
	} {
		for _, path := range []string{"/health", "/mcp"} {
			if got := hub.status(test.host, test.origin, path); got != test.want {
				t.Errorf("%s with host %q and origin %q: got HTTP %d, want %d", path, test.host, test.origin, got, test.want)
			}
		}
	}
}

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"` + clientVersion +
	`","capabilities":{},"clientInfo":{"name":"guard","version":"1"}}}`

// status asks the hub under a host's name, for a page of an origin.
func (h *labHub) status(host, origin, path string) int {
	h.t.Helper()
	method, body := http.MethodGet, ""
	if path == "/mcp" {
		method, body = http.MethodPost, hello
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.URL+path, strings.NewReader(body))
	h.box.lab.must(err)
	req.Host = host
	req.Header.Set("Content-Type", "application/json")
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	resp, err := http.DefaultClient.Do(req)
	h.box.lab.must(err)
	resp.Body.Close()
	return resp.StatusCode
}
