package proxy

import (
	"context"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// receive takes what the server says on the hub's own session outside any call.
func (l *link) receive(session *mcpclient.Session, m *jsonrpc.Message) {
	switch {
	case l.heardChange(m):
	case m.Kind() == jsonrpc.Request:
		l.refuse(session, m)
	case m.Method == "notifications/resources/updated":
		l.shared.updated(m)
	case m.Method == "notifications/message":
		l.log.Debug("server log", "message", string(m.Params))
	}
}

// heardChange reports whether m says that a list has changed, and has it read
// again.
func (l *link) heardChange(m *jsonrpc.Message) bool {
	switch m.Method {
	case "notifications/tools/list_changed":
		l.outdated(tools)
	case "notifications/prompts/list_changed":
		l.outdated(prompts)
	case "notifications/resources/list_changed":
		l.outdated(resources, templates)
	default:
		return false
	}
	return true
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
	l.hub.closers.Go(func() {
		defer func() { <-l.refusals }()
		ctx, cancel := context.WithTimeout(l.ctx, pingTimeout)
		defer cancel()
		e := jsonrpc.Errorf(jsonrpc.CodeInternal, "%s cannot be answered here: no single call caused it", m.Method)
		if err := session.Respond(ctx, m.ID, nil, e); err != nil {
			l.log.Debug("refuse a server's request", "method", m.Method, "err", err)
		}
	})
}
