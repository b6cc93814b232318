package proxy

import (
	"context"
	"fmt"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

const (
	holdLimit   = 10 * time.Second // how long a call waits for a server that is away
	maxWaiting  = 64               // calls that wait for one server
	maxHeld     = 256 << 20        // bytes of all waiting calls
	maxChildren = 16               // processes of one server for clients that each have their own
)

// visit is a client's own session at one server. It is opened on first use.
type visit struct {
	link   *link
	opened chan struct{} // closed when session or err is set
	ended  context.CancelFunc

	session *mcpclient.Session
	err     error
}

// usable reports whether calls can be made: not while it is being opened.
func (v *visit) usable() bool {
	select {
	case <-v.opened:
		return v.err == nil && !isDone(v.session)
	default:
		return false
	}
}

// end closes the session, if there is one, and waits for it.
func (v *visit) end() {
	v.ended()
	<-v.opened
	if v.session != nil {
		v.session.Close()
	}
}

// linkTo returns the link to a server, nil if it is not declared.
func (h *Hub) linkTo(server string) *link {
	if s := h.view().servers[server]; s != nil {
		return s.link
	}
	return nil
}

// sessionAt returns the session on which the client's calls to a server go: its
// own, or the one all share. It waits for a server that is away, within bounds;
// size is how much memory the waiting call holds.
func (p *peer) sessionAt(ctx context.Context, server string, size int) (*mcpclient.Session, *link, error) {
	s, err := p.hub.connectedTo(ctx, server, size)
	if err != nil {
		return nil, nil, err
	}
	if !s.link.isolated() {
		return s.session, s.link, nil
	}
	v, err := p.visit(s.link)
	if err != nil {
		return nil, s.link, err
	}
	select {
	case <-v.opened:
		return v.session, s.link, v.err
	case <-ctx.Done():
		return nil, s.link, context.Cause(ctx)
	}
}

// connectedTo returns the state of a server that is connected, waiting for it if
// it is away.
func (h *Hub) connectedTo(ctx context.Context, server string, size int) (*state, error) {
	s := h.view().servers[server]
	if s == nil {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInternal, "server %q is not declared any more", server)
	}
	if s.phase == connected {
		return s, nil
	}
	waiting, held := s.link.waiting.Add(1), h.held.Add(int64(size))
	defer s.link.waiting.Add(-1)
	defer h.held.Add(-int64(size))
	if waiting > maxWaiting || held > maxHeld {
		return nil, &mcpserver.BusyError{Reason: s.awayText() + "; too many calls wait for it", RetryAfter: max(time.Until(s.next), time.Second)}
	}
	return h.waitFor(ctx, s)
}

// waitFor waits until a server is connected that is away now.
func (h *Hub) waitFor(ctx context.Context, s *state) (*state, error) {
	holding, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	s.link.wakeUp(need)
	h.await(holding, func(v *view) bool {
		now := v.servers[s.server.ID]
		if now != nil {
			s = now
		}
		return now == nil || now.phase == connected
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if s.phase != connected {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInternal, "%s", s.awayText())
	}
	return s, nil
}

// awayText says that a server is away, why, and when it is tried next.
func (s *state) awayText() string {
	reason := "it has not answered yet"
	if s.err != nil {
		reason = s.err.Error()
	}
	return fmt.Sprintf("server %q is away: %s, next try in %s", s.server.ID, reason, max(time.Until(s.next), 0).Round(time.Second))
}

// visit returns the client's own session at a server, opened or being opened.
func (p *peer) visit(l *link) (*visit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInternal, "the session has ended")
	}
	before := p.visits[l.server.ID]
	if before != nil && before.link == l {
		select {
		case <-before.opened:
			if before.usable() {
				return before, nil
			}
		default:
			return before, nil
		}
	}
	if before != nil {
		p.hub.closers.Go(before.end)
	}
	return p.startVisit(l)
}

// startVisit opens a session in the background. p.mu is held.
func (p *peer) startVisit(l *link) (*visit, error) {
	if !l.overNetwork() && l.children.Add(1) > maxChildren {
		l.children.Add(-1)
		return nil, &mcpserver.BusyError{Reason: fmt.Sprintf("server %q runs a process for each client, and %d run already", l.server.ID, maxChildren), RetryAfter: 5 * time.Second}
	}
	ctx, cancel := context.WithCancel(l.ctx)
	v := &visit{link: l, opened: make(chan struct{}), ended: cancel}
	if p.visits == nil {
		p.visits = map[string]*visit{}
	}
	p.visits[l.server.ID] = v
	p.hub.closers.Go(func() { p.live(ctx, v) })
	return v, nil
}

// live opens a visit and, over stdio, waits for its end to give its place free.
// The session is closed with the link, whoever uses it.
func (p *peer) live(ctx context.Context, v *visit) {
	v.session, v.err = p.dial(ctx, v.link)
	close(v.opened)
	if v.session != nil {
		closed := context.AfterFunc(ctx, v.session.Close)
		if v.link.overNetwork() {
			return
		}
		<-v.session.Done()
		closed()
		v.session.Close()
	}
	if !v.link.overNetwork() {
		v.link.children.Add(-1)
	}
}

// dial opens a session at a server in the client's name, as the client has set it
// up. visiting ends when the session does.
func (p *peer) dial(visiting context.Context, l *link) (*mcpclient.Session, error) {
	ctx, cancel := context.WithTimeout(visiting, connectTimeout)
	defer cancel()
	state := &p.session.State
	session, err := mcpclient.Dial(ctx, l.transport, mcpclient.Options{
		Identity: mcpclient.Identity{
			ProtocolVersion: state.ProtocolVersion, Capabilities: state.Capabilities, ClientInfo: state.ClientInfo,
		},
		Receive: func(s *mcpclient.Session, m *jsonrpc.Message) { p.hear(visiting, l, s, m) },
		Log:     l.log,
	})
	if err != nil {
		return nil, err
	}
	p.applyLevel(ctx, session)
	p.resubscribe(ctx, session, l.server.ID)
	if p.listens() {
		session.Listen()
	}
	return session, nil
}

// listens reports whether a server could have something to say to the client
// outside its calls.
func (p *peer) listens() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.level != nil || p.listening {
		return true
	}
	for name := range jsonrpc.Members(p.session.State.Capabilities) {
		if name == "sampling" || name == "elicitation" || name == "roots" {
			return true
		}
	}
	return false
}

// resubscribe renews the client's subscriptions in a new session at a server.
func (p *peer) resubscribe(ctx context.Context, session *mcpclient.Session, server string) {
	p.mu.Lock()
	var uris []string
	for uri, at := range p.subs {
		if at == server {
			uris = append(uris, uri)
		}
	}
	p.mu.Unlock()
	for _, uri := range uris {
		if _, err := session.Call(ctx, &mcpclient.Call{Method: "resources/subscribe", Raw: uriParams(uri)}); err != nil {
			p.hub.options.Log.Warn("subscription not renewed", "server", server, "err", err)
		}
	}
}

func uriParams(uri string) jsonrpc.Raw {
	return append(append(jsonrpc.Raw(`{"uri":`), jsonrpc.Quote(uri)...), '}')
}

// sessions returns the client's own sessions at servers that are open.
func (p *peer) sessions() []*mcpclient.Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	var open []*mcpclient.Session
	for _, v := range p.visits {
		if v.usable() {
			open = append(open, v.session)
		}
	}
	return open
}

// leave forgets a session that turned out to be lost, so that the next call opens
// another.
func (p *peer) leave(l *link, session *mcpclient.Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v := p.visits[l.server.ID]; v != nil && v.usable() && v.session == session {
		delete(p.visits, l.server.ID)
		p.hub.closers.Go(v.end)
	}
}
