package integration

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// task is what a server tells of a task.
type task struct{ TaskID, Status string }

// create has server-everything begin a query, which takes it four seconds.
func (k *tasker) create(ambiguous bool) (id string) {
	k.t.Helper()
	var created struct{ Task task }
	k.must(&created, "tools/call", object{
		"name": k.prefix + "simulate-research-query", "arguments": object{"topic": "python", "ambiguous": ambiguous},
		"task": object{"ttl": 60_000},
	})
	if created.Task.TaskID == "" || created.Task.Status != "working" {
		k.t.Fatalf("created: got %+v, want a task that is working", created)
	}
	return created.Task.TaskID
}

// list returns the ids of all tasks, page by page.
func (k *tasker) list() (ids []string) {
	k.t.Helper()
	for params := (object{}); ; {
		var page struct {
			Tasks      []task
			NextCursor *string
		}
		k.must(&page, "tasks/list", params)
		for _, task := range page.Tasks {
			ids = append(ids, task.TaskID)
		}
		if page.NextCursor == nil {
			return ids
		}
		params["cursor"] = *page.NextCursor
	}
}

// checkResult waits for a task's result, which must have the text.
func (k *tasker) checkResult(id, text string) {
	k.t.Helper()
	var result struct {
		Content []struct{ Text string }
		Meta    map[string]task `json:"_meta"`
	}
	k.must(&result, "tasks/result", object{"taskId": id})
	if len(result.Content) != 1 || !strings.Contains(result.Content[0].Text, text) {
		k.t.Errorf("result of %s: got %v, want %q in it", id, result.Content, text)
	}
	if related := result.Meta["io.modelcontextprotocol/related-task"]; related.TaskID != id {
		k.t.Errorf("result of %s: it belongs to %q", id, related.TaskID)
	}
}

// TestTasks has npm's server-everything do tasks: over HTTP, and as a process that all clients share.
func TestTasks(t *testing.T) {
	everything, local := startEverything(t), npmCommand(t, "server-everything")
	hub := startHub(t, hubOptions{Env: []string{"MCPHUB_SERVERS=research=" + everything.URL + "\nlocal=stdio:" + strings.Join(local, " ")}})
	lister := open(t, hub.URL+"/mcp", "")
	for _, server := range []string{"research", "local"} {
		eventually(t, startLimit, server+" to be listed", func() bool {
			names, err := lister.tools(t.Context())
			return err == nil && slices.Contains(names, server+"__simulate-research-query")
		})
	}
	for _, at := range []struct {
		path, prefix string
		input        bool // whether the server may ask the client
	}{
		{"/mcp", "research__", true}, {"/mcp/server/research", "", true}, {"/mcp", "local__", false}, {"/mcp/server/local", "", false},
	} {
		t.Run(strings.Trim(at.path+" "+at.prefix, "/ "), func(t *testing.T) {
			t.Parallel()
			testTasks(t, hub.URL+at.path, at.prefix)
			if at.input {
				testTaskInput(t, hub.URL+at.path, at.prefix)
			}
		})
	}
	t.Run("of the client", func(t *testing.T) {
		t.Parallel()
		testClientTask(t, hub.URL+"/mcp/server/research")
	})
}

// testTasks creates tasks, looks after them, and waits for one and cancels the other.
func testTasks(t *testing.T, url, prefix string) {
	k, other := openTasker(t, url, prefix), openTasker(t, url, prefix)
	told := k.listen(t)
	one, two, theirs := k.create(false), k.create(true), other.create(false)
	var got task
	k.must(&got, "tasks/get", object{"taskId": one})
	if got != (task{one, "working"}) {
		t.Errorf("get: got %+v, want %s working", got, one)
	}
	k.refused(-32602, "tasks/get", "nobody's")
	if ids := k.list(); !slices.Contains(ids, one) || !slices.Contains(ids, two) || slices.Contains(ids, theirs) {
		t.Errorf("list: got %q, want %s and %s, and not another client's %s", ids, one, two, theirs)
	}
	k.must(&got, "tasks/cancel", object{"taskId": two})
	if got != (task{two, "cancelled"}) {
		t.Errorf("cancel: got %+v, want %s cancelled", got, two)
	}
	k.refused(-32602, "tasks/cancel", two)
	k.checkResult(one, "Research Report: python")
	awaitMethod(t, told, "notifications/tasks/status", eventLimit)
	k.must(&got, "tasks/get", object{"taskId": one})
	if got.Status != "completed" {
		t.Errorf("get: got %+v, want %s completed", got, one)
	}
}

// testTaskInput has a task ask for input, where the client waits for its result.
func testTaskInput(t *testing.T, url, prefix string) {
	k := openTasker(t, url, prefix)
	id := k.create(true)
	k.answer = func(method string, params json.RawMessage) any {
		if !bytes.Contains(params, []byte(`"io.modelcontextprotocol/related-task":{"taskId":"`+id+`"}`)) {
			t.Errorf("%s: the params are %s, want that they belong to %s", method, params, id)
		}
		return object{"action": "accept", "content": object{"interpretation": "snake"}}
	}
	eventually(t, eventLimit, "the task to want input", func() bool {
		var got task
		k.must(&got, "tasks/get", object{"taskId": id})
		return got.Status == "input_required"
	})
	k.checkResult(id, "Research Report: python (snake)")
	if got := strings.Join(k.asked, " "); got != "elicitation/create" {
		t.Errorf("the client was asked %q, want elicitation/create once", got)
	}
}

// testClientTask has a server ask for input that the client gives as a task.
func testClientTask(t *testing.T, url string) {
	k := openTasker(t, url, "")
	k.answer = func(method string, params json.RawMessage) any {
		state := object{"taskId": "input", "status": "completed", "createdAt": "2025-11-25T10:30:00Z", "lastUpdatedAt": "2025-11-25T10:30:00Z", "ttl": 60_000}
		switch method {
		case "elicitation/create":
			state["status"] = "working"
			return object{"task": state}
		case "tasks/get":
			return state
		default:
			return object{"action": "accept", "content": object{"name": "Zoë"}}
		}
	}
	m, err := k.ask("tools/call", object{"name": "trigger-elicitation-request-async", "arguments": object{}})
	if err != nil || !bytes.Contains(m.Result, []byte("- Name: Zoë")) {
		t.Errorf("got %s, %v, %v; want the name in it", m.Result, m.Error, err)
	}
	if got := strings.Join(k.asked, " "); got != "elicitation/create tasks/get tasks/result" {
		t.Errorf("the client was asked %q, want elicitation/create tasks/get tasks/result", got)
	}
}
