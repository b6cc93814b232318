package proxy

import (
	"slices"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpserver"
)

// methodTaskStatus tells whoever asked for a task of its state.
const methodTaskStatus = "notifications/tasks/status"

// Bounds on what a shared session keeps of tasks that are being created: a server
// may speak of one before the hub knows whose it is.
const (
	maxEarly      = 64       // notifications
	maxEarlyBytes = 64 << 10 // of one
)

// owners are the clients that each task of a shared session belongs to, by its id:
// those that created it, or have asked for it by its id.
type owners map[string]map[*peer]bool

// early is a notification that came before its task had an owner.
type early struct {
	id      string
	message []byte
}

// expectTask notes that a client is about to create a task; done, that it has.
func (a *audience) expectTask() (done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.creating++
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.creating--; a.creating <= 0 {
			a.early = nil
		}
	}
}

// ownTask notes that p hears of a task from now on, and tells it what has been
// said of it already.
func (a *audience) ownTask(id string, p *peer) {
	var said [][]byte
	a.mu.Lock()
	if a.tasks == nil {
		a.tasks = owners{}
	}
	if a.tasks[id] == nil {
		a.tasks[id] = map[*peer]bool{}
	}
	a.tasks[id][p] = true
	a.early = slices.DeleteFunc(a.early, func(e early) bool {
		if e.id == id {
			said = append(said, e.message)
		}
		return e.id == id
	})
	a.mu.Unlock()
	for _, message := range said {
		p.tellOfTask(id, message)
	}
}

// disownTask notes that p hears of a task no more.
func (a *audience) disownTask(id string, p *peer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.tasks[id], p)
	if len(a.tasks[id]) == 0 {
		delete(a.tasks, id)
	}
}

// taskChanged passes what a server says of a task on to its owners, and to nobody
// else.
func (a *audience) taskChanged(m *jsonrpc.Message) {
	id, ok := m.Text(jsonrpc.TaskID)
	if !ok {
		return
	}
	message := passMessage(m)
	a.mu.Lock()
	var to []*peer
	for p := range a.tasks[id] {
		to = append(to, p)
	}
	if to == nil && a.creating > 0 && len(a.early) < maxEarly && len(message) <= maxEarlyBytes {
		a.early = append(a.early, early{id, message})
	}
	a.mu.Unlock()
	for _, p := range to {
		p.tellOfTask(id, message)
	}
}

// tellOfTask puts a notification about a task on the client's own stream. A client
// that holds none gets it where it waits for the task's result, if it does.
func (p *peer) tellOfTask(id string, message []byte) {
	if p.session.Send(message) {
		return
	}
	if c := p.waitingFor(id); c != nil {
		c.Send(message)
	}
}

// waitingFor returns the call in which the client waits for the result of a task.
func (p *peer) waitingFor(id string) *mcpserver.Call {
	for _, c := range p.session.InFlight() {
		if got, ok := c.Message.Text(jsonrpc.TaskID); ok && got == id && c.Message.Method == "tasks/result" {
			return c
		}
	}
	return nil
}

// callFor returns the client's call that a question outside calls is for: the one
// that waits for the task it belongs to, or the only one in flight.
func (p *peer) callFor(m *jsonrpc.Message) *mcpserver.Call {
	const relatedTask = "io.modelcontextprotocol/related-task"
	if id, ok := jsonrpc.Unquote(jsonrpc.Get(jsonrpc.Get(m.Field(jsonrpc.Meta), relatedTask), "taskId")); ok {
		if c := p.waitingFor(id); c != nil {
			return c
		}
	}
	return p.onlyCall()
}

// forgetTasks has the servers whose sessions are shared tell the client of its
// tasks no more.
func (p *peer) forgetTasks() {
	p.mu.Lock()
	tasks := p.tasks
	p.tasks = notebook[string, string]{}
	p.mu.Unlock()
	servers := map[string]bool{}
	for id, server := range tasks.all() {
		servers[server] = true
		p.disownTask(id, server)
	}
	for server := range servers {
		if l := p.hub.linkTo(server); l != nil {
			l.shared.forgetProgress(p)
		}
	}
}
