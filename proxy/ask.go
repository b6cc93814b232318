package proxy

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

// askKey names a question of a server: its id in the session it came in.
type askKey struct {
	session *mcpclient.Session
	id      string
}

// ask is a question that a client is to answer.
type ask struct {
	cancel context.CancelCauseFunc
	token  jsonrpc.Raw // the server's progress token; nil if it has none
	ours   jsonrpc.Raw // the one that the client sees: two servers may use the same
}

// respondTimeout bounds the delivery of an answer to a server.
const respondTimeout = 30 * time.Second

var errRetracted = errors.New("the server withdrew the request")

// callQuestions are what a server asks during one call. They outlive its answer, for
// where all calls share a channel a server may ask what has nothing to do with the
// one in flight. If the call is given up, so are they, but only when it is over for
// the server too: one that hears first that nobody answers would answer a call that
// nobody waits for.
type callQuestions struct {
	call  context.Context
	asked context.Context // outlives call; nil before the first question
	over  context.CancelCauseFunc
}

// contextOf returns what a question lives in. The client's roots are the session's,
// whatever becomes of the call.
func (q *callQuestions) contextOf(m *jsonrpc.Message) context.Context {
	if m.Method == "roots/list" {
		return context.WithoutCancel(q.call)
	}
	if q.asked == nil {
		q.asked, q.over = context.WithCancelCause(context.WithoutCancel(q.call))
	}
	return q.asked
}

// end withdraws the questions that are still open if the call was given up.
func (q *callQuestions) end() {
	if cause := context.Cause(q.call); cause != nil && q.asked != nil {
		q.over(cause)
	}
}

// ask puts a server's request to the client, on the stream of the call that
// caused it where that is known, and its answer to the server. It returns at
// once. A question ends with ctx, or with the session that it came in.
func (p *peer) ask(ctx context.Context, c *mcpserver.Call, session *mcpclient.Session, m *jsonrpc.Message) {
	key, method := askKey{session, string(m.ID)}, m.Method
	ctx, cancel := context.WithCancelCause(ctx)
	a := &ask{cancel: cancel, token: slices.Clone(m.Field(jsonrpc.MetaProgressToken))}
	if !p.note(key, a) {
		cancel(nil)
		return
	}
	params := m.AppendParams(nil, jsonrpc.Edit{Field: jsonrpc.MetaProgressToken, Value: a.ours})
	question, refused := p.pose(c, session, m, params)
	p.hub.errands.Go(func() {
		select {
		case <-session.Done():
			cancel(session.Err())
		case <-ctx.Done():
		}
	})
	p.hub.errands.Go(func() {
		defer cancel(nil)
		defer p.unnote(key)
		if refused != nil {
			p.respond(ctx, session, jsonrpc.Raw(key.id), nil, refused)
			return
		}
		answer, err := question.Await(ctx)
		if err == nil && answer.Error == nil {
			answer.Result = p.noteAnswer(session, a, method, params, answer.Result)
		}
		p.passAnswer(ctx, key, answer, err)
	})
}

// passAnswer tells a server what came of its question.
func (p *peer) passAnswer(ctx context.Context, key askKey, answer *jsonrpc.Message, err error) {
	switch {
	case errors.Is(err, errRetracted): // nobody waits for an answer
	case err != nil:
		p.respond(ctx, key.session, jsonrpc.Raw(key.id), nil, notAsked(err))
	case answer.Error != nil:
		p.respond(ctx, key.session, jsonrpc.Raw(key.id), nil, jsonrpc.PeerError(answer.Error))
	default:
		p.respond(ctx, key.session, jsonrpc.Raw(key.id), answer.Result, nil)
	}
}

// pose puts a question to the client if it may be asked. The error is what the
// server is told.
func (p *peer) pose(c *mcpserver.Call, session *mcpclient.Session, m *jsonrpc.Message, params jsonrpc.Raw) (*mcpserver.Question, *jsonrpc.Error) {
	if refused := p.mayAsk(session, m); refused != nil {
		return nil, refused
	}
	question, err := p.session.Ask(c, m.Method, params)
	if err != nil {
		return nil, notAsked(err)
	}
	return question, nil
}

func notAsked(err error) *jsonrpc.Error {
	return jsonrpc.Errorf(jsonrpc.CodeInternal, "ask the client: %v", err)
}

// isAsked reports whether a client must have declared a capability to be asked.
func isAsked(capability string) bool {
	return slices.Contains([]string{"sampling", "elicitation", "roots", "tasks"}, capability)
}

// respond answers a server, even if the call that caused its question is over.
func (p *peer) respond(ctx context.Context, session *mcpclient.Session, id, result jsonrpc.Raw, e *jsonrpc.Error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), respondTimeout)
	defer cancel()
	if err := session.Respond(ctx, id, result, e); err != nil {
		p.hub.options.Log.Debug("answer a server's request", "err", err)
	}
}

// maxOpenAsks bounds the questions of servers to one client that are open. Those
// beyond it are dropped: whoever asks so much reads no refusals either. So are
// those whose id an open one has.
const maxOpenAsks = 512

// note remembers a question; false says that it is dropped, which is logged once.
func (p *peer) note(key askKey, a *ask) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asks[key] != nil || len(p.asks) >= maxOpenAsks {
		if !p.overasked {
			p.overasked = true
			p.hub.options.Log.Warn("question of a server dropped: too many are open, or one with its id", "id", key.id, "bound", maxOpenAsks)
		}
		return false
	}
	if p.asks == nil {
		p.asks = map[askKey]*ask{}
	}
	p.asks[key] = a
	p.tokens++
	a.ours = strconv.AppendInt(nil, p.tokens, 10)
	return true
}

func (p *peer) unnote(key askKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asks, key)
}

// retract withdraws a question that its server needs no answer to any more.
func (p *peer) retract(session *mcpclient.Session, m *jsonrpc.Message) {
	p.mu.Lock()
	a := p.asks[askKey{session, string(m.Field(jsonrpc.RequestID))}]
	p.mu.Unlock()
	if a != nil {
		a.cancel(errRetracted)
	}
}

// asker returns the session whose question the client has under a progress token,
// and the server's own token for it; nil if there is none.
func (p *peer) asker(ours jsonrpc.Raw) (session *mcpclient.Session, token jsonrpc.Raw) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, a := range p.asks {
		if a.token != nil && bytes.Equal(a.ours, ours) {
			return key.session, a.token
		}
	}
	return p.madeWith(ours)
}

// Notify implements mcpserver.Peer.
func (p *peer) Notify(ctx context.Context, m *jsonrpc.Message) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var to []*mcpclient.Session
	params := m.Params
	switch m.Method {
	case "notifications/initialized": // the hub tells each server itself
	case "notifications/progress":
		if session, token := p.asker(m.Field(jsonrpc.ProgressToken)); session != nil {
			to = append(to, session)
			params = m.AppendParams(nil, jsonrpc.Edit{Field: jsonrpc.ProgressToken, Value: token})
		}
	case methodTaskStatus:
		to = p.taskAskers(m)
	default:
		to = p.sessions()
	}
	for _, session := range to {
		if err := session.Notify(ctx, m.Method, params); err != nil {
			p.hub.options.Log.Debug("pass a notification on", "method", m.Method, "err", err)
		}
	}
}
