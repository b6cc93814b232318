package proxy

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mcphub/proxy/jsonrpc"
)

// worker is a server with tasks: each call of its tool creates the task whose id
// the argument has.
type worker struct {
	*fake
	block bool       // tasks/result does not return
	mu    sync.Mutex // guards what follows
	tasks []string   // ids
}

const taskCapabilities = `{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}`

func working(id string, w wire) *worker {
	s := &worker{fake: offering(id, w, "do")}
	s.initialize = initializeResult(taskCapabilities, "")
	s.answer = s.work
	return s
}

func (s *worker) work(x *exchange) {
	if x.Method == "tasks/result" && s.block {
		<-x.gone
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, _ := x.Text(jsonrpc.TaskID)
	switch {
	case x.Method == "tools/call":
		id = jsonrpc.Text(jsonrpc.Get(x.Params, "arguments"), "id")
		s.tasks = append(s.tasks, id)
		x.respond(`{"task":{"taskId":"` + id + `","by":"` + s.id + `"}}`)
	case x.Method == "tasks/list":
		var items []string
		for _, id := range s.tasks {
			items = append(items, `{"taskId":"`+id+`","by":"`+s.id+`","n":9007199254740993}`)
		}
		x.respond(`{"tasks":[` + strings.Join(items, ",") + `]}`)
	case !strings.Contains(strings.Join(s.tasks, " ")+" ", id+" "):
		x.fail(`{"code":-32602,"message":"` + s.id + ` has it not","data":1.0}`)
	default:
		x.respond(`{"did":"` + x.Method + `","by":"` + s.id + `"}`)
	}
}

// create creates a task through the hub.
func (c *client) create(prefix, id string) string {
	c.t.Helper()
	return c.result(`tools/call {"name":"%sdo","arguments":{"id":"%s"},"task":{"ttl":60000.0}}`, prefix, id)
}

// TestTasksFindTheirServer sends what is asked of a task to the server that has
// it, by memory or by asking.
func TestTasksFindTheirServer(t *testing.T) {
	t.Parallel()
	a, b, plain := working("a", overJSON), working("b", overEvents), offering("plain", overJSON, "do")
	plain.initialize = initializeResult(`{"tools":{}}`, "")
	a.tasks, b.tasks = []string{"elder"}, []string{"old"}
	f := newFleet(t, a.fake, b.fake, plain)
	for _, path := range []string{"/mcp", "/mcp/group/all"} {
		client := f.connect(path, "c", `{}`)
		equal(t, "created", client.create("b__", "t1"), `{"task":{"taskId":"t1","by":"b"}}`)
		before := a.count("tasks/get") + a.count("tasks/result")
		for _, method := range []string{"tasks/get", "tasks/result", "tasks/cancel", "tasks/vendor"} {
			equal(t, "known", client.result(`%s {"taskId":"t\u0031","x":1.0}`, method), `{"did":"`+method+`","by":"b"}`)
		}
		equal(t, "params", string(b.awaitMethod("tasks/result").Params), `{"taskId":"t\u0031","x":1.0}`)
		if after := a.count("tasks/get") + a.count("tasks/result"); after != before {
			t.Error("a server was asked for a task that another is known to have")
		}
		equal(t, "unknown", client.result(`tasks/cancel {"taskId":"old"}`), `{"did":"tasks/cancel","by":"b"}`)
		before = a.count("tasks/get")
		equal(t, "found before", client.result(`tasks/get {"taskId":"old"}`), `{"did":"tasks/get","by":"b"}`)
		if a.count("tasks/get") != before {
			t.Error("a task that was found is looked for again")
		}
		equal(t, "found by get", client.result(`tasks/get {"taskId":"elder"}`), `{"did":"tasks/get","by":"a"}`)
		equal(t, "nowhere", client.call(`tasks/result {"taskId":"x"}`)[0], `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"a has it not","data":1.0}}`)
		equal(t, "no id", client.call(`tasks/get`)[0], `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"tasks/get: the taskId is missing"}}`)
	}
	if n := plain.count("tasks/get"); n != 0 {
		t.Errorf("a server without tasks was asked %d times", n)
	}
	f.declare(plain)
	f.await("one server", func(v *view) bool { return len(v.ids) == 1 })
	client := f.connect("/mcp", "c", `{}`)
	equal(t, "no server has tasks", client.call(`tasks/get {"taskId":"x"}`)[0], `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"unknown task \"x\": no server here has tasks"}}`)
	equal(t, "no server lists tasks", client.call(`tasks/list`)[0], `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"tasks/list: no server here lists tasks"}}`)
}

// TestTaskErrorIsTheTasks has a failed task's own error reach a client that knows
// of it only by its id, past a server that has never heard of it.
func TestTaskErrorIsTheTasks(t *testing.T) {
	t.Parallel()
	a, b := working("a", overJSON), offering("b", overJSON)
	b.initialize = initializeResult(taskCapabilities, "")
	b.answer = func(x *exchange) {
		if x.Method == "tasks/result" {
			x.fail(`{"code":-32000,"message":"the tool failed"}`)
			return
		}
		x.respond(`{}`)
	}
	client := newFleet(t, a.fake, b).connect("/mcp", "c", `{}`)
	equal(t, "result", client.call(`tasks/result {"taskId":"x"}`)[0], `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"the tool failed"}}`)
	if n := a.count("tasks/result"); n != 0 {
		t.Errorf("the result was asked of a server that has not the task, %d times", n)
	}
}

// TestSameTaskID has two servers use one id: it stands for the task created last.
func TestSameTaskID(t *testing.T) {
	t.Parallel()
	a, b := working("a", overJSON), working("b", overJSON)
	f := newFleet(t, a.fake, b.fake)
	client := f.connect("/mcp", "c", `{}`)
	for _, last := range []string{"a", "b", "a"} {
		client.create(last+"__", "same")
		equal(t, "created last", client.result(`tasks/get {"taskId":"same"}`), `{"did":"tasks/get","by":"`+last+`"}`)
		client.call(`tasks/list`)
		equal(t, "after a list", client.result(`tasks/result {"taskId":"same"}`), `{"did":"tasks/result","by":"`+last+`"}`)
	}
	other := f.connect("/mcp", "d", `{}`)
	equal(t, "to a client that created none", other.result(`tasks/get {"taskId":"same"}`), `{"did":"tasks/get","by":"a"}`)
}

// TestTaskOfAServerThatIsAway does not call a task unknown that a server may have
// which cannot be asked.
func TestTaskOfAServerThatIsAway(t *testing.T) {
	t.Parallel()
	a, b := working("a", overJSON), working("b", overJSON)
	f := newFleet(t, a.fake, b.fake)
	client := f.connect("/mcp", "c", `{}`)
	client.create("a__", "mine")
	b.breakDown()
	f.hub.view().servers["b"].link.suspect()
	f.await("b away", func(v *view) bool { return v.servers["b"].phase != connected })
	equal(t, "the neighbour's", client.result(`tasks/get {"taskId":"mine"}`), `{"did":"tasks/get","by":"a"}`)
	equal(t, "the list", client.result(`tasks/list`), `{"tasks":[{"taskId":"mine","by":"a","n":9007199254740993}]}`)
	if got := client.call(`tasks/get {"taskId":"x"}`)[0]; !strings.Contains(got, `server \"b\" is away`) {
		t.Errorf("unknown: got %s, want that b is away", got)
	}
}

// TestManyTasks creates more tasks than a session remembers. Those that are
// forgotten are found by asking.
func TestManyTasks(t *testing.T) {
	t.Parallel()
	var book notebook[string, string]
	for i := range maxNotes {
		if forgotten := book.put(fmt.Sprint(i), "s"); forgotten != nil {
			t.Fatalf("note %d: %s forgotten", i, forgotten.id)
		}
	}
	book.put("0", "again")
	if forgotten := book.put("new", "s"); forgotten == nil || forgotten.id != "1" {
		t.Errorf("forgotten at the bound: %v, want 1, the one noted longest ago", forgotten)
	}
	if at, ok := book.get("0"); !ok || at != "again" || len(book.at) != maxNotes || book.notes.Len() != maxNotes {
		t.Errorf("got %q, %d and %d notes, want again and %d", at, len(book.at), book.notes.Len(), maxNotes)
	}

	a, b := working("a", overJSON), working("b", overJSON)
	f := newFleet(t, a.fake, b.fake)
	client := f.connect("/mcp", "c", `{}`)
	long := strings.Repeat("i", maxTaskID+1)
	client.create("b__", long)
	before := a.count("tasks/get")
	equal(t, "an id too long to remember", client.result(`tasks/result {"taskId":"%s"}`, long), `{"did":"tasks/result","by":"b"}`)
	if a.count("tasks/get") != before+1 {
		t.Error("an id longer than the bound was remembered")
	}
}

// TestCancelTaskResult breaks off a call that waits for a task's result.
func TestCancelTaskResult(t *testing.T) {
	onEach(t, wires, func(t *testing.T, w wire) {
		s := working("a", w)
		s.block = true
		client := newFleet(t, s.fake).connect("/mcp", "c", `{}`)
		client.create("a__", "t")
		answered := make(chan []string, 1)
		go func() {
			answered <- client.post(`{"jsonrpc":"2.0","id":"mine","method":"tasks/result","params":{"taskId":"t"}}`).all()
		}()
		x := s.awaitMethod("tasks/result")
		equal(t, "meanwhile", client.result(`tasks/get {"taskId":"t"}`), `{"did":"tasks/get","by":"a"}`)
		client.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"mine"}}`)
		if m := s.awaitMethod("notifications/cancelled"); !strings.HasPrefix(string(m.Params), `{"requestId":`+string(x.ID)+`,`) {
			t.Errorf("cancelled with %s, want the id %s", m.Params, x.ID)
		}
		select {
		case got := <-answered:
			equal(t, "the cancelled call's answer", strings.Join(got, " "), "")
		case <-time.After(patience):
			t.Error("the cancelled call does not end")
		}
	})
}

// TestTaskAsksMeanwhile has a server ask the client while it waits for a task's
// result, on that call's stream, and carries what belongs to the task untouched.
func TestTaskAsksMeanwhile(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		const related = `"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t","n":9007199254740993},"x":1.0}`
		s := working("a", w)
		s.isolation = "session"
		s.answer = func(x *exchange) {
			if x.Method != "tasks/result" {
				s.work(x)
				return
			}
			m := x.ask(`"q"`, "elicitation/create", `{"message":"?",`+related+`}`)
			x.respond(`{"content":[],` + related + `,"answer":` + m.text + `}`)
		}
		client := newFleet(t, s.fake).connect("/mcp", "c", everything)
		client.create("a__", "t")
		call := client.post(request(`tasks/result {"taskId":"t"}`))
		asked := call.expect("elicitation/create")
		id := idOf(t, asked)
		equal(t, "asked", asked, question(id, "elicitation/create", `{"message":"?",`+related+`}`))
		client.send(`{"jsonrpc":"2.0","id":` + id + `,"result":{"action":"accept",` + related + `}}`)
		equal(t, "result", call.expect(`"content"`), `{"jsonrpc":"2.0","id":1,"result":{"content":[],`+related+`,"answer":{"jsonrpc":"2.0","id":"q","result":{"action":"accept",`+related+`}}}}`)
	})
}
