package proxy

import (
	"context"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// receive takes what the server says on the hub's own session outside any call.
func (l *link) receive(session *mcpclient.Session, m *jsonrpc.Message) {
	changed := changedKinds(m)
	switch {
	case changed != nil:
		l.changed.Or(variantsToo)
		l.outdated(changed...)
	case m.Kind() == jsonrpc.Request:
		l.refuse(session, m)
	case m.Method == "notifications/progress":
		l.shared.progressed(session, m)
	case m.Method == methodTaskStatus:
		l.shared.taskChanged(m)
	case m.Method == "notifications/resources/updated":
		l.shared.updated(m)
	case m.Method == "notifications/message":
		l.log.Debug("server log", "message", string(m.Params))
	}
}

// changedKinds returns which lists m says to have changed; nil if it is about
// something else.
func changedKinds(m *jsonrpc.Message) []kind {
	switch m.Method {
	case "notifications/tools/list_changed":
		return []kind{tools}
	case "notifications/prompts/list_changed":
		return []kind{prompts}
	case "notifications/resources/list_changed":
		return []kind{resources, templates}
	}
	return nil
}

// refuse answers a question that cannot be attributed to a client: it is never
// put to one by guessing. It does not block; questions beyond its bound get no
// answer.
func (l *link) refuse(session *mcpclient.Session, m *jsonrpc.Message) {
	select {
	case l.refusals <- struct{}{}:
	default:
		return
	}
	l.hub.errands.Go(func() {
		defer func() { <-l.refusals }()
		ctx, cancel := context.WithTimeout(l.ctx, pingTimeout)
		defer cancel()
		e := jsonrpc.Errorf(jsonrpc.CodeInternal, "%s cannot be answered here: no single call caused it", m.Method)
		if err := session.Respond(ctx, m.ID, nil, e); err != nil {
			l.log.Debug("refuse a server's request", "method", m.Method, "err", err)
		}
	})
}
