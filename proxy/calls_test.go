package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mcphub/proxy/mcpserver"
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

// questions are what servers ask clients, and what clients answer.
var questions = []struct{ method, params, answer string }{
	{"sampling/createMessage", `{"messages":[{"role":"user","content":{"type":"video","n":9007199254740993}}],"maxTokens":1e2,"unknown":null}`, `"result":{"role":"assistant","content":{"type":"video","n":9007199254740993},"model":"\u00e9","z":1.0}`},
	{"elicitation/create", `{"mode":"url","elicitationId":"e","url":"https:\/\/x","message":""}`, `"result":{"action":"accept","content":{"n":9007199254740993,"b":1,"a":2}}`},
	{"roots/list", ``, `"result":{ "roots" : [ ] , "unknown" : 1.0 }`},
	{"sampling/createMessage", `{"messages":[],"maxTokens":1}`, `"error":{"code":-1,"message":"user said \u006eo","data":{"n":9007199254740993}}`},
}

// ask sends the request of a server and returns the client's answer to it.
func (x *exchange) ask(id, method, params string) message {
	x.send(question(id, method, params))
	m, _ := x.fake.await("an answer to "+id, 0, func(m message) bool {
		return m.Method == "" && string(m.ID) == id && m.session == x.session
	})
	return m
}

func question(id, method, params string) string {
	if params != "" {
		params = `,"params":` + params
	}
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `"` + params + `}`
}

// TestQuestions puts the questions of a server to the client whose call caused
// them, on the stream of that call, and carries the answers back as bytes.
func TestQuestions(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		server := doing(w, func(x *exchange) {
			var out strings.Builder
			for i, q := range questions {
				id := fmt.Sprintf(`"\u0071%d"`, i)
				out.WriteString(x.ask(id, q.method, q.params).text)
			}
			x.respond(`{"content":[]}`)
		})
		server.isolation = "session"
		client := newFleet(t, server).connect("/mcp", "c", everything)
		call := client.post(request(`tools/call {"name":"srv__do"}`))
		for i, q := range questions {
			got := call.expect(q.method)
			id := idOf(t, got)
			equal(t, "the client was asked", got, question(id, q.method, q.params))
			client.send(`{"jsonrpc":"2.0",` + q.answer + `,"id":` + id + `}`)
			m, _ := server.await("an answer", 0, func(m message) bool { return string(m.ID) == fmt.Sprintf(`"\u0071%d"`, i) })
			equal(t, "the server was answered", m.text, fmt.Sprintf(`{"jsonrpc":"2.0","id":"\u0071%d",%s}`, i, q.answer))
		}
		call.expect(`"content":[]`)
	})
}

// idOf returns the id of a request as it came.
func idOf(t testing.TB, text string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, `"id":`)
	id, _, ok2 := strings.Cut(after, ",")
	if !ok || !ok2 {
		t.Fatalf("no id in %s", text)
	}
	return id
}

// TestUndeclared refuses questions that a client has not declared it can answer.
func TestUndeclared(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		server := doing(w, func(x *exchange) {
			m := x.ask("1", "sampling/createMessage", `{}`)
			x.respond(string(m.Error))
		})
		server.isolation = "session"
		client := newFleet(t, server).connect("/mcp", "c", `{"roots":{}}`)
		got := client.call(`tools/call {"name":"srv__do"}`)
		equal(t, "the server was answered", strings.Join(got, " "), `{"jsonrpc":"2.0","id":1,"result":{"code":-32601,"message":"the client has not declared sampling"}}`)
	})
}

// TestQuestionsOfManyClients has 20 clients call at once, at a server that asks
// each something: everybody gets what is theirs.
func TestQuestionsOfManyClients(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		n := 20
		var all sync.WaitGroup
		var meet sync.WaitGroup
		if w == overStdio {
			n = 4 // each has a process
		}
		meet.Add(n)
		server := doing(w, func(x *exchange) {
			meet.Done()
			meet.Wait() // all calls are in flight
			m := x.ask(`7`, "elicitation/create", `{"message":"`+x.session.client+`"}`)
			x.respond(string(m.Result))
		})
		server.isolation = "session"
		f := newFleet(t, server)
		for i := range n {
			client := f.connect("/mcp", fmt.Sprintf("client%d", i), everything)
			all.Go(func() {
				call := client.post(request(`tools/call {"name":"srv__do"}`))
				defer call.close()
				asked, _ := call.next()
				if !strings.Contains(asked, `{"message":"`+client.name+`"}`) {
					t.Errorf("%s was asked %s", client.name, asked)
					return
				}
				client.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"by":%q}}`, idOf(t, asked), client.name))
				answer, _ := call.next()
				equal(t, client.name, answer, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"result":{"by":%q}}`, client.name))
			})
		}
		all.Wait()
	})
}

// TestQuestionOutsideCalls has a server ask on its own stream, which reaches the
// client whose session it is: on the one call in flight, else on its own stream.
func TestQuestionOutsideCalls(t *testing.T) {
	onEach(t, []wire{overJSON, overEvents, overSSE}, func(t *testing.T, w wire) {
		server := doing(w, func(x *exchange) { x.respond(`{"content":[]}`) })
		f := newFleet(t, server)
		client, other := f.connect("/mcp", "c", everything), f.connect("/mcp", "d", everything)
		client.call(`tools/call {"name":"srv__do"}`)
		other.call(`tools/call {"name":"srv__do"}`)
		theirs := other.open()
		server.sessionOf("c").say <- question(`"later"`, "roots/list", "")
		time.Sleep(50 * time.Millisecond)
		stream := client.open() // it waits for a stream
		asked := stream.expect("roots/list")
		client.send(`{"jsonrpc":"2.0","id":` + idOf(t, asked) + `,"result":{"roots":[]}}`)
		m, _ := server.await("the answer", 0, func(m message) bool { return string(m.ID) == `"later"` })
		if m.session.client != "c" {
			t.Errorf("answered in the session of %s", m.session.client)
		}
		theirs.silent(50 * time.Millisecond)
	})
}

// TestSharedServerAsks has a server ask that all clients share: with one call in
// flight it is that call's client who is asked, with two nobody.
func TestSharedServerAsks(t *testing.T) {
	t.Parallel()
	proceed := make(chan struct{})
	server := doing(overStdio, func(x *exchange) {
		if strings.Contains(x.text, `"wait"`) {
			<-proceed
		} else {
			x.respond(`{"said":` + x.ask(fmt.Sprintf(`"q%s"`, x.ID), "roots/list", "").text + `}`)
			return
		}
		x.respond(`{}`)
	})
	f := newFleet(t, server)
	client, other := f.connect("/mcp", "c", everything), f.connect("/mcp", "d", everything)

	call := client.post(request(`tools/call {"name":"srv__do"}`))
	asked := call.expect("roots/list")
	client.send(`{"jsonrpc":"2.0","id":` + idOf(t, asked) + `,"result":{"roots":[1]}}`)
	call.expect(`"result":{"roots":[1]}`)

	waiting := make(chan string, 1)
	go func() { waiting <- other.result(`tools/call {"name":"srv__do","arguments":{"a":"wait"}}`) }()
	server.await("the waiting call", 0, func(m message) bool { return strings.Contains(m.text, `"wait"`) })
	if got := client.call(`tools/call {"name":"srv__do"}`); len(got) != 1 || !strings.Contains(got[0], `"code":-32603`) {
		t.Errorf("with two calls in flight: got %q, want the question refused with -32603", got)
	}
	close(proceed)
	equal(t, "the other call", <-waiting, `{}`)
}

// TestRetractedQuestion has a server withdraw what it asked.
func TestRetractedQuestion(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		asked := make(chan struct{})
		server := doing(w, func(x *exchange) {
			x.send(question(`"q"`, "elicitation/create", `{"message":""}`))
			<-asked
			x.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q"}}`)
			time.Sleep(100 * time.Millisecond)
			x.respond(`{"content":[]}`)
		})
		server.isolation = "session"
		client := newFleet(t, server).connect("/mcp", "c", everything)
		call := client.post(request(`tools/call {"name":"srv__do"}`))
		id := idOf(t, call.expect("elicitation/create"))
		close(asked)
		call.expect(`"method":"notifications/cancelled","params":{"requestId":` + id + `,`)
		call.expect(`"content":[]`)
		client.send(`{"jsonrpc":"2.0","id":` + id + `,"result":{}}`) // too late
		time.Sleep(50 * time.Millisecond)
		if strings.Contains(server.log(), `"id":"q"`) {
			t.Errorf("a question withdrawn was answered: %s", server.log())
		}
	})
}

// TestQuestionOutlivesNothing ends the call or the session of a client while a
// question to it is open: nobody waits for the answer any more.
func TestQuestionOutlivesNothing(t *testing.T) {
	t.Parallel()
	server := doing(overEvents, func(x *exchange) { x.respond(`{"content":[]}`) })
	f := newFleet(t, server)
	client := f.connect("/mcp", "c", everything)
	stream := client.open()
	client.call(`tools/call {"name":"srv__do"}`)
	server.sessionOf("c").say <- question(`"q"`, "roots/list", "")
	stream.expect("roots/list")
	var p *peer
	f.hub.clients.Each(func(s *mcpserver.Session) { p = s.Peer().(*peer) })
	client.do(http.MethodDelete, "").close()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		n := len(p.asks)
		p.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Since(began) > patience {
			t.Fatal("the question is still open after its session has ended")
		}
	}
}

// TestQuestionOfALostSession asks in a session that the server then loses: the
// question is withdrawn when the client gets a new one.
func TestQuestionOfALostSession(t *testing.T) {
	t.Parallel()
	server := doing(overSSE, func(x *exchange) { x.respond(`{"content":[]}`) })
	client := newFleet(t, server).connect("/mcp", "c", everything)
	stream := client.open()
	client.call(`tools/call {"name":"srv__do"}`)
	first := server.sessionOf("c")
	first.say <- question(`"q"`, "roots/list", "")
	id := idOf(t, stream.expect("roots/list"))
	first.end()
	for began := time.Now(); server.sessionOf("c") == first && time.Since(began) < patience; {
		client.call(`tools/call {"name":"srv__do"}`)
	}
	stream.expect(`"method":"notifications/cancelled","params":{"requestId":` + id + `,`)
}

// TestProgressOfAnswers carries the client's progress on a question to the server
// that asked, under its own token, even if another server uses the same.
func TestProgressOfAnswers(t *testing.T) {
	t.Parallel()
	asking := func(id string) *fake {
		f := offering(id, overEvents, "do")
		f.answer = func(x *exchange) {
			x.ask(`1`, "sampling/createMessage", `{"_meta":{"progressToken":"\u0074"},"n":1.0}`)
			x.respond(`{"content":[]}`)
		}
		return f
	}
	one, two := asking("one"), asking("two")
	client := newFleet(t, one, two).connect("/mcp", "c", everything)
	var all sync.WaitGroup
	for _, server := range []*fake{one, two} {
		call := client.post(strings.Replace(request(`tools/call {"name":"%s__do"}`, server.id), `"id":1`, `"id":"`+server.id+`"`, 1))
		asked := call.expect("sampling")
		_, after, _ := strings.Cut(asked, `"progressToken":`)
		token, _, _ := strings.Cut(after, "}")
		all.Go(func() {
			time.Sleep(50 * time.Millisecond) // both questions are open
			for range 5 {
				client.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":1.0,"message":"for ` + server.id + `"}}`)
			}
			m := server.awaitMethod("notifications/progress")
			equal(t, server.id, string(m.Params), `{"progressToken":"\u0074","progress":1.0,"message":"for `+server.id+`"}`)
			client.send(`{"jsonrpc":"2.0","id":` + idOf(t, asked) + `,"result":{}}`)
			call.expect(`"content":[]`)
		})
	}
	all.Wait()
	for _, server := range []*fake{one, two} {
		if n := server.count("notifications/progress"); n != 5 {
			t.Errorf("%s got %d notifications, want its own 5", server.id, n)
		}
	}
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
