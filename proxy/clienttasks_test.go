package proxy

import (
	"strings"
	"sync"
	"testing"
	"time"

	"mcphub/proxy/jsonrpc"
)

// asking is a server whose tool puts the question in its arguments to the client.
func asking(id string, w wire) *fake {
	s := offering(id, w, "do")
	s.isolation = "session"
	s.answer = func(x *exchange) {
		arguments := jsonrpc.Get(x.Params, "arguments")
		m := x.ask(string(x.ID), jsonrpc.Text(arguments, "method"), string(jsonrpc.Get(arguments, "params")))
		x.respond(`{"error":` + orNull(m.Error) + `,"result":` + orNull(m.Result) + `}`)
	}
	return s
}

func orNull(raw jsonrpc.Raw) string {
	if raw == nil {
		return "null"
	}
	return string(raw)
}

// asked has a server ask the client something, to which it gives an answer. It
// returns what the server gets.
func (c *client) asked(tool, method, params, answer string) string {
	c.t.Helper()
	call := c.post(request(`tools/call {"name":"%s","arguments":{"method":"%s","params":%s}}`, tool, method, params))
	if answer != "" {
		got := call.expect(`"` + method + `"`)
		id := idOf(c.t, got)
		equal(c.t, "the client is asked", got, question(id, method, params))
		c.send(`{"jsonrpc":"2.0","id":` + id + `,"result":` + answer + `}`)
	}
	return strings.TrimSuffix(strings.TrimPrefix(call.expect(`"id":1`), `{"jsonrpc":"2.0","id":1,"result":`), "}")
}

const (
	taskingClient = `{"sampling":{},"tasks":{"list":{},"cancel":{},"requests":{"sampling":{"createMessage":{}}}}}`
	samplingTask  = `{"messages":[],"maxTokens":1,"task":{"ttl":6e4}}`
	unknownMine   = `{"error":{"code":-32602,"message":"unknown task \"mine\": the client has made none with this id for this server"},"result":null}`
)

// TestTasksOfClients has a client answer a server with a task. That server alone
// reaches it, and hears of it.
func TestTasksOfClients(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		a, b := asking("a", w), asking("b", w)
		client := newFleet(t, a, b).connect("/mcp", "c", taskingClient)
		const created = `{"task":{"taskId":"mine","n":9007199254740993,"x":1.0}}`
		equal(t, "unknown", client.asked("a__do", "tasks/get", `{"taskId":"mine"}`, ""), unknownMine)
		equal(t, "created", client.asked("a__do", "sampling/createMessage", samplingTask, created), `{"error":null,"result":`+created+`}`)
		for _, method := range []string{"tasks/get", "tasks/result", "tasks/cancel"} {
			const params, state = `{"taskId":"mine","x":1.0}`, `{"taskId":"mine","status":"working","n":9007199254740993}`
			equal(t, method, client.asked("a__do", method, params, state), `{"error":null,"result":`+state+`}`)
			equal(t, method+" by another", client.asked("b__do", method, `{"taskId":"mine"}`, ""), unknownMine)
		}
		const all = `{"tasks":[{"taskId":"other"},{"taskId":"mine","n":1.0}],"nextCursor":"x"}`
		equal(t, "list", client.asked("a__do", "tasks/list", `{}`, all), `{"error":null,"result":{"tasks":[{"taskId":"mine","n":1.0}],"nextCursor":"x"}}`)
		equal(t, "list by another", client.asked("b__do", "tasks/list", `{}`, all), `{"error":null,"result":{"tasks":[],"nextCursor":"x"}}`)
		client.send(status("mine"))
		equal(t, "status", a.awaitMethod(methodTaskStatus).text, status("mine"))
		client.send(status("other"))
		client.asked("b__do", "tasks/list", `{}`, all)
		if n := a.count(methodTaskStatus) + b.count(methodTaskStatus); n != 1 {
			t.Errorf("servers heard %d times of tasks, want once", n)
		}
	})
}

// TestTaskThatWasNotAskedFor does not take a result for a task that only looks
// like one.
func TestTaskThatWasNotAskedFor(t *testing.T) {
	t.Parallel()
	client := newFleet(t, asking("a", overEvents)).connect("/mcp", "c", taskingClient)
	client.asked("a__do", "sampling/createMessage", `{"messages":[],"x":"\"task\":{}"}`, `{"task":{"taskId":"mine"}}`)
	equal(t, "get", client.asked("a__do", "tasks/get", `{"taskId":"mine"}`, ""), unknownMine)
}

// TestTasksOfClientsAlone passes all where one server is shown alone: what the
// client has made is for that one.
func TestTasksOfClientsAlone(t *testing.T) {
	t.Parallel()
	a := asking("a", overEvents)
	f := newFleet(t, a)
	client := f.connect("/mcp/server/a", "c", taskingClient)
	equal(t, "get", client.asked("do", "tasks/get", `{"taskId":"mine"}`, `{}`), `{"error":null,"result":{}}`)
	equal(t, "list", client.asked("do", "tasks/list", `{}`, `{ "tasks" : [1] }`), `{"error":null,"result":{ "tasks" : [1] }}`)
	client.send(status("mine"))
	a.awaitMethod(methodTaskStatus)
	other := f.connect("/mcp/server/a", "d", `{"sampling":{}}`)
	equal(t, "undeclared", other.asked("do", "tasks/list", `{}`, ""), `{"error":{"code":-32601,"message":"the client has not declared tasks"},"result":null}`)
}

// TestQuestionOfATask puts what a server asks outside calls for a task on the call
// that waits for it, among others.
func TestQuestionOfATask(t *testing.T) {
	t.Parallel()
	s := working("a", overSSE)
	s.block = true
	f := newFleet(t, s.fake)
	client := f.connect("/mcp", "c", everything)
	client.create("a__", "t")
	client.create("a__", "u")
	answers := map[string]chan *answer{"t": make(chan *answer, 1), "u": make(chan *answer, 1)}
	var calls sync.WaitGroup
	for id, got := range answers {
		calls.Go(func() {
			got <- client.post(strings.Replace(request(`tasks/result {"taskId":"%s"}`, id), `"id":1`, `"id":"`+id+`"`, 1))
		})
		s.await("tasks/result", 0, func(m message) bool {
			text, _ := m.Text(jsonrpc.TaskID)
			return m.Method == "tasks/result" && text == id
		})
	}
	s.sessionOf("c").say <- question(`"q"`, "roots/list", `{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"u"}}}`)
	select {
	case call := <-answers["u"]:
		call.expect("roots/list")
	case call := <-answers["t"]:
		t.Errorf("asked on another task's call: %s", call.expect(""))
	case <-time.After(patience):
		t.Error("the client was not asked")
	}
	for id := range answers { // that no call is left to a client that is gone
		client.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"` + id + `"}}`)
	}
	calls.Wait()
}
