package proxy

import (
	"slices"
	"strconv"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// sentToken is a progress token as a server knows it: the id of a request in a
// session.
type sentToken struct {
	session *mcpclient.Session
	id      int64
}

// taskProgress is what the client knows a progress token of a task by. The token
// is good for as long as the task lasts, beyond the answer to its request.
type taskProgress struct {
	peer  *peer
	task  string
	token jsonrpc.Raw
}

// expectProgress notes that a server may tell of the progress of a task.
func (a *audience) expectProgress(at sentToken, of taskProgress) {
	of.token = slices.Clone(of.token)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress.put(at, of)
}

// progressed passes on what a server says of the progress of a task. Any other
// progress that belongs to no call is dropped.
func (a *audience) progressed(session *mcpclient.Session, m *jsonrpc.Message) {
	id, err := strconv.ParseInt(string(m.Field(jsonrpc.ProgressToken)), 10, 64)
	if err != nil {
		return
	}
	a.mu.Lock()
	of, ok := a.progress.get(sentToken{session, id})
	a.mu.Unlock()
	if ok {
		of.peer.tellOfTask(of.task, passMessage(m, jsonrpc.Edit{Field: jsonrpc.ProgressToken, Value: of.token}))
	}
}

// forgetProgress notes that p hears of no progress any more.
func (a *audience) forgetProgress(p *peer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for at, of := range a.progress.all() {
		if of.peer == p {
			a.progress.remove(at)
		}
	}
}
