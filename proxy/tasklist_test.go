package proxy

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"mcphub/proxy/jsonrpc"
)

// TestTaskLists gathers the tasks of all servers that list them, and takes what a
// server lists for known.
func TestTaskLists(t *testing.T) {
	t.Parallel()
	a, b, failing := working("a", overJSON), working("b", overEvents), working("failing", overJSON)
	failing.answer = func(x *exchange) { x.fail(`{"code":-32000,"message":"no"}`) }
	silent := working("silent", overJSON)
	silent.initialize = initializeResult(`{"tools":{},"tasks":{"cancel":{}}}`, "")
	a.tasks, b.tasks = []string{"1", "2"}, []string{"3"}
	f := newFleet(t, a.fake, failing.fake, silent.fake, b.fake)
	client := f.connect("/mcp", "c", `{}`)
	item := func(id, by string) string { return `{"taskId":"` + id + `","by":"` + by + `","n":9007199254740993}` }
	equal(t, "list", client.result(`tasks/list`), `{"tasks":[`+item("1", "a")+","+item("2", "a")+","+item("3", "b")+`]}`)
	before := a.count("tasks/get")
	equal(t, "a listed task", client.result(`tasks/get {"taskId":"3"}`), `{"did":"tasks/get","by":"b"}`)
	if a.count("tasks/get") != before {
		t.Error("a task that was listed is looked for")
	}
	if silent.count("tasks/list") != 0 {
		t.Error("a server was asked for a list that it does not declare")
	}
	equal(t, "one server", f.connect("/mcp/group/first", "c", `{}`).result(`tasks/list`), `{"tasks":[`+item("1", "a")+","+item("2", "a")+`]}`)
	alone := f.connect("/mcp/server/failing", "c", `{}`)
	equal(t, "alone", alone.call(`tasks/list`)[0], `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}`)
	f.declare(failing.fake)
	f.await("one server", func(v *view) bool { return len(v.ids) == 1 })
	equal(t, "all fail", client.call(`tasks/list`)[0], `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}`)
}

// paging is a server with so many pages of one task each. Its cursors have what
// JSON needs escapes for.
func paging(id string, pages int) *fake {
	s := working(id, overJSON).fake
	s.answer = func(x *exchange) {
		page := 0
		if text, ok := x.Text(jsonrpc.Cursor); ok {
			_, _ = fmt.Sscanf(text, "<\"\n%d", &page)
		}
		next := ""
		if page+1 < pages {
			next = fmt.Sprintf(`,"nextCursor":"\u003c\"\n%d"`, page+1)
		}
		x.respond(fmt.Sprintf(`{"tasks":[{"taskId":"%s%d"}]%s}`, id, page, next))
	}
	return s
}

// TestTaskPages goes through lists of different lengths at once.
func TestTaskPages(t *testing.T) {
	t.Parallel()
	stuck := working("stuck", overJSON).fake
	stuck.answer = func(x *exchange) { x.respond(`{"tasks":[{"taskId":"s"}],"nextCursor":"same"}`) }
	long := working("wordy", overJSON).fake
	long.answer = func(x *exchange) {
		x.respond(`{"tasks":[],"nextCursor":"` + strings.Repeat("x", maxTaskCursor+1) + `"}`)
	}
	client := newFleet(t, paging("a", 1), paging("b", 3), paging("c", 2), stuck, long).connect("/mcp", "c", `{}`)
	var got []string
	params := `{}`
	for range 10 {
		result := jsonrpc.Raw(client.result(`tasks/list %s`, params))
		var ids []string
		for task := range jsonrpc.Elements(jsonrpc.Get(result, "tasks")) {
			ids = append(ids, jsonrpc.Text(task, "taskId"))
		}
		got = append(got, strings.Join(ids, " "))
		next := jsonrpc.Get(result, "nextCursor")
		if next == nil {
			break
		}
		params = `{"cursor":` + string(next) + `}`
	}
	equal(t, "pages", strings.Join(got, ", "), "a0 b0 c0 s, b1 c1 s, b2")
}

// TestTaskCursors takes only cursors that it could have made, and asks servers in
// scope only, for strings.
func TestTaskCursors(t *testing.T) {
	t.Parallel()
	a, b := paging("a", 3), paging("b", 1)
	f := newFleet(t, a, b)
	client := f.connect("/mcp/group/first", "c", `{}`)
	encoded := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, cursor := range []string{`""`, `"x"`, `7`, `{}`, `"` + encoded("after:x") + `"`, `"` + encoded(`tasks:[]`) + `"`, `"` + encoded(`tasks:{"at":{"a":{"x":1}}}`) + `"`} {
		want := `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"tasks/list: the cursor is unknown: list again from the beginning"}}`
		equal(t, "cursor "+cursor, client.call(`tasks/list {"cursor":%s}`, cursor)[0], want)
	}
	for cursor, want := range map[string]string{
		`null`: `{"tasks":[{"taskId":"a0"}],"nextCursor":`,
		`"` + encoded(`tasks:{"at":{"b":null,"nobody":"x"}}`) + `"`: `{"tasks":[]}`,
		`"` + encoded(`tasks:{"at":{"a":"<\"\n2"}}`) + `"`:          `{"tasks":[{"taskId":"a2"}]}`,
		`"` + encoded(`tasks:{"page":1000,"at":{"a":null}}`) + `"`:  `{"tasks":[{"taskId":"a0"}]}`,
	} {
		if got := client.result(`tasks/list {"cursor":%s}`, cursor); !strings.HasPrefix(got, want) {
			t.Errorf("cursor %s: got %s, want %s", cursor, got, want)
		}
	}
	if b.count("tasks/list") != 0 {
		t.Error("a server outside the scope was asked")
	}
}

// TestTaskPageIsBounded leaves what has no room to the next page.
func TestTaskPageIsBounded(t *testing.T) {
	t.Parallel()
	p := new(peer)
	p.hub = newHub(t).hub
	page := taskPage{peer: p, next: taskCursor{Page: 1, At: map[string]*string{}}}
	big := jsonrpc.Raw(`{"tasks":[{"taskId":"1","x":"` + strings.Repeat("x", maxTaskBytes/2) + `"}]}`)
	began := "began"
	for _, server := range []string{"a", "b", "c"} {
		page.add(server, &began, inquiry{result: big})
	}
	if len(page.tasks) != 1 || page.next.At["b"] != &began || page.next.At["c"] != &began || page.next.At["a"] != nil {
		t.Errorf("got %d tasks and %v next, want 1, and b and c next", len(page.tasks), page.next.At)
	}
}

// FuzzTaskCursor reads what clients may make up.
func FuzzTaskCursor(f *testing.F) {
	for _, seed := range []string{`""`, `null`, `"dGFza3M6e30"`, `"dGFza3M6eyJhdCI6eyJhIjoieCJ9fQ"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		cursor, err := readTaskCursor(raw)
		if err != nil {
			return
		}
		for _, at := range cursor.At {
			if at == nil {
				continue
			}
			if _, err := jsonrpc.Lookup(listParams(jsonrpc.Quote(*at)), "cursor"); err != nil {
				t.Errorf("%s makes params that are no JSON: %v", raw, err)
			}
		}
	})
}
