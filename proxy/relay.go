package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

// relay carries a client's request to a server and returns what it answered, as
// bytes.
func (p *peer) relay(ctx context.Context, c *mcpserver.Call, server string, edits ...jsonrpc.Edit) (jsonrpc.Raw, error) {
	return p.carry(ctx, c, server, mcpclient.Call{
		Method: c.Message.Method, Message: c.Message, Edits: edits,
		Primed: c.Prime,
		Parted: func(retry time.Duration) <-chan struct{} {
			c.Prime(retry)
			return c.Part()
		},
	})
}

// carry makes a request on behalf of a client's call. What cannot have been run is
// sent again, as long as a call may wait; what may have been run is not.
func (p *peer) carry(ctx context.Context, c *mcpserver.Call, server string, request mcpclient.Call) (jsonrpc.Raw, error) {
	if l := p.hub.linkTo(server); l != nil && l.server.Spec.Timeout > 0 {
		limit := l.server.Spec.Timeout
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("server %q has not answered within its timeout of %s", server, limit))
		defer cancel()
	}
	deadline := time.Now().Add(holdLimit)
	for wait := time.Duration(0); ; wait = min(2*wait+25*time.Millisecond, 500*time.Millisecond) {
		result, err := p.send(ctx, c, server, request)
		if !unsent(err) || ctx.Err() != nil || time.Now().Add(wait).After(deadline) {
			return result, explain(server, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// unsent reports whether a call that failed with err cannot have been run.
func unsent(err error) bool {
	return errors.Is(err, mcpclient.ErrNotSent) || errors.Is(err, mcpclient.ErrSessionLost)
}

// send makes one try to carry a request to a server.
func (p *peer) send(ctx context.Context, c *mcpserver.Call, server string, call mcpclient.Call) (jsonrpc.Raw, error) {
	at, err := p.placeAt(ctx, server, len(c.Message.Params))
	defer p.called(at.visit)
	session, l := at.session, at.link
	if err != nil {
		if unsent(err) {
			l.suspect()
		}
		return nil, err
	}
	questions := callQuestions{call: ctx}
	defer questions.end()
	call.Header, call.Owner = passedOn(c.Header), p
	call.Receive = func(m *jsonrpc.Message) error {
		switch {
		case l.isolated():
			p.during(&questions, c, session, m)
		case m.Method == methodTaskStatus: // whose task it is does not depend on the stream
			l.shared.taskChanged(m)
		case p.wants(m):
			p.during(&questions, c, session, m)
		}
		return nil
	}
	task := asksForTask(c.Message.Params)
	if task {
		defer p.expectTask(l, session)()
	}
	answer, err := session.Call(ctx, &call)
	switch {
	case err == nil && answer.Error != nil:
		return nil, jsonrpc.PeerError(answer.Error)
	case err == nil:
		if task {
			p.noteCreatedTask(answer.Result, server, sentToken{session, call.ID}, c.Message.Field(jsonrpc.MetaProgressToken))
		}
		return answer.Result, nil
	case errors.Is(err, mcpclient.ErrSessionLost), errors.Is(err, mcpclient.ErrClosed):
		p.leave(l, session)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // whatever else has ended since
	}
	l.suspect()
	return nil, err
}

// passedOn returns the headers of a client's request that go on to a server:
// what a tool's schema asks for, and the trace context (W3C Trace Context). Nil
// if there are none.
func passedOn(header http.Header) (on http.Header) {
	for name, values := range header {
		switch {
		case name == "Traceparent", name == "Tracestate", name == "Baggage", strings.HasPrefix(name, "Mcp-Param-"):
			if on == nil {
				on = http.Header{}
			}
			on[name] = values
		}
	}
	return on
}

// explain names the server in errors that are not the server's own.
func explain(server string, err error) error {
	if err == nil {
		return nil
	}
	if _, own := errors.AsType[*jsonrpc.Error](err); own {
		return err
	}
	if _, busy := errors.AsType[*mcpserver.BusyError](err); busy {
		return err
	}
	return fmt.Errorf("server %q: %w", server, err)
}

// during passes on what a server sends for a call before its response.
func (p *peer) during(q *callQuestions, c *mcpserver.Call, session *mcpclient.Session, m *jsonrpc.Message) {
	if m.Kind() == jsonrpc.Request {
		p.ask(q.contextOf(m), c, session, m)
		return
	}
	if m.Method == "notifications/cancelled" {
		p.retract(session, m)
		return
	}
	var edits []jsonrpc.Edit
	if m.Method == "notifications/progress" {
		token := c.Message.Field(jsonrpc.MetaProgressToken)
		if token == nil {
			return // the client has not asked for it
		}
		edits = []jsonrpc.Edit{{Field: jsonrpc.ProgressToken, Value: token}}
	}
	c.Send(passMessage(m, edits...))
}

// passMessage returns a notification written anew around its params.
func passMessage(m *jsonrpc.Message, edits ...jsonrpc.Edit) []byte {
	if m.Params == nil {
		return jsonrpc.AppendNotification(nil, m.Method, nil)
	}
	out := jsonrpc.AppendHead(make([]byte, 0, len(m.Params)+len(m.Method)+64), nil, m.Method)
	return append(m.AppendParams(out, edits...), jsonrpc.Tail)
}

// hear takes what a server says in the client's own session outside any call. ctx
// ends with the session.
func (p *peer) hear(ctx context.Context, l *link, session *mcpclient.Session, m *jsonrpc.Message) {
	changed := changedKinds(m)
	switch {
	case changed != nil:
		l.outdated(changed...)
		p.heardChange(l, changed)
	case m.Kind() == jsonrpc.Request:
		p.ask(ctx, p.callFor(m), session, m)
	case m.Method == "notifications/cancelled":
		p.retract(session, m)
	case m.Method == "notifications/progress":
		l.shared.progressed(session, m)
	case m.Method == methodTaskStatus:
		id, _ := m.Text(jsonrpc.TaskID)
		p.tellOfTask(id, passMessage(m))
	default:
		p.session.Send(passMessage(m))
	}
}

// onlyCall returns the client's call in flight if there is exactly one.
func (p *peer) onlyCall() *mcpserver.Call {
	if calls := p.session.InFlight(); len(calls) == 1 {
		return calls[0]
	}
	return nil
}
