package mcpclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"mcphub/proxy/jsonrpc"
)

func TestSSEWithSDKServer(t *testing.T) {
	sdk := sdkServer()
	server := httptest.NewServer(mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return sdk }, nil))
	t.Cleanup(server.Close)
	exerciseSDK(t, SSE{URL: server.URL, HTTP: &http.Transport{}})
}

func TestStreamableWithSDKServer(t *testing.T) {
	sdk := sdkServer()
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return sdk }, nil)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	exerciseSDK(t, StreamableHTTP{URL: server.URL, HTTP: &http.Transport{}})
}

// fakeSSE is a server of 2024-11-05 that does what a test says.
type fakeSSE struct {
	first string                                          // what the stream begins with
	post  func(w http.ResponseWriter, m *jsonrpc.Message) // nil: 202

	mu   sync.Mutex // guards post, and is held for nothing else
	send chan string
	end  chan bool
}

// onPost sets what becomes of requests.
func (f *fakeSSE) onPost(post func(http.ResponseWriter, *jsonrpc.Message)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.post = post
}

func newFakeSSE() *fakeSSE {
	return &fakeSSE{first: "event: endpoint\ndata: /post?id=1\n\n", send: make(chan string, 10), end: make(chan bool)}
}

func (f *fakeSSE) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		f.mu.Lock()
		post := f.post
		f.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		m, err := jsonrpc.Parse(body)
		switch {
		case err != nil || r.URL.RequestURI() != "/post?id=1":
			w.WriteHeader(http.StatusBadRequest)
		case m.Method == "initialize":
			f.send <- "data: " + string(jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(initializeResult))) + "\n\n"
		case post != nil && m.Kind() == jsonrpc.Request:
			post(w, m)
		}
		return
	}
	sendEvents(w, f.first)
	for {
		select {
		case text := <-f.send:
			sendEvents(w, text)
		case <-f.end:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func TestSSEStreamEndsSession(t *testing.T) {
	fake := newFakeSSE()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	s, _ := dial(t, SSE{URL: server.URL + "/sse"})
	fake.onPost(func(w http.ResponseWriter, m *jsonrpc.Message) {
		w.WriteHeader(http.StatusAccepted)
		go close(fake.end)
	})
	_, err := s.Call(t.Context(), tool(t, "a", `{}`))
	wantErr(t, "call", err, ErrOutcomeUnknown, "the stream broke off")
	<-s.Done()
	_, err = s.Call(t.Context(), tool(t, "a", `{}`))
	wantErr(t, "afterwards", err, ErrNotSent, "the stream broke off")
}

func TestSSEPostErrors(t *testing.T) {
	fake := newFakeSSE()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	s, _ := dial(t, SSE{URL: server.URL + "/sse"})
	fake.onPost(func(w http.ResponseWriter, m *jsonrpc.Message) {
		switch name, _ := m.Text(jsonrpc.Name); name {
		case "busy":
			w.WriteHeader(503)
		case "lost":
			w.WriteHeader(404)
		case "long":
			fake.send <- fmt.Sprintf("data: {\"result\":{\"x\":\"%s\"},\"jsonrpc\":\"2.0\",\"id\":%s}\n\n", strings.Repeat("x", MaxMessage), m.ID)
		default: // answers the POST only after a response on the stream
			fake.send <- "event: ping\ndata: x\n\ndata: noise\n\n" + answerOf(m, `{"ok":1}`)
			time.Sleep(20 * time.Millisecond)
		}
	})
	_, err := s.Call(t.Context(), tool(t, "busy", `{}`))
	wantErr(t, "busy", err, nil, "HTTP 503")
	call(t, s, tool(t, "fine", `{}`), `{"ok":1}`)
	_, err = s.Call(t.Context(), tool(t, "long", `{}`))
	wantErr(t, "long", err, nil, "longer than 16 MiB")
	call(t, s, tool(t, "fine", `{}`), `{"ok":1}`)
	_, err = s.Call(t.Context(), tool(t, "lost", `{}`))
	wantErr(t, "lost", err, ErrSessionLost, "HTTP 404")
	<-s.Done()
}

// In the bubble, a goroutine that outlives Close is a panic.
func TestSSELeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeSSE()
		reached := inMemory(t, fake)
		s, session := dial(t, SSE{URL: "http://fake/sse", HTTP: reached.HTTP})
		fake.onPost(func(_ http.ResponseWriter, m *jsonrpc.Message) {
			fake.send <- eventOf(`{"jsonrpc":"2.0","id":"p","method":"ping"}`) +
				eventOf(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`) + answerOf(m, `{"ok":1}`)
			time.Sleep(time.Minute) // the answer to the POST is waited for 5 s and no longer
		})
		call(t, s, tool(t, "a", `{}`), `{"ok":1}`)
		session.expect(t, "notifications/tools/list_changed")
		time.Sleep(2 * time.Minute)
		fake.onPost(nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Call(ctx, tool(t, "a", `{}`))
		wantErr(t, "cancelled", err, context.DeadlineExceeded, "")
		s.Close()
	})
}

func TestSSEDialErrors(t *testing.T) {
	o, _ := testOptions(t)
	for want, first := range map[string]string{
		"wants messages at another origin, http://elsewhere:1/x: refused": "event: endpoint\ndata: http://elsewhere:1/x\n\n",
		"context deadline exceeded":                                       ": nothing\n\n",
	} {
		fake := newFakeSSE()
		fake.first = first
		server := httptest.NewServer(fake)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := Dial(ctx, SSE{URL: server.URL}, o)
		cancel()
		wantErr(t, first, err, nil, want)
		server.Close() // waits for the stream: it must have been closed
	}
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	_, err := Dial(t.Context(), SSE{URL: server.URL}, o)
	wantErr(t, "no stream", err, nil, "open the stream: the server answered HTTP 404")
	_, err = Dial(t.Context(), SSE{URL: "ftp://x"}, o)
	wantErr(t, "URL", err, nil, "is not of the form")
}

func TestSSECloseEndsCalls(t *testing.T) {
	fake := newFakeSSE()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	s, _ := dial(t, SSE{URL: server.URL})
	entered := make(chan bool)
	fake.onPost(func(http.ResponseWriter, *jsonrpc.Message) { close(entered) })
	go func() {
		<-entered
		s.Close()
	}()
	_, err := s.Call(t.Context(), tool(t, "a", `{}`))
	wantErr(t, "closed meanwhile", err, ErrClosed, "")
}
