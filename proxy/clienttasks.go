package proxy

import (
	"bytes"
	"strings"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// A client may answer a server's request with a task too. To it the hub is one
// peer; so that no server reaches the tasks of another's requests, a session
// remembers for whom the client has made each.

// madeTask is a task that a client has made for a server's request.
type madeTask struct {
	session *mcpclient.Session // where the request came
	ours    jsonrpc.Raw        // its progress token for the client; see ask
	token   jsonrpc.Raw        // and for the server; nil if it has none
}

// mayAsk returns why a server's request is not put to the client; nil if it is.
func (p *peer) mayAsk(session *mcpclient.Session, m *jsonrpc.Message) *jsonrpc.Error {
	capability, _, _ := strings.Cut(m.Method, "/")
	if isAsked(capability) && jsonrpc.Get(p.session.State.Capabilities, capability) == nil {
		return jsonrpc.Errorf(jsonrpc.CodeMethodNotFound, "the client has not declared %s", capability)
	}
	id, ok := m.Text(jsonrpc.TaskID)
	if capability == "tasks" && m.Method != "tasks/list" && (!ok || !p.madeFor(id, session)) {
		return jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "unknown task %.100q: the client has made none with this id for this server", id)
	}
	return nil
}

// madeFor reports whether the client has made a task for a request that came in a
// session. Where one server is shown alone, all its tasks are for that one.
func (p *peer) madeFor(id string, session *mcpclient.Session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	made, known := p.made.get(id)
	return p.server != "" || known && made.session == session
}

// noteAnswer returns what a server gets for the client's answer to its request. If
// that is a task, it is remembered whose it is.
func (p *peer) noteAnswer(session *mcpclient.Session, a *ask, method string, params, result jsonrpc.Raw) jsonrpc.Raw {
	if method == "tasks/list" && p.server == "" {
		mine := tasksIn(result, func(id string) bool { return p.madeFor(id, session) })
		return jsonrpc.Set(result, "tasks", joined(mine))
	}
	if !asksForTask(params) {
		return result
	}
	if id, ok := createdTask(result); ok && len(id) <= maxTaskID {
		p.mu.Lock()
		p.made.put(id, madeTask{session, a.ours, a.token})
		p.mu.Unlock()
	}
	return result
}

// taskAskers returns the sessions to which the client's news of a task goes.
func (p *peer) taskAskers(m *jsonrpc.Message) []*mcpclient.Session {
	id, _ := m.Text(jsonrpc.TaskID)
	p.mu.Lock()
	made, known := p.made.get(id)
	p.mu.Unlock()
	switch {
	case known:
		return []*mcpclient.Session{made.session}
	case p.server != "":
		return p.sessions()
	default:
		return nil
	}
}

// madeWith returns the task whose request has a progress token for the client,
// which is good for as long as the task lasts. p.mu is held.
func (p *peer) madeWith(ours jsonrpc.Raw) (session *mcpclient.Session, token jsonrpc.Raw) {
	for _, made := range p.made.all() {
		if made.token != nil && bytes.Equal(made.ours, ours) {
			return made.session, made.token
		}
	}
	return nil, nil
}
