package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// doing returns a server whose one tool, "do", is answered as given.
func doing(w wire, answer func(x *exchange)) *fake {
	f := offering("srv", w, "do")
	f.answer = answer
	return f
}

// streaming are the wires on which something can come before a response.
var streaming = []wire{overEvents, overSSE, overStdio}

func onEach(t *testing.T, list []wire, test func(t *testing.T, w wire)) {
	t.Parallel()
	for _, w := range list {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

// TestProgress gives the client its own token back, in its own JSON type, and
// nothing that has another token.
func TestProgress(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		server := doing(w, func(x *exchange) {
			for _, token := range []string{`999`, `"` + x.token() + `"`, `null`, x.token()} {
				x.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.50,"progressToken":%s,"message":"\u00e9"}}`, token))
			}
			x.respond(`{"content":[]}`)
		})
		f := newFleet(t, server)
		client := f.connect("/mcp", "c", `{}`)
		for _, token := range []string{`7`, `"7"`, `1.5e3`, `"\u00e9"`} {
			got := client.call(`tools/call {"name":"srv__do","_meta":{"progressToken":%s}}`, token)
			want := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.50,"progressToken":%s,"message":"\u00e9"}}`, token)
			if len(got) != 2 || got[0] != want {
				t.Errorf("token %s: got %q, want %s and the response", token, got, want)
			}
		}
	})
}

// TestProgressNobodyAskedFor has a server send progress under the request's id to
// a client that gave no token.
func TestProgressNobodyAskedFor(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		server := doing(w, func(x *exchange) {
			x.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"progressToken":%s}}`, x.ID))
			x.respond(`{"content":[]}`)
		})
		client := newFleet(t, server).connect("/mcp", "c", `{}`)
		if got := client.call(`tools/call {"name":"srv__do","_meta":{"a":1}}`); len(got) != 1 {
			t.Errorf("got %q, want the response alone", got)
		}
	})
}

// TestNotificationsOfACall passes what a server says during a call on the stream
// of that call, as bytes.
func TestNotificationsOfACall(t *testing.T) {
	said := []string{
		`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"n":9007199254740993,"b":1,"a":2.0},"unknown":null}}`,
		`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"\u00e9\/"}}`,
	}
	onEach(t, streaming, func(t *testing.T, w wire) {
		server := doing(w, func(x *exchange) {
			for _, s := range said {
				x.send(s)
			}
			x.respond(`{"content":[]}`)
		})
		client := newFleet(t, server).connect("/mcp", "c", `{}`)
		got := client.call(`tools/call {"name":"srv__do"}`)
		if len(got) != 3 || got[0] != said[0] || got[1] != said[1] {
			t.Errorf("got %q, want %q before the response", got, said)
		}
	})
}

// TestUnknownNotifications passes what the hub has never heard of, both ways.
func TestUnknownNotifications(t *testing.T) {
	t.Parallel()
	const odd = `{"jsonrpc":"2.0","method":"notifications/vendor/é","params":{"n":9007199254740993,"b":[],"a":{}}}`
	server := doing(overEvents, func(x *exchange) {
		x.send(odd)
		x.respond(`{}`)
	})
	client := newFleet(t, server).connect("/mcp/server/srv", "c", everything)
	stream := client.open()
	equal(t, "during a call", client.call(`tools/call {"name":"do"}`)[0], odd)
	server.sessionOf("c").say <- odd
	equal(t, "outside a call", stream.expect("vendor"), odd)
	client.send(odd)
	equal(t, "to the server", server.awaitMethod("notifications/vendor/é").text, odd)
	const roots = `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`
	client.send(roots)
	equal(t, "to the server", server.awaitMethod("notifications/roots/list_changed").text, roots)
}

// TestCancel tells the server at once, by its own id; the client gets no response.
func TestCancel(t *testing.T) {
	onEach(t, wires, func(t *testing.T, w wire) {
		called, over := make(chan *exchange, 2), make(chan struct{})
		defer close(over)
		server := doing(w, func(x *exchange) {
			called <- x
			select {
			case <-over:
			case <-x.gone:
			}
		})
		f := newFleet(t, server)
		client, other := f.connect("/mcp", "c", `{}`), f.connect("/mcp", "d", `{}`)
		answered := make(chan []string, 1)
		go func() {
			answered <- client.post(`{"jsonrpc":"2.0","id":"mine","method":"tools/call","params":{"name":"srv__do"}}`).all()
		}()
		x := <-called
		other.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"mine"}}`) // not theirs
		client.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"yours"}}`)
		select {
		case got := <-answered:
			t.Fatalf("cancelled by somebody else, or under another id: %q", got)
		case <-time.After(100 * time.Millisecond):
		}
		began := time.Now()
		client.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"mine","reason":"enough"}}`)
		m := server.awaitMethod("notifications/cancelled")
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the server was told after %s", took)
		}
		if want := fmt.Sprintf(`{"requestId":%s,`, x.ID); !strings.HasPrefix(string(m.Params), want) {
			t.Errorf("cancelled with %s, want %s…", m.Params, want)
		}
		if m.session != x.session {
			t.Errorf("cancelled in session %s, the call is in %s", m.session.id, x.session.id)
		}
		if got := <-answered; len(got) != 1 || got[0] != "" {
			t.Errorf("the cancelled call was answered: %q", got)
		}
	})
}

// TestDisconnectDoesNotCancel drops the connection of a call. The server is left
// to finish it.
func TestDisconnectDoesNotCancel(t *testing.T) {
	onEach(t, wires, func(t *testing.T, w wire) {
		called, proceed, finished := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
		server := doing(w, func(x *exchange) {
			close(called)
			select {
			case <-proceed:
				finished <- true
			case <-x.gone:
				finished <- false
			}
			x.respond(`{}`)
		})
		client := newFleet(t, server).connect("/mcp", "c", `{}`)
		ctx, disconnect := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, client.url, strings.NewReader(request(`tools/call {"name":"srv__do"}`)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Mcp-Session-Id", client.session)
		go func() {
			<-called
			disconnect()
		}()
		if _, err := client.http.Do(r); err == nil {
			t.Error("the call was answered")
		}
		time.Sleep(200 * time.Millisecond)
		close(proceed)
		if !<-finished {
			t.Error("the server's call was broken off")
		}
		if n := server.count("notifications/cancelled"); n != 0 {
			t.Errorf("the server was told of %d cancellations", n)
		}
	})
}

// TestTimeout limits a call at a server that is configured so.
func TestTimeout(t *testing.T) {
	t.Parallel()
	server := doing(overJSON, func(x *exchange) { <-x.gone })
	server.timeout = 100 * time.Millisecond
	client := newFleet(t, server).connect("/mcp", "c", `{}`)
	equal(t, "answer", client.call(`tools/call {"name":"srv__do"}`)[0], `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"server \"srv\": server \"srv\" has not answered within its timeout of 100ms"}}`)
	server.awaitMethod("notifications/cancelled")
}

// TestHeaders passes on what a tool's schema and tracing ask for, and nothing that
// the client sent to the hub alone.
func TestHeaders(t *testing.T) {
	t.Parallel()
	server := doing(overJSON, func(x *exchange) { x.respond(`{}`) })
	client := newFleet(t, server).connect("/mcp", "c", `{}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, client.url, strings.NewReader(request(`tools/call {"name":"srv__do"}`)))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Mcp-Session-Id": client.session, "Authorization": "Bearer x", "Cookie": "a=b", "X-Own": "1",
		"Traceparent": "00-a-b-01", "Tracestate": "x=y", "Baggage": "k=v", "Mcp-Param-Region": "eu",
	} {
		r.Header.Set(name, value)
	}
	resp, err := client.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	got := server.awaitMethod("tools/call").header
	for name, want := range map[string]string{
		"Authorization": "", "Cookie": "", "X-Own": "",
		"Traceparent": "00-a-b-01", "Tracestate": "x=y", "Baggage": "k=v", "Mcp-Param-Region": "eu",
		"Mcp-Session-Id": server.sessionOf("c").id,
	} {
		equal(t, name, got.Get(name), want)
	}
}
