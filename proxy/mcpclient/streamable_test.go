package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mcphub/proxy/jsonrpc"
)

// serve runs a fake over loopback.
func serve(t *testing.T, fake http.Handler) StreamableHTTP {
	t.Helper()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return StreamableHTTP{URL: server.URL + "/mcp", HTTP: transport}
}

func TestStreamableHandshakeAndHeaders(t *testing.T) {
	var header http.Header
	fake := &fakeHTTP{session: "s1", call: func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
		header = r.Header.Clone()
		sendJSON(w, string(jsonrpc.AppendResult(nil, m.ID, m.Params)))
	}}
	transport := serve(t, fake)
	transport.Header = http.Header{"x-key": {"secret"}, "Accept": {"nothing"}}
	s, _ := dial(t, transport)
	if s.ID() != "s1" || s.ProtocolVersion() != "2025-11-25" || s.Era() != Legacy || s.Instructions() != "do\n" {
		t.Errorf("session: id %q, version %q, era %v, instructions %q", s.ID(), s.ProtocolVersion(), s.Era(), s.Instructions())
	}
	if got := string(s.Capabilities()) + string(s.ServerInfo()); got != `{"tools":{"x":1}}{"name":"fake","version":"1"}` {
		t.Errorf("capabilities and serverInfo: got %s", got)
	}
	if string(s.InitializeResult()) != initializeResult {
		t.Errorf("initialize result: got %s", s.InitializeResult())
	}

	c := tool(t, "theirs", `{"n":9007199254740993}`)
	c.Edits = []jsonrpc.Edit{{Field: jsonrpc.Name, Value: []byte(`"own"`)}}
	c.Header = http.Header{"Traceparent": {"00-1"}, "Mcp-Session-Id": {"forged"}, "X-Key": {"forged"}}
	call(t, s, c, `{"name":"own","arguments":{"n":9007199254740993},"_meta":{"progressToken":2}}`)
	for key, want := range map[string]string{
		"Mcp-Session-Id": "s1", "Mcp-Protocol-Version": "2025-11-25", "X-Key": "secret", "Traceparent": "00-1",
		"Accept": "application/json, text/event-stream", "Content-Type": "application/json",
	} {
		if got := header.Get(key); got != want {
			t.Errorf("header %s: got %q, want %q", key, got, want)
		}
	}

	s.Close()
	s.Close()
	if fmt.Sprint(fake.deleted) != "[s1]" {
		t.Errorf("deleted: got %v", fake.deleted)
	}
	_, err := s.Call(t.Context(), &Call{Method: "ping"})
	wantErr(t, "call after Close", err, ErrClosed, "")
	wantErr(t, "call after Close", err, ErrNotSent, "")
}

func TestParamsOfACall(t *testing.T) {
	m := message(t, "x", `{"_meta":{"progressToken":"p","k":1},"cursor":"c"}`)
	for want, c := range map[string]*Call{
		`{"jsonrpc":"2.0","id":7,"method":"m"}`:                                                            {Method: "m"},
		`{"jsonrpc":"2.0","id":7,"method":"m","params":{"_meta":{"progressToken":7}}}`:                     {Method: "m", Raw: jsonrpc.Raw(`{"_meta":{"progressToken":"a"}}`)},
		`{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":"progressToken"}}`:                             {Method: "m", Raw: jsonrpc.Raw(`{"a":"progressToken"}`)},
		`{"jsonrpc":"2.0","id":7,"method":"m","params":{"_meta":{"progressToken":7,"k":1},"cursor":"c"}}`:  {Method: "m", Message: m},
		`{"jsonrpc":"2.0","id":7,"method":"m","params":{"_meta":{"progressToken":7,"k":1},"cursor":"d"}}`:  {Method: "m", Message: m, Edits: []jsonrpc.Edit{{Field: jsonrpc.Cursor, Value: []byte(`"d"`)}}},
		`{"jsonrpc":"2.0","id":7,"method":"m","params":{"_meta":{"progressToken":7,"z":[]},"cursor":"d"}}`: {Method: "m", Message: m, Edits: []jsonrpc.Edit{{Field: jsonrpc.Cursor, Value: []byte(`"d"`)}, {Field: jsonrpc.Meta, Value: []byte(`{"progressToken":"q","z":[]}`)}}},
		`{"jsonrpc":"2.0","id":7,"method":"n","params":{"_meta":{},"cursor":"c"}}`:                         {Method: "n", Message: m, Edits: []jsonrpc.Edit{{Field: jsonrpc.Meta, Value: []byte(`{}`)}}},
	} {
		if got := string(c.request(7)); got != want {
			t.Errorf("request:\n got %s\nwant %s", got, want)
		}
	}
}

func TestStreamableWhatComesDuringACall(t *testing.T) {
	answers := make(chan *jsonrpc.Message, 10)
	fake := &fakeHTTP{
		call: func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
			sendEvents(w, ": hello\n\nid: 1\ndata:\n\n"+
				eventOf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}`, m.ID)+
				eventOf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":999,"progress":1}}`)+
				eventOf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"log"}}`)+
				eventOf(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)+
				eventOf(`this is no message`)+
				"event: ping\ndata: {}\n\n"+
				eventOf(`{"jsonrpc":"2.0","id":"p","method":"ping"}`)+
				eventOf(`{"jsonrpc":"2.0","id":12345,"result":{}}`)+
				eventOf(`{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}`))
			for range 2 {
				<-answers
			}
			sendEvents(w, answerOf(m, `{"n":9007199254740993}`))
		},
		note: func(m *jsonrpc.Message) {
			if m.Kind() == jsonrpc.Response {
				answers <- m
			}
		},
	}
	s, session := dial(t, serve(t, fake))
	var methods []string
	c := tool(t, "a", `{}`)
	c.Receive = func(m *jsonrpc.Message) error {
		methods = append(methods, m.Method)
		if m.Kind() == jsonrpc.Request {
			return s.Respond(t.Context(), m.ID, jsonrpc.Raw(`{"ok":1}`), nil)
		}
		return nil
	}
	call(t, s, c, `{"n":9007199254740993}`)
	want := "[notifications/progress notifications/message sampling/createMessage]"
	if got := fmt.Sprint(methods); got != want {
		t.Errorf("received by the call: got %v, want %v", got, want)
	}
	session.expect(t, "notifications/tools/list_changed")
	if n := s.options.Strays.Load(); n != 2 { // the foreign token and the foreign answer
		t.Errorf("strays: got %d, want 2", n)
	}
	call(t, s, tool(t, "a", `{}`), `{"n":9007199254740993}`) // nobody receives: the question is refused
}

func TestStreamableErrors(t *testing.T) {
	var status int
	var body string
	fake := &fakeHTTP{session: "s", call: func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "$ID", string(m.ID)))
	}}
	transport := serve(t, fake)
	for _, c := range []struct {
		status int
		body   string
		want   string
		lost   bool
	}{
		{503, "busy\n\x1b[31mnow", "HTTP 503 Service Unavailable: busy [31mnow", false},
		{401, "", "HTTP 401", false},
		{400, `{"jsonrpc":"2.0","id":$ID,"error":{"code":-32602,"message":"bad"}}`, "", false},
		{400, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"bad"}}`, "HTTP 400", false},
		{404, "no such thing", "HTTP 404", true},
		{404, `{"jsonrpc":"2.0","id":$ID,"error":{"code":-32001,"message":"Session not found"}}`, "HTTP 404", true},
		{400, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}`, "HTTP 400", true},
		{400, `{"jsonrpc":"2.0","id":$ID,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}`, "HTTP 400", true},
		{200, `{"jsonrpc":"2.0","id":77,"result":{}}`, "not the response", false},
		{200, `{"jsonrpc":"2.0","id":$ID,"result":{},"ID":1}`, "read the answer", false},
		{200, `{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"id not read"}}`, "", false},
		{202, ``, "HTTP 202", false},
	} {
		status, body = c.status, c.body
		s, _ := dial(t, transport)
		m, err := s.Call(t.Context(), tool(t, "a", `{}`))
		what := fmt.Sprintf("HTTP %d %s", c.status, c.body)
		switch {
		case c.want == "":
			if err != nil || m.Error == nil {
				t.Errorf("%s: got %v, %v", what, m, err)
			}
		case c.lost:
			wantErr(t, what, err, ErrSessionLost, c.want)
			<-s.Done()
			wantErr(t, what, s.Err(), ErrSessionLost, "")
		default:
			wantErr(t, what, err, nil, c.want)
			if e, ok := errors.AsType[*StatusError](err); ok && e.RetryAfter != 7*time.Second {
				t.Errorf("%s: retry after %v", what, e.RetryAfter)
			}
			if errors.Is(err, ErrSessionLost) || s.Err() != nil {
				t.Errorf("%s: the session is gone: %v", what, err)
			}
		}
		s.Close()
	}
}

func TestStreamableConnectionErrors(t *testing.T) {
	fake := &fakeHTTP{call: func(http.ResponseWriter, *http.Request, *jsonrpc.Message) { panic(http.ErrAbortHandler) }}
	server := httptest.NewServer(fake)
	s, _ := dial(t, StreamableHTTP{URL: server.URL + "/mcp?key=secret", HTTP: &http.Transport{}})
	_, err := s.Call(t.Context(), tool(t, "a", `{}`))
	wantErr(t, "lost in the middle", err, ErrOutcomeUnknown, "")
	if errors.Is(err, ErrNotSent) {
		t.Errorf("lost in the middle: %v is ErrNotSent too", err)
	}
	server.Close()
	_, err = s.Call(t.Context(), tool(t, "a", `{}`))
	wantErr(t, "refused", err, ErrNotSent, "connect to "+server.URL+"/mcp: connection refused")
	if s.Err() != nil {
		t.Errorf("the session ended: %v", s.Err())
	}
	_, err = Dial(t.Context(), StreamableHTTP{URL: server.URL}, s.options)
	wantErr(t, "dial refused", err, ErrNotSent, "initialize: not sent: connect to")
}

// A dial that fails for a reason of its own, as that of a container which is
// gone, is no lost call either.
func TestStreamableDialErrorOfItsOwn(t *testing.T) {
	gone := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("the container is gone")
	}}
	o, _ := testOptions(t)
	_, err := Dial(t.Context(), StreamableHTTP{URL: "http://x/mcp", HTTP: gone}, o)
	wantErr(t, "gone", err, ErrNotSent, "the container is gone")
}

func TestStreamableCancelTellsTheServer(t *testing.T) {
	told := make(chan string, 1)
	entered := make(chan string, 1)
	fake := &fakeHTTP{
		call: func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
			sendEvents(w, ": open\n\n")
			entered <- string(m.ID)
			<-r.Context().Done()
		},
		note: func(m *jsonrpc.Message) {
			if m.Method == "notifications/cancelled" {
				told <- string(m.Params)
			}
		},
	}
	s, _ := dial(t, serve(t, fake))
	ctx, cancel := context.WithCancelCause(t.Context())
	var id string
	go func() {
		id = <-entered
		cancel(errors.New("the client left"))
	}()
	_, err := s.Call(ctx, tool(t, "a", `{}`))
	wantErr(t, "cancelled", err, nil, "the client left")
	if got, want := <-told, `{"requestId":`+id+`,"reason":"the client left"}`; got != want {
		t.Errorf("told: got %s, want %s", got, want)
	}
	if s.Err() != nil {
		t.Errorf("the session ended: %v", s.Err())
	}
}

func TestStreamableCloseEndsCalls(t *testing.T) {
	entered := make(chan bool, 1)
	fake := &fakeHTTP{session: "s", call: func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) {
		sendEvents(w, ": open\n\n")
		entered <- true
		<-r.Context().Done()
	}}
	s, _ := dial(t, serve(t, fake))
	go func() {
		<-entered
		s.Close()
	}()
	_, err := s.Call(t.Context(), tool(t, "a", `{}`))
	wantErr(t, "closed meanwhile", err, ErrClosed, "")
	wantErr(t, "closed meanwhile", err, ErrOutcomeUnknown, "")
}

func TestStreamableReceiveErrorEndsCall(t *testing.T) {
	told := make(chan bool, 1)
	fake := &fakeHTTP{
		call: func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) {
			sendEvents(w, eventOf(`{"jsonrpc":"2.0","method":"notifications/message","params":{}}`))
			<-r.Context().Done()
		},
		note: func(m *jsonrpc.Message) { told <- m.Method == "notifications/cancelled" },
	}
	s, _ := dial(t, serve(t, fake))
	<-told // notifications/initialized
	c := tool(t, "a", `{}`)
	enough := errors.New("enough")
	c.Receive = func(*jsonrpc.Message) error { return enough }
	_, err := s.Call(t.Context(), c)
	wantErr(t, "Receive", err, enough, "")
	if !<-told {
		t.Error("the server was not told")
	}
}

func TestStreamableRedirects(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	var asked atomic.Int64
	fake := &fakeHTTP{call: func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
		sendJSON(w, string(jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(`{"here":1}`))))
	}}
	routes := http.NewServeMux()
	routes.Handle("/mcp/", fake)
	to := func(location string, code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { asked.Add(1); http.Redirect(w, r, location, code) }
	}
	routes.HandleFunc("/same", to("/mcp/", 307))
	routes.HandleFunc("/other", to(other.URL+"/x", 308))
	routes.HandleFunc("/get", to("/mcp/", 302))
	routes.HandleFunc("/loop", to("/loop", 307))
	base := strings.TrimSuffix(serve(t, routes).URL, "/mcp")

	s, _ := dial(t, StreamableHTTP{URL: base + "/same"})
	call(t, s, tool(t, "a", `{}`), `{"here":1}`)
	if asked.Load() != 1 {
		t.Errorf("the redirect was asked for %d times: not remembered", asked.Load())
	}
	for path, want := range map[string]string{
		"/other": base + "/other redirects to another origin, " + other.URL + "/x: refused",
		"/get":   "would change the method",
		"/loop":  "more than 5 times",
	} {
		o, _ := testOptions(t)
		_, err := Dial(t.Context(), StreamableHTTP{URL: base + path}, o)
		wantErr(t, path, err, nil, want)
	}
}

func TestStreamableMessageTooLong(t *testing.T) {
	var kind string
	fake := &fakeHTTP{call: func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
		result := `{"x":"` + strings.Repeat("y", MaxMessage) + `"}`
		switch kind {
		case "events":
			sendEvents(w, answerOf(m, result))
		case "json":
			sendJSON(w, string(jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(result))))
		default:
			sendJSON(w, string(jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(`{"fits":1}`))))
		}
	}}
	s, _ := dial(t, serve(t, fake))
	for _, kind = range []string{"events", "json"} {
		_, err := s.Call(t.Context(), tool(t, "a", `{}`))
		wantErr(t, kind, err, nil, "longer than 16 MiB")
	}
	kind = ""
	call(t, s, tool(t, "a", `{}`), `{"fits":1}`)
}

// A stream read to its end leaves its connection to the next call.
func TestStreamableEventsReuseTheConnection(t *testing.T) {
	fake := &fakeHTTP{call: func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
		sendEvents(w, answerOf(m, `{}`))
		time.Sleep(2 * time.Millisecond) // the end comes a little later
	}}
	var conns atomic.Int64
	server := httptest.NewUnstartedServer(fake)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s, _ := dial(t, StreamableHTTP{URL: server.URL, HTTP: &http.Transport{}})
	for range 20 {
		call(t, s, tool(t, "a", `{}`), `{}`)
	}
	if conns.Load() > 3 {
		t.Errorf("20 calls took %d connections", conns.Load())
	}
}
