package proxy

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpserver"
)

// TestCancelledCallAsks cancels calls during which the server waits for an answer
// of the client: it hears of the cancellation first. In the other order it might
// answer the call, as many servers do when nobody answers them, and never hear that
// it was cancelled.
func TestCancelledCallAsks(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		server := doing(w, func(x *exchange) {
			x.send(question(string(x.ID), "elicitation/create", `{"message":""}`))
			<-x.gone
		})
		server.isolation = "session"
		client := newFleet(t, server).connect("/mcp", "c", everything)
		for seen := range 20 {
			call := client.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"srv__do"}}`, seen))
			call.expect("elicitation/create")
			client.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + strconv.Itoa(seen) + `}}`)
			told, at := server.await("the end of the call", 0, nthEnd(seen))
			if told.Method != "notifications/cancelled" {
				t.Fatalf("round %d: the server was told %s before the cancellation", seen, told.text)
			}
			server.await("the refusal of its question", at, func(m message) bool { return m.ID != nil && m.Method == "" })
			call.close()
		}
	})
}

// TestQuestionOutlivesItsCall has a server ask during a call, and answer the call
// before the client has answered: the client's answer still reaches it.
func TestQuestionOutlivesItsCall(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		server := doing(w, func(x *exchange) {
			x.send(question(`"q"`, "roots/list", ""))
			x.respond(`{"content":[]}`)
		})
		server.isolation = "session"
		client := newFleet(t, server).connect("/mcp", "c", everything)
		call := client.post(request(`tools/call {"name":"srv__do"}`))
		id := idOf(t, call.expect("roots/list"))
		call.expect(`"content":[]`)
		client.send(`{"jsonrpc":"2.0","id":` + id + `,"result":{"roots":[]}}`)
		m, _ := server.await("the answer", 0, func(m message) bool { return string(m.ID) == `"q"` && m.Method == "" })
		equal(t, "the answer", m.text, `{"jsonrpc":"2.0","id":"q","result":{"roots":[]}}`)
	})
}

// TestRootsOutliveACancelledCall has a server ask for roots while a call is in flight
// that the client then cancels: it gets them, for it may have asked at any time.
func TestRootsOutliveACancelledCall(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		server := doing(w, func(x *exchange) {
			x.send(question(`"q"`, "roots/list", ""))
			<-x.gone
		})
		server.isolation = "session"
		client := newFleet(t, server).connect("/mcp", "c", everything)
		call := client.post(request(`tools/call {"name":"srv__do"}`))
		id := idOf(t, call.expect("roots/list"))
		client.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		server.awaitMethod("notifications/cancelled")
		client.send(`{"jsonrpc":"2.0","id":` + id + `,"result":{"roots":[]}}`)
		m, _ := server.await("the answer", 0, func(m message) bool { return string(m.ID) == `"q"` && m.Method == "" })
		equal(t, "the answer", m.text, `{"jsonrpc":"2.0","id":"q","result":{"roots":[]}}`)
	})
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

// nthEnd returns what accepts the first of the messages by which a server hears of
// the end of a call, after so many calls that came to their end with two of them.
func nthEnd(calls int) func(message) bool {
	skip := 2 * calls
	return func(m message) bool {
		if m.Method != "notifications/cancelled" && m.Kind() != jsonrpc.Response {
			return false
		}
		skip--
		return skip < 0
	}
}

// TestOwnStreamsOfManyClients has 20 clients with two calls in flight each, at a
// server that asks for sampling and elicitation outside of both: everybody is asked
// what is theirs, on their own stream.
func TestOwnStreamsOfManyClients(t *testing.T) {
	t.Parallel()
	const n = 20
	var meet, part sync.WaitGroup
	meet.Add(2 * n)
	part.Add(2 * n)
	server := doing(overJSON, nil)
	server.answer = func(x *exchange) {
		meet.Done()
		meet.Wait() // all calls are in flight
		method := jsonrpc.Text(jsonrpc.Get(x.Params, "arguments"), "ask")
		x.session.say <- question(`"`+method+`"`, method, `{"of":"`+x.session.client+`"}`)
		m, _ := server.await("the answer", 0, func(m message) bool {
			return m.session == x.session && m.Method == "" && string(m.ID) == `"`+method+`"`
		})
		part.Done()
		part.Wait() // a client with one call left would be asked on that
		x.respond(string(m.Result))
	}
	f := newFleet(t, server)
	var all sync.WaitGroup
	for i := range n {
		client := f.connect("/mcp", fmt.Sprintf("client%d", i), everything)
		all.Go(func() { askedTwice(t, client) })
	}
	all.Wait()
}

// askedTwice makes two calls at once and answers what the client is asked on its
// own stream meanwhile.
func askedTwice(t *testing.T, client *client) {
	stream := client.open()
	methods := []string{"sampling/createMessage", "elicitation/create"}
	var calls sync.WaitGroup
	defer calls.Wait()
	for i, method := range methods {
		calls.Go(func() {
			body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"srv__do","arguments":{"ask":%q}}}`, i, method)
			answer := client.post(body)
			defer answer.close()
			equal(t, client.name, answer.text(), fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"by":%q,"to":%q}}`, i, client.name, method))
		})
	}
	for range methods {
		asked, ok := stream.next()
		m, err := jsonrpc.Parse([]byte(asked))
		if !ok || err != nil {
			t.Errorf("%s: the stream ended: %s %v", client.name, asked, err)
			return
		}
		if !strings.HasSuffix(asked, `"params":{"of":"`+client.name+`"}}`) {
			t.Errorf("%s was asked %s", client.name, asked)
		}
		client.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"by":%q,"to":%q}}`, m.ID, client.name, m.Method))
	}
}
