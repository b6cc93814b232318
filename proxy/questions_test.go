package proxy

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

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
