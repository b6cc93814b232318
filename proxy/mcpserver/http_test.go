package mcpserver

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

// Each refusal, and what is taken although it is not in good order.
func TestRequests(t *testing.T) {
	const good = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"x":1}}`
	const modern = `{"jsonrpc":"2.0","id":7,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`
	h := newHost(t, Options{}, Access{})
	id := h.initialize("/mcp")
	for _, test := range []struct {
		method, session, body string
		header                string
		status                int
		want                  string
	}{
		{"POST", id, good, "", 200, `{"jsonrpc":"2.0","id":7,"result":{"x":1}}`},
		{"POST", id, good, "Content-Type: text/plain", 415, "-32600"},
		{"POST", id, good, "Content-Type: application/jsonp", 415, "jsonp"},
		{"POST", id, good, "Content-Type: Application/JSON; charset=utf-8", 200, "result"},
		{"POST", id, good, "Content-Type: ", 200, "result"},
		{"POST", id, good, "Accept: ", 200, "result"},
		{"POST", id, good, "Accept: */*", 200, "result"},
		{"POST", id, good, "Accept: application/*, text/*;q=0.5", 200, "result"},
		{"POST", id, good, "Accept: TEXT/event-stream,application/json", 200, "result"},
		{"POST", id, good, "Accept: application/json", 406, "-32600"},
		{"POST", id, good, "Accept: text/event-stream", 406, "-32600"},
		{"POST", id, good, "Accept: text/html", 406, "-32600"},
		{"POST", "", good, "", 400, "Mcp-Session-Id is missing"},
		{"POST", "unknown", good, "", 404, "-32001"},
		{"POST", id, good, "Mcp-Protocol-Version: 2025-11-25", 200, "result"},
		{"POST", id, good, "Mcp-Protocol-Version: 2024-11-05", 200, "result"}, // not the session's
		{"POST", id, good, "Mcp-Protocol-Version: 2025-01-01", 400, "2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25"},
		{"POST", id, good, "Mcp-Protocol-Version: 1", 400, "-32600"},
		{"POST", id, "{", "", 400, `"id":null,"error":{"code":-32700`},
		{"POST", id, "", "", 400, "-32700"},
		{"POST", id, `{"jsonrpc":"2.0"}`, "", 400, "-32600"},
		{"POST", id, `{"jsonrpc":"2.0","id":1,"ID":2,"method":"x"}`, "", 400, "-32600"},
		{"POST", id, `{"jsonrpc":"1.0","id":1,"method":"x"}`, "", 400, "-32600"},
		{"POST", id, `[` + good + `]`, "", 400, "-32600"},
		{"POST", id, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\x01\"}", "", 400, "-3270"},
		{"POST", id, `{"jsonrpc":"2.0","method":"notifications/x"}`, "", 202, ""},
		{"POST", id, `{"jsonrpc":"2.0","method":"initialize"}`, "", 202, ""},
		{"POST", id, `{"jsonrpc":"2.0","id":5,"result":{}}`, "", 202, ""},
		{"POST", id, `{"jsonrpc":"2.0","id":"x","result":{}}`, "", 202, ""},
		{"POST", id, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}`, "", 202, ""},
		{"POST", id, `{"jsonrpc":"2.0","method":"notifications/cancelled"}`, "", 202, ""},
		{"POST", id, `{"jsonrpc":"2.0","id":8,"method":"ping"}`, "", 200, `{"jsonrpc":"2.0","id":8,"result":{}}`},
		{"POST", id, `{"jsonrpc":"2.0","id":"` + strings.Repeat("i", 5000) + `","method":"ping"}`, "", 200, "result"},
		{"POST", id, modern, "", 400, `"id":7,"error":{"code":-32022`},
		{"POST", "", modern, "Mcp-Protocol-Version: 2026-07-28", 400, `"data":{"supported":["2024-11-05","2025-03-26","2025-06-18","2025-11-25"],"requested":"2026-07-28"}`},
		{"POST", "", good, "Mcp-Protocol-Version: 2026-07-28", 400, "-32022"},
		{"POST", "", good, "Mcp-Protocol-Version: 2027-01-01", 400, `"requested":"2027-01-01"`},
		{"POST", "", hello(`{}`, `{}`), "Mcp-Protocol-Version: 2026-07-28", 400, "-32022"},
		{"GET", id, "", "Mcp-Protocol-Version: 2026-07-28", 405, "-32600"},
		{"DELETE", id, "", "Mcp-Protocol-Version: 2026-07-28", 405, "-32600"},
		{"GET", id, "", "Mcp-Protocol-Version: 2025-01-01", 400, "-32600"},
		{"GET", id, "", "Accept: application/json", 406, "text/event-stream"},
		{"GET", "", "", "", 400, "Mcp-Session-Id is missing"},
		{"GET", "unknown", "", "", 404, "-32001"},
		{"DELETE", "", "", "", 400, "Mcp-Session-Id is missing"},
		{"DELETE", "unknown", "", "", 404, "-32001"},
		{"PUT", id, good, "", 405, "PUT"},
		{"DELETE", id, "", "", 204, ""},
		{"DELETE", id, "", "", 404, "-32001"},
	} {
		got := h.do(test.method, "/mcp", test.session, test.body, test.header)
		if got.StatusCode != test.status || !strings.Contains(got.body, test.want) {
			t.Errorf("%s %.100s with %q: got %d %.200s, want %d with %s", test.method, test.body, test.header, got.StatusCode, got.body, test.status, test.want)
		}
		if kind := got.Header.Get("Content-Type"); got.body != "" && kind != "application/json" {
			t.Errorf("%s %.100s with %q: Content-Type %q", test.method, test.body, test.header, kind)
		}
		if allow := got.Header.Get("Allow"); (allow != "") != (test.status == 405) {
			t.Errorf("%s with %q: Allow %q", test.method, test.header, allow)
		}
	}
	check(t, "notifications that reached the peer", strings.Join(h.notes, " "), "notifications/x initialize")
}

// The bound of a body is exact, whether its length is said before or not.
func TestBodyBound(t *testing.T) {
	const limit = 500
	h := newHost(t, Options{MaxBody: limit}, Access{})
	id := h.initialize("/mcp")
	for size, want := range map[int]int{limit - 1: 200, limit: 200, limit + 1: 413, 100 * limit: 413} {
		head, tail := `{"jsonrpc":"2.0","id":1,"method":"x","params":{"x":"`, `"}}`
		body := head + strings.Repeat("x", size-len(head)-len(tail)) + tail
		for _, said := range []bool{true, false} {
			r := h.request("POST", "/mcp", id, body)
			if !said {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
			}
			got := h.send(r).whole()
			if got.StatusCode != want || want == 413 && !strings.Contains(got.body, "MCPHUB_MAX_BODY") {
				t.Errorf("%d bytes, length said: %v: got %d %.200s, want %d", size, said, got.StatusCode, got.body, want)
			}
		}
	}
	if r := h.request("POST", "/mcp", id, ""); true {
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("{"), errorReader{})), -1
		if _, err := h.client.Do(r); err == nil {
			t.Error("a body that breaks off is answered")
		}
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestInitialize(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	for asked, want := range map[string]string{
		"2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26", "2025-06-18": "2025-06-18", "2025-11-25": "2025-11-25",
		"2026-07-28": "2025-11-25", "2099-01-01": "2025-11-25", "1.0": "2025-11-25", "": "2025-11-25",
	} {
		body := strings.Replace(hello(`{"roots":{}}`, `{"name":"c","title":"ü"}`), "2025-11-25", asked, 1)
		got := h.do("POST", "/mcp/group/x", "", body)
		if !strings.Contains(got.body, `"protocolVersion":"`+want+`"`) || !strings.Contains(got.body, `"name":"host"`) || got.StatusCode != 200 {
			t.Errorf("asked for %q: %d %s", asked, got.StatusCode, got.body)
		}
		s := h.last().session.State
		if s.ProtocolVersion != want || s.Endpoint != "/mcp/group/x" || string(s.Capabilities) != `{"roots":{}}` || string(s.ClientInfo) != `{"name":"c","title":"ü"}` {
			t.Errorf("asked for %q: session of %+v", asked, s)
		}
	}
	before := h.server.Sessions()
	for params, want := range map[string]int{
		``:                                -32602,
		`,"params":{}`:                    -32602,
		`,"params":{"protocolVersion":1}`: -32602,
		`,"params":{"protocolVersion":"2025-11-25","PROTOCOLVERSION":"x"}`:              -32602,
		`,"params":{"protocolVersion":"2025-11-25","capabilities":{},"capabilities":1}`: -32602,
		`,"params":[]`: -32600,
		`,"params":1`:  -32600,
	} {
		got := h.do("POST", "/mcp", "", `{"jsonrpc":"2.0","id":0,"method":"initialize"`+params+`}`)
		if !strings.Contains(got.body, `"code":`+map[int]string{-32602: "-32602", -32600: "-3260"}[want]) || got.Header.Get(headerSession) != "" {
			t.Errorf("%s: %d %s", params, got.StatusCode, got.body)
		}
	}
	check(t, "sessions opened by malformed requests", h.server.Sessions()-before, 0)
	for _, params := range []string{`"capabilities":1`, `"clientInfo":"x"`, `"x":1`} {
		if got := h.do("POST", "/mcp", "", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",`+params+`}}`); got.StatusCode != 200 {
			t.Errorf("%s: %d %s", params, got.StatusCode, got.body)
		}
		if s := h.last().session.State; string(s.Capabilities) != "{}" || string(s.ClientInfo) != "{}" {
			t.Errorf("%s: %s %s", params, s.Capabilities, s.ClientInfo)
		}
	}
}

// What a peer's error becomes.
func TestErrors(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	id := h.initialize("/mcp")
	for _, test := range []struct {
		err    error
		status int
		want   string
	}{
		{jsonrpc.PeerError(jsonrpc.Raw(`{"code":-1,"message":"m","data":{"n":9007199254740993},"extra":1}`)), 200, `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m","data":{"n":9007199254740993},"extra":1}}`},
		{io.ErrUnexpectedEOF, 200, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"unexpected EOF"}}`},
		{&BusyError{Reason: "full", RetryAfter: 1200 * time.Millisecond}, 503, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"full"}}`},
	} {
		h.answer = func(context.Context, *Call) (jsonrpc.Raw, error) { return nil, test.err }
		got := h.do("POST", "/mcp", id, call(1, `{}`))
		if got.StatusCode != test.status || got.body != test.want {
			t.Errorf("%v: got %d %s, want %d %s", test.err, got.StatusCode, got.body, test.status, test.want)
		}
		if after := got.Header.Get("Retry-After"); (after == "2") != (test.status == 503) {
			t.Errorf("%v: Retry-After %q", test.err, after)
		}
	}
}

// The ids of calls in flight are told apart by their bytes, in each session; an id
// is free when its call is over, also when the peer panics.
func TestDuplicateIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		release := make(chan struct{})
		h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
			switch string(c.Message.Params) {
			case `{"wait":1}`:
				<-release
			case `{"panic":1}`:
				panic(http.ErrAbortHandler)
			}
			return c.Message.Params, nil
		}
		id, other := h.initialize("/mcp"), h.initialize("/mcp")
		var group sync.WaitGroup
		group.Go(func() {
			if got := h.do("POST", "/mcp", id, call(1, `{"wait":1}`)); !strings.Contains(got.body, `"result":{"wait":1}`) {
				t.Errorf("the first: %s", got.body)
			}
		})
		synctest.Wait()
		if got := h.do("POST", "/mcp", id, call(1, `{}`)); !strings.Contains(got.body, "-32600") || !strings.Contains(got.body, `"id":1`) {
			t.Errorf("the second: %s", got.body)
		}
		for _, ok := range []*reply{
			h.do("POST", "/mcp", id, call(2, `{}`)),
			h.do("POST", "/mcp", id, strings.Replace(call(1, `{}`), `"id":1`, `"id":"1"`, 1)),
			h.do("POST", "/mcp", other, call(1, `{}`)),
		} {
			if !strings.Contains(ok.body, "result") {
				t.Errorf("another id: %s", ok.body)
			}
		}
		close(release)
		group.Wait()
		if resp, err := h.client.Do(h.request("POST", "/mcp", id, call(1, `{"panic":1}`))); err == nil {
			t.Errorf("a panic is answered: %d", resp.StatusCode)
		}
		if got := h.do("POST", "/mcp", id, call(1, `{}`)); !strings.Contains(got.body, "result") {
			t.Errorf("the id again: %s", got.body)
		}
	})
}

// A second stream takes the place of the first.
func TestSecondGetReplacesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		first := h.open(id)
		check(t, "type", first.Header.Get("Content-Type"), "text/event-stream")
		check(t, "buffering", first.Header.Get("X-Accel-Buffering"), "no")
		second := h.open(id)
		first.expect("end")
		h.last().session.Send([]byte(`{"n":1}`))
		second.expect(`{"n":1}`)
		check(t, "DELETE", h.do("DELETE", "/mcp", id, "").StatusCode, 204)
		second.expect("end")
	})
}

// When the client is told that its stream is open, it is: what comes from then on
// goes there.
func TestGetIsAnsweredWhenTheStreamIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		for range 50 {
			id := h.initialize("/mcp")
			stream := h.open(id)
			check(t, "sent", h.last().session.Send([]byte(`{"n":1}`)), true)
			stream.expect(`{"n":1}`)
		}
	})
}
