package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

// Tasks (2025-11-25/basic/utilities/tasks) pass as bytes, their ids unchanged. A
// session remembers which server has which task. Where two servers in scope use
// the same id, it stands for the task that was created last through the session.

// maxTaskID bounds an id that is remembered, in bytes. A longer one is looked for
// each time.
const maxTaskID = 256

// asksForTask reports whether a request with these params asks for a task in
// place of a result. Nearly none does, so it looks for the word first.
func asksForTask(params jsonrpc.Raw) bool {
	return bytes.Contains(params, []byte(`"task"`)) && jsonrpc.IsObject(jsonrpc.Get(params, "task"))
}

// createdTask returns the id of the task that a CreateTaskResult tells of.
func createdTask(result jsonrpc.Raw) (id string, ok bool) {
	return jsonrpc.Unquote(jsonrpc.Get(jsonrpc.Get(result, "task"), "taskId"))
}

// expectTask prepares for what a server says of a task that it is about to
// create. done is to be called when its answer is known.
func (p *peer) expectTask(l *link, session *mcpclient.Session) (done func()) {
	if !l.isolated() {
		return l.shared.expectTask()
	}
	p.mu.Lock()
	p.listening = true
	p.mu.Unlock()
	session.Listen()
	return func() {}
}

// noteTask remembers that a server has a task of the client's.
func (p *peer) noteTask(id, server string) {
	if len(id) > maxTaskID {
		return
	}
	p.mu.Lock()
	before, had := p.tasks.get(id)
	forgotten := p.tasks.put(id, server)
	p.mu.Unlock()
	if had && before != server {
		p.disownTask(id, before)
	}
	if forgotten != nil {
		p.disownTask(forgotten.id, forgotten.value)
	}
	if l := p.hub.linkTo(server); l != nil && !l.isolated() {
		l.shared.ownTask(id, p)
		if p.hasEnded() {
			l.shared.disownTask(id, p)
		}
	}
}

// noteCreatedTask remembers the task that a server has answered with, if it has.
// at and token are the request's progress token for the server and for the client,
// nil if it has none.
func (p *peer) noteCreatedTask(result jsonrpc.Raw, server string, at sentToken, token jsonrpc.Raw) {
	id, ok := createdTask(result)
	if !ok {
		return
	}
	if l := p.hub.linkTo(server); l != nil && token != nil && len(id) <= maxTaskID {
		l.shared.expectProgress(at, taskProgress{p, id, token})
	}
	p.noteTask(id, server)
}

// noteListedTasks remembers which server has listed tasks. What is listed neither
// takes the place of what is known nor crowds it out.
func (p *peer) noteListedTasks(tasks []jsonrpc.Raw, server string) {
	for _, task := range tasks {
		id := jsonrpc.Text(task, "taskId")
		p.mu.Lock()
		_, known := p.tasks.get(id)
		full := len(p.tasks.at) >= maxNotes
		p.mu.Unlock()
		if full {
			return
		}
		if !known {
			p.noteTask(id, server)
		}
	}
}

// disownTask notes that the client hears of a task at a shared session no more.
func (p *peer) disownTask(id, server string) {
	if l := p.hub.linkTo(server); l != nil {
		l.shared.disownTask(id, p)
	}
}

// ownsTask reports whether the session knows of a task at a server.
func (p *peer) ownsTask(id, server string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := p.tasks.get(id)
	return known && at == server
}

func (p *peer) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// askTask answers a request about tasks.
func (p *peer) askTask(ctx context.Context, c *mcpserver.Call) (jsonrpc.Raw, error) {
	if c.Message.Method == "tasks/list" {
		return p.listTasks(ctx, c)
	}
	id, ok := c.Message.Text(jsonrpc.TaskID)
	if !ok && p.server == "" {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "%.100s: the taskId is missing", c.Message.Method)
	}
	if p.server != "" {
		result, err := p.relay(ctx, c, p.server)
		if err == nil && ok && !p.ownsTask(id, p.server) {
			p.noteTask(id, p.server)
		}
		return result, err
	}
	if server, known := p.serverOfTask(id); known {
		return p.relay(ctx, c, server)
	}
	server, got, err := p.findTask(ctx, c, id)
	if err != nil || c.Message.Method == "tasks/get" {
		return got, err
	}
	return p.relay(ctx, c, server)
}

// serverOfTask returns the server that is known to have a task, if it is still in
// scope.
func (p *peer) serverOfTask(id string) (server string, known bool) {
	p.mu.Lock()
	server, known = p.tasks.get(id)
	p.mu.Unlock()
	return server, known && slices.ContainsFunc(p.hub.view().scope(p.session.State.Endpoint), func(s *state) bool {
		return s.server.ID == server
	})
}

// taskServers returns the servers in scope that declare tasks, or one member of
// that capability, by their ids.
func (p *peer) taskServers(ctx context.Context, member string) (servers []*state) {
	for _, s := range p.settledView(ctx).scope(p.session.State.Endpoint) {
		declared := jsonrpc.Get(jsonrpc.Get(s.initialized, "capabilities"), "tasks")
		if member != "" {
			declared = jsonrpc.Get(declared, member)
		}
		if jsonrpc.IsObject(declared) {
			servers = append(servers, s)
		}
	}
	return servers
}

// findTask asks the servers in scope for the state of a task that the session
// does not know of: those that are there first, and then those that are away. The
// first that has it is remembered. If nobody has it, a server that could not be
// asked is a better reason than one that has it not.
func (p *peer) findTask(ctx context.Context, c *mcpserver.Call, id string) (server string, got jsonrpc.Raw, err error) {
	servers := p.taskServers(ctx, "")
	if len(servers) == 0 {
		return "", nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "unknown task %.100q: no server here has tasks", id)
	}
	slices.SortStableFunc(servers, func(a, b *state) int { return a.absence() - b.absence() })
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // nobody waits for those after the first that has it
	params := slices.Clone(c.Message.Params)
	answers := p.inquire(ctx, c, servers, "tasks/get", func(string) jsonrpc.Raw { return params })
	var refused error
	for i, s := range servers {
		a := <-answers[i]
		if a.err == nil {
			p.noteTask(id, s.server.ID)
			return s.server.ID, a.result, nil
		}
		if refused == nil || isRefusal(refused) && !isRefusal(a.err) {
			refused = a.err
		}
	}
	return "", nil, refused
}

// absence is 0 while a server is there, else 1.
func (s *state) absence() int {
	if s.phase == connected {
		return 0
	}
	return 1
}

// isRefusal reports whether err is a server's word that it does not do what it was
// asked.
func isRefusal(err error) bool {
	e, ok := errors.AsType[*jsonrpc.Error](err)
	return ok && e.Code != jsonrpc.CodeInternal
}

// inquiry is what came of a request of the hub's own.
type inquiry struct {
	result jsonrpc.Raw
	err    error
}

// inquireLimit bounds how long one server keeps a question to many waiting. It is
// more than a call waits for a server that is away.
const inquireLimit = holdLimit + 5*time.Second

// inquire asks several servers the same on behalf of a call, all at once.
func (p *peer) inquire(ctx context.Context, c *mcpserver.Call, servers []*state, method string, params func(server string) jsonrpc.Raw) []chan inquiry {
	answers := make([]chan inquiry, len(servers))
	for i, s := range servers {
		id := s.server.ID
		request := mcpclient.Call{Method: method, Raw: params(id)}
		answers[i] = make(chan inquiry, 1)
		p.hub.errands.Go(func() {
			ctx, cancel := context.WithTimeoutCause(ctx, inquireLimit, fmt.Errorf("no answer to %s within %s", method, inquireLimit))
			defer cancel()
			result, err := p.carry(ctx, c, id, request)
			answers[i] <- inquiry{result, err}
		})
	}
	return answers
}
