package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzHandler sends any request to a whole hub in which there is one session;
// SESSION in a header stands for its id. Nothing panics, no answer is a 5xx but
// 503, and what says that it is JSON or events is.
func FuzzHandler(f *testing.F) {
	y := newFuzzYard(f)
	for _, seed := range [][4]string{
		{"POST", "/mcp", "Mcp-Session-Id: SESSION", toolCall("1", "do")},
		{"POST", "/mcp", "Mcp-Session-Id: SESSION\r\nAccept: text/event-stream, application/json", request("tools/list")},
		{"POST", "/mcp", "Mcp-Session-Id: SESSION\r\nContent-Type: text/plain", request("ping")},
		{"POST", "/mcp", "Mcp-Session-Id: SESSION\r\nMcp-Protocol-Version: 2026-07-28", request("server/discover")},
		{"POST", "/mcp/", "", helloOf("c", everything)},
		{"POST", "/mcp/server/srv", "", helloOf("c", `{"sampling":1}`)},
		{"POST", "/mcp/server/%73rv", "Origin: http://localhost:1", `[` + request("ping") + `]`},
		{"GET", "/mcp", "Mcp-Session-Id: SESSION\r\nLast-Event-Id: a.1.1.MQ", ""},
		{"GET", "/mcp", "Mcp-Session-Id: SESSION", ""},
		{"DELETE", "/mcp", "Mcp-Session-Id: SESSION", ""},
		{"OPTIONS", "/mcp", "Origin: http://[::1]\r\nAccess-Control-Request-Method: POST", ""},
		{"POST", "/mcp/group/all", "Authorization: Bearer " + yardToken, request("ping")},
		{"POST", "/mcp", "Mcp-Session-Id: SESSION", `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b"}}`},
		{"POST", "/mcp", "Mcp-Session-Id: SESSION", `{"jsonrpc":"2.0","id":"\ud800","method":"completion/complete","params":{"ref":{"name":1}}}`},
		{"POST", "/mcp", "Mcp-Session-Id: SESSION\r\nTransfer-Encoding: chunked", "2;a=b\r\n{}\r\n0\r\n\r\n"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, method, path, headers, body string) {
		text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, path, strings.ReplaceAll(headers, "SESSION", y.session))
		if !strings.Contains(strings.ToLower(headers), "transfer-encoding:") {
			text += fmt.Sprintf("Content-Length: %d\r\n", len(body))
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text + "\r\n" + body)))
		if err != nil {
			return // net/http answers it
		}
		patience := 2 * time.Second
		if r.Method == http.MethodGet {
			patience = 5 * time.Millisecond // a stream is open until its client goes
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		w := httptest.NewRecorder()
		y.handler.ServeHTTP(w, r.WithContext(ctx))
		checkAnswer(t, w)
		if r.Method == http.MethodDelete && w.Code == http.StatusNoContent {
			y.renew()
		}
	})
}

// checkAnswer looks at what any answer has to be.
func checkAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	body := w.Body.String()
	if strings.Contains(body, "the hub failed") {
		t.Errorf("a call panicked: %s", body)
	}
	switch kind := w.Header().Get("Content-Type"); {
	case kind == "application/json":
		if !json.Valid([]byte(body)) {
			t.Errorf("status %d, not JSON: %q", w.Code, body)
		}
	case kind == "text/event-stream":
		for line := range strings.SplitSeq(body, "\n") {
			if data, ok := strings.CutPrefix(line, "data: "); ok && data != "" && !json.Valid([]byte(data)) {
				t.Errorf("an event that is not JSON: %q", data)
			}
		}
	case w.Code == http.StatusOK && body != "":
		t.Errorf("%q of type %q", body, kind)
	}
}

// fuzzYard is a hub without a network between it and its clients.
type fuzzYard struct {
	handler http.Handler
	session string
}

func newFuzzYard(f *testing.F) *fuzzYard {
	server := offering("srv", overJSON, "do")
	server.forget = true
	y := &fuzzYard{handler: guarded(newFleet(f, server).hub)}
	y.renew()
	return y
}

// renew opens the one session.
func (y *fuzzYard) renew() {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/mcp", strings.NewReader(helloOf("fuzz", `{}`)))
	w := httptest.NewRecorder()
	y.handler.ServeHTTP(w, r)
	y.session = w.Header().Get("Mcp-Session-Id")
}
