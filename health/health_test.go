package health

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mcphub/proxy"
)

var (
	up   = proxy.ServerStatus{ID: "a", Connected: true, Tools: 2, Resources: 1, State: "connected", Transport: "stdio", Source: "file", Groups: []string{"dev"}, ProtocolVersion: "2025-11-25", Since: time.Unix(0, 5), Strays: 3}
	down = proxy.ServerStatus{ID: "b", State: "failed", Transport: "sse", Source: "environment", Error: "connect: <refused>", Attempts: 4, NextAttempt: time.Unix(60, 0)}
	odd  = proxy.ServerStatus{ID: "c", State: "invalid", Source: "label", Error: "no port"}
)

// ask asks a handler that knows these servers.
func ask(t *testing.T, query string, allowed bool, servers ...proxy.ServerStatus) (status int, body string) {
	t.Helper()
	handler := Handler(func() proxy.Status { return proxy.Status{Servers: servers} }, func() Troubles { return Troubles{} }, func(*http.Request) bool { return allowed })
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest(http.MethodGet, "/health"+query, nil))
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("content type: got %s", got)
	}
	return w.Code, strings.TrimSuffix(w.Body.String(), "\n")
}

// The shape, and the order of the first keys, are promised: scripts read them.
func TestShape(t *testing.T) {
	_, got := ask(t, "", true, up, down)
	want := `{"status":"degraded","servers":[` +
		`{"id":"a","connected":true,"tools":2,"resources":1,"prompts":0,"templates":0,"state":"connected","transport":"stdio","source":"file","groups":["dev"],"protocolVersion":"2025-11-25","since":"1970-01-01T00:00:00Z","strays":3},` +
		`{"id":"b","connected":false,"tools":0,"resources":0,"prompts":0,"templates":0,"state":"failed","transport":"sse","source":"environment","error":"connect: <refused>","attempts":4,"nextAttempt":"1970-01-01T00:01:00Z"}]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What is wrong with a source is said, and does not change the status: the servers that
// it declared are still there.
func TestTroubles(t *testing.T) {
	inContainer := proxy.ServerStatus{ID: "d", Connected: true, State: "connected", Transport: "sse", Source: "label", Container: "d-1, d-2", Title: "D", Description: "All of it", Problems: []string{"odd"}}
	handler := Handler(func() proxy.Status {
		return proxy.Status{Servers: []proxy.ServerStatus{inContainer}, Missing: map[string][]string{"dev": {"x"}}}
	}, func() Troubles {
		return Troubles{File: errors.New("config.json: no"), Docker: errors.New("nobody listens")}
	}, func(*http.Request) bool { return true })
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest(http.MethodGet, "/health?strict=1", nil))
	want := `{"status":"healthy","servers":[{"id":"d","connected":true,"tools":0,"resources":0,"prompts":0,"templates":0,"state":"connected","transport":"sse","source":"label",` +
		`"container":"d-1, d-2","title":"D","description":"All of it","problems":["odd"]}],"missing":{"dev":["x"]},"file":{"error":"config.json: no"},"docker":{"error":"nobody listens"}}`
	if got := strings.TrimSpace(w.Body.String()); got != want || w.Code != http.StatusOK {
		t.Errorf("got  %d %s\nwant %s", w.Code, got, want)
	}
}

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		name         string
		servers      []proxy.ServerStatus
		status       string
		code, strict int
	}{
		{"none declared", nil, "healthy", 200, 200},
		{"all connected", []proxy.ServerStatus{up}, "healthy", 200, 200},
		{"one down", []proxy.ServerStatus{up, down}, "degraded", 200, 503},
		{"one invalid", []proxy.ServerStatus{up, odd}, "degraded", 200, 503},
		{"none connected", []proxy.ServerStatus{down, odd}, "unhealthy", 200, 503},
	} {
		code, body := ask(t, "", true, test.servers...)
		if code != test.code || !strings.HasPrefix(body, `{"status":"`+test.status+`","servers":[`) {
			t.Errorf("%s: got %d %s, want %d %s", test.name, code, body, test.code, test.status)
		}
		if code, _ := ask(t, "?strict=1", true, test.servers...); code != test.strict {
			t.Errorf("%s, strict: got %d, want %d", test.name, code, test.strict)
		}
	}
}

// Without the token a probe learns how the hub is, and nothing of its servers.
func TestWithoutToken(t *testing.T) {
	code, body := ask(t, "?strict=1", false, up, down)
	if code != 503 || body != `{"status":"degraded"}` {
		t.Errorf("got %d %s", code, body)
	}
}
