package proxy

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

const (
	maxTaskPages  = 1000                 // of one list at an endpoint of many servers
	maxTaskBytes  = mcpclient.MaxMessage // of one such page
	maxTaskCursor = 4 << 10              // bytes of one server's cursor
)

// listTasks answers with the tasks of all servers in scope that list them. Where
// one server is shown alone, its own list passes.
func (p *peer) listTasks(ctx context.Context, c *mcpserver.Call) (jsonrpc.Raw, error) {
	if p.server == "" {
		return p.gatherTasks(ctx, c)
	}
	result, err := p.relay(ctx, c, p.server)
	if l := p.hub.linkTo(p.server); err != nil || l == nil || l.isolated() {
		return result, err
	}
	return jsonrpc.Set(result, "tasks", joined(p.ownTasks(result, p.server))), nil
}

// ownTasks returns the tasks in a server's list that belong to the client. The
// list of a shared session has those of other clients too: what this one has not
// created or asked for by its id is not the client's to see.
func (p *peer) ownTasks(result jsonrpc.Raw, server string) []jsonrpc.Raw {
	l := p.hub.linkTo(server)
	shared := l != nil && !l.isolated()
	return tasksIn(result, func(id string) bool { return !shared || p.ownsTask(id, server) })
}

// tasksIn returns the tasks in a list whose id accept does.
func tasksIn(result jsonrpc.Raw, accept func(id string) bool) (tasks []jsonrpc.Raw) {
	for task := range jsonrpc.Elements(jsonrpc.Get(result, "tasks")) {
		if id, ok := jsonrpc.Unquote(jsonrpc.Get(task, "taskId")); ok && accept(id) {
			tasks = append(tasks, task)
		}
	}
	return tasks
}

func joined(items []jsonrpc.Raw) jsonrpc.Raw {
	return append(append(jsonrpc.Raw{'['}, bytes.Join(rawBytes(items), []byte(","))...), ']')
}

// taskCursor says where a list of many servers goes on.
type taskCursor struct {
	Page int                `json:"page"`
	At   map[string]*string `json:"at"` // server → its own cursor, nil being its beginning; without those that are done
}

const taskCursorMark = "tasks:"

func (t *taskCursor) encode() string {
	text, err := json.Marshal(t)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append([]byte(taskCursorMark), text...))
}

// readTaskCursor reads what a client gives as a cursor. A server in it is only
// asked if it is in scope, and what it is asked is a string: a cursor that the hub
// has not made does no harm.
func readTaskCursor(raw jsonrpc.Raw) (*taskCursor, error) {
	text, _ := jsonrpc.Unquote(raw)
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	own, ours := strings.CutPrefix(string(decoded), taskCursorMark)
	t := new(taskCursor)
	if err != nil || !ours || json.Unmarshal([]byte(own), t) != nil {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "tasks/list: the cursor is unknown: list again from the beginning")
	}
	return t, nil
}

// gatherTasks makes one page of the next page of each server. A server that fails
// is left out, unless all do.
func (p *peer) gatherTasks(ctx context.Context, c *mcpserver.Call) (jsonrpc.Raw, error) {
	servers := p.taskServers(ctx, "list")
	if len(servers) == 0 {
		return nil, jsonrpc.Errorf(jsonrpc.CodeMethodNotFound, "tasks/list: no server here lists tasks")
	}
	at := new(taskCursor)
	if cursor := c.Message.Field(jsonrpc.Cursor); cursor != nil && string(cursor) != "null" {
		var err error
		if at, err = readTaskCursor(cursor); err != nil {
			return nil, err
		}
		servers = slices.DeleteFunc(servers, func(s *state) bool { _, more := at.At[s.server.ID]; return !more })
	}
	page := taskPage{peer: p, next: taskCursor{Page: at.Page + 1, At: map[string]*string{}}}
	servers = slices.DeleteFunc(servers, page.isAway)
	answers := p.inquire(ctx, c, servers, "tasks/list", func(server string) jsonrpc.Raw {
		if cursor := at.At[server]; cursor != nil {
			return listParams(jsonrpc.Quote(*cursor))
		}
		return listParams(nil)
	})
	for i, s := range servers {
		page.add(s.server.ID, at.At[s.server.ID], <-answers[i])
	}
	return page.result()
}

// taskPage is a page in the making.
type taskPage struct {
	peer   *peer
	tasks  []jsonrpc.Raw
	size   int
	listed int   // servers that have listed
	failed error // the first failure
	next   taskCursor
}

// isAway notes a server that cannot be asked now: nobody waits for it.
func (t *taskPage) isAway(s *state) bool {
	away := s.phase != connected
	if away {
		t.fail(s.server.ID, jsonrpc.Errorf(jsonrpc.CodeInternal, "%s", s.awayText()))
	}
	return away
}

func (t *taskPage) fail(server string, err error) {
	t.peer.hub.options.Log.Debug("a server's tasks left out", "server", server, "err", err)
	if t.failed == nil {
		t.failed = err
	}
}

// add adds a server's page, which began at a cursor. One for which there is no
// room is asked for again with the next page.
func (t *taskPage) add(server string, began *string, a inquiry) {
	if a.err != nil {
		t.fail(server, a.err)
		return
	}
	t.listed++
	if len(t.tasks) > 0 && t.size+len(a.result) > maxTaskBytes {
		t.next.At[server] = began
		return
	}
	tasks := t.peer.ownTasks(a.result, server)
	t.tasks, t.size = append(t.tasks, tasks...), t.size+len(a.result)
	t.peer.noteListedTasks(tasks, server)
	next, more := jsonrpc.Unquote(jsonrpc.Get(a.result, "nextCursor"))
	switch {
	case !more:
	case len(next) > maxTaskCursor, began != nil && *began == next, t.next.Page >= maxTaskPages:
		t.peer.hub.options.Log.Warn("a server's list of tasks is cut", "server", server, "page", t.next.Page)
	default:
		t.next.At[server] = &next
	}
}

func (t *taskPage) result() (jsonrpc.Raw, error) {
	if t.listed == 0 && t.failed != nil {
		return nil, t.failed
	}
	out := append(append(jsonrpc.Raw(`{"tasks":`), joined(t.tasks)...), '}')
	if len(t.next.At) > 0 {
		out = jsonrpc.Set(out, "nextCursor", jsonrpc.Quote(t.next.encode()))
	}
	return out, nil
}
