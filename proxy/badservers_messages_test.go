package proxy

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"mcphub/proxy/mcpserver"
)

// badMessages are servers that answer calls with what is no answer.
var badMessages = []badServer{
	{name: "sends invalid UTF-8", beside: overStdio, run: poisoned(
		"invalid UTF-8", `{"jsonrpc":"2.0","id":%s,"result":{"text":"caf`+"\xe9"+`"}}`,
		`{"jsonrpc":"2.0","result":{"text":"caf`+"\xe9"+`"},"id":%s}`)},
	{name: "answers with JSON nested very deep", beside: overEvents, run: poisoned(
		"nested deeper than 500", `{"jsonrpc":"2.0","id":%s,"result":{"a":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}}`,
		`{"id":%s,"jsonrpc":"2.0","result":{"a":`+strings.Repeat(`{"a":`, 100_000)+`1`+strings.Repeat("}", 100_000)+`}}`)},
	{name: "answers with duplicate keys", beside: overJSON, run: poisoned(
		`is repeated`, `{"jsonrpc":"2.0","id":%s,"result":{},"result":{"other":1}}`,
		`{"jsonrpc":"2.0","id":%[1]s,"id":%[1]s,"result":{}}`)},
	{name: "answers a call with the response to another", beside: overEvents, run: answersAnother},
	{name: "answers to ids nobody asked", beside: overStdio, run: answersNobody},
	{name: "answers late to a call that was cancelled", beside: overStdio, run: answersLate},
	{name: "asks for sampling that the client has not declared", beside: overSSE, run: asksInVain},
	{name: "withdraws a question when it is answered", beside: overEvents, run: withdrawsLate},
}

// everyWire starts a server with a tool "do" on each wire, and waits until they
// are connected.
func (x *trial) everyWire(list []wire, answer func(e *exchange)) (ids []string) {
	for i, w := range list {
		f := offering(fmt.Sprintf("bad%d", i), w, "do")
		f.answer, f.isolation = answer, "session"
		f.start(x.t)
		x.serve(f.id, f.spec())
		x.expect(f.id, connected)
		ids = append(ids, f.id)
	}
	return ids
}

// poisoned answers the first calls on each wire with texts that are no messages.
// The call fails for that reason, and the next one is answered.
func poisoned(reason string, texts ...string) func(*trial) {
	return func(x *trial) {
		var turn atomic.Int32
		ids := x.everyWire(wires, func(e *exchange) {
			if n := int(turn.Add(1)) - 1; n < len(texts) {
				e.send(fmt.Sprintf(texts[n], e.ID))
			} else {
				e.respond(`{"content":[]}`)
			}
		})
		for i, id := range ids {
			turn.Store(0)
			c := x.connect("/mcp", "user", `{}`)
			for range texts {
				got := c.call(`tools/call {"name":"%s__do"}`, id)
				x.fails(string(wires[i]), got, fmt.Sprintf(`server \"%s\": read the answer: `, id), reason)
			}
			equal(x.t, string(wires[i]), c.result(`tools/call {"name":"%s__do"}`, id), `{"content":[]}`)
		}
	}
}

// strays returns how many messages of servers have been dropped.
func (x *trial) strays() (n int64) {
	for _, s := range x.hub.Status().Servers {
		n += s.Strays
	}
	return n
}

func answersAnother(x *trial) {
	ids := x.everyWire([]wire{overEvents, overJSON}, func(e *exchange) {
		e.send(`{"jsonrpc":"2.0","id":` + string(e.ID) + `000,"result":{"content":"another's"}}`)
		if e.fake.wire == overEvents {
			e.respond(`{"content":[]}`)
		}
	})
	c := x.connect("/mcp", "user", `{}`)
	equal(x.t, "beside another's answer", strings.Join(c.call(`tools/call {"name":"%s__do"}`, ids[0]), ""), `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`)
	got := c.call(`tools/call {"name":"%s__do"}`, ids[1])
	x.fails("another's answer alone", got, `server \"bad1\": read the answer: the server sent messages, but not the response`)
	want(x.t, "answers dropped", x.strays(), 2)
}

// answersNobody says what answers no call, before the answer and outside calls.
func answersNobody(x *trial) {
	stray := []string{
		`{"jsonrpc":"2.0","id":987654,"result":{}}`, `{"jsonrpc":"2.0","id":"1","result":{}}`,
		`{"jsonrpc":"2.0","id":-1,"error":{"code":1,"message":"m"}}`, `{"jsonrpc":"2.0","id":1.0,"result":{}}`,
	}
	ids := x.everyWire([]wire{overEvents, overSSE, overStdio}, func(e *exchange) {
		for _, text := range stray {
			e.send(text)
		}
		e.respond(`{"content":[]}`)
	})
	c := x.connect("/mcp", "user", `{}`)
	for _, id := range ids {
		equal(x.t, id, strings.Join(c.call(`tools/call {"name":"%s__do"}`, id), ""), `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`)
	}
	want(x.t, "answers dropped", x.strays(), int64(len(ids)*len(stray)))
}

// answersLate answers when the client has cancelled: that is nobody's answer.
func answersLate(x *trial) {
	ids := x.everyWire([]wire{overEvents, overSSE, overStdio}, func(e *exchange) {
		if !strings.Contains(e.text, `"late"`) {
			e.respond(`{"content":[]}`)
			return
		}
		e.fake.await("the cancellation", 0, func(m message) bool {
			return m.Method == "notifications/cancelled" && m.session == e.session
		})
		e.respond(`{"content":"late"}`)
	})
	for _, id := range ids {
		c := x.connect("/mcp", "user "+id, `{}`)
		var cancelled sync.WaitGroup
		cancelled.Go(func() {
			if got := c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"%s__do","arguments":{"x":"late"}}}`, id)).all(); got[0] != "" {
				x.t.Errorf("%s: the cancelled call is answered: %s", id, got)
			}
		})
		if !eventually(func() bool { return x.inFlight("user "+id) == 1 }) {
			x.t.Fatal("the call does not begin")
		}
		c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`)
		cancelled.Wait()
		equal(x.t, id, c.result(`tools/call {"name":"%s__do"}`, id), `{"content":[]}`)
	}
}

// inFlight returns how many calls of a client are being answered.
func (x *trial) inFlight(client string) (n int) {
	x.hub.clients.Each(func(s *mcpserver.Session) {
		if strings.Contains(string(s.State.ClientInfo), `"`+client+`"`) {
			n += len(s.InFlight())
		}
	})
	return n
}

func asksInVain(x *trial) {
	ids := x.everyWire(streaming, func(e *exchange) {
		m := e.ask(`"q"`, "sampling/createMessage", `{"messages":[],"maxTokens":1}`)
		e.respond(string(m.Error))
	})
	for i, id := range ids {
		c := x.connect("/mcp", "user", `{"elicitation":{}}`)
		got := c.call(`tools/call {"name":"%s__do"}`, id)
		equal(x.t, string(streaming[i]), strings.Join(got, " "), `{"jsonrpc":"2.0","id":1,"result":{"code":-32601,"message":"the client has not declared sampling"}}`)
	}
}

// withdrawsLate withdraws its question when the answer is there, and then one that
// it has never put.
func withdrawsLate(x *trial) {
	ids := x.everyWire(streaming, func(e *exchange) {
		m := e.ask(`"q"`, "sampling/createMessage", `{"messages":[],"maxTokens":1}`)
		for _, id := range []string{`"q"`, `"never"`, `null`, `{}`} {
			e.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `}}`)
		}
		e.respond(string(m.Result))
	})
	for i, id := range ids {
		c := x.connect("/mcp", "user", everything)
		call := c.post(request(`tools/call {"name":"%s__do"}`, id))
		c.send(`{"jsonrpc":"2.0","id":` + idOf(x.t, call.expect("sampling")) + `,"result":{"n":1.0}}`)
		equal(x.t, string(streaming[i]), strings.Join(call.all(), " "), `{"jsonrpc":"2.0","id":1,"result":{"n":1.0}}`)
	}
}
