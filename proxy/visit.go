package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// The processes of one server for clients that each have their own.
// visit is a client's own session at one server. It is opened on first use.
type visit struct {
	link   *link
	at     *instance     // where the session is, until it ends
	opened chan struct{} // closed when session or err is set
	ended  context.CancelFunc

	session *mcpclient.Session
	err     error

	// Guarded by the peer's mu:
	calls    int       // that use the session, or wait for it
	leaving  bool      // it ends with the last of its calls: others go elsewhere
	used     time.Time // when the last one ended, or it was opened
	outdated uint32    // lists to read again in the session, a bit for each kind
	listing  bool      // they are being read
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

// promising reports whether calls can be made, or could be in a moment.
func (v *visit) promising() bool {
	select {
	case <-v.opened:
		return v.usable()
	default:
		return true
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

// place is where a call goes.
type place struct {
	session *mcpclient.Session
	link    *link  // nil if it is not known where
	visit   *visit // nil where the session is not the client's own; see called
}

// placeAt returns the session on which the client's calls to a server go: its own,
// or the one all share. It waits for a server that is away, within bounds; size is
// how much memory the waiting call holds. Whatever the error, called is to be
// called with its visit.
func (p *peer) placeAt(ctx context.Context, server string, size int) (place, error) {
	s, err := p.hub.connectedTo(ctx, server, size)
	if err != nil {
		return place{}, err
	}
	if !s.link.isolated() {
		return place{session: s.session, link: s.link}, nil
	}
	v, err := p.visit(s.link)
	if err != nil {
		return place{link: s.link}, err
	}
	select {
	case <-v.opened:
		return place{v.session, s.link, v}, v.err
	case <-ctx.Done():
		return place{nil, s.link, v}, context.Cause(ctx)
	}
}

// visit returns the client's own session at a server, opened or being opened, for
// a call.
func (p *peer) visit(l *link) (*visit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInternal, "the session has ended")
	}
	before := p.visits[l.server.ID]
	if before != nil && before.link == l && !before.at.leaving() && before.promising() {
		before.calls++
		return before, nil
	}
	if before != nil {
		p.partFrom(before)
	}
	return p.startVisit(l)
}

// partFrom lets a visit end that nothing new begins in: with its last call. p.mu is
// held.
func (p *peer) partFrom(v *visit) {
	delete(p.visits, v.link.server.ID)
	v.leaving = true
	if v.calls == 0 || !v.promising() {
		p.hub.errands.Go(v.end)
	}
}

// startVisit opens a session in the background, for a call. p.mu is held.
func (p *peer) startVisit(l *link) (*visit, error) {
	at, err := l.pick()
	if err != nil {
		return nil, err
	}
	if !l.takePlace() {
		return nil, l.full()
	}
	ctx, cancel := context.WithCancel(at.ctx)
	at.sessions.Add(1)
	context.AfterFunc(ctx, func() { at.sessions.Add(-1) })
	v := &visit{link: l, at: at, opened: make(chan struct{}), ended: cancel, calls: 1, used: time.Now()}
	if p.visits == nil {
		p.visits = map[string]*visit{}
	}
	p.visits[l.server.ID] = v
	p.hub.errands.Go(func() { p.live(ctx, v) })
	return v, nil
}

// live opens a visit and, over stdio, sees to its end and gives its place free.
// The session is closed with the link, whoever uses it.
func (p *peer) live(ctx context.Context, v *visit) {
	p.setOwn(v.link.server.ID, nil) // what was listed in the session before is over with it
	v.session, v.err = p.dial(ctx, v.at)
	v.at.tried(v.err)
	if v.at.gone() || errors.Is(v.err, mcpclient.ErrOutcomeUnknown) {
		v.err = unopened(v.err)
	}
	close(v.opened)
	if v.session != nil {
		closed := context.AfterFunc(ctx, func() { v.at.close(v.session) })
		if v.link.overNetwork() {
			return
		}
		p.stay(v)
		closed()
		v.session.Close()
	}
	v.ended()
	v.link.leavePlace()
}

// unopened returns what the calls are told for which a session was to be opened when
// the server went away. Whatever became of the session, none of them was sent.
func unopened(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %v", mcpclient.ErrNotSent, err)
}

// dial opens a session at a server in the client's name, as the client has set it
// up. visiting ends when the session does.
func (p *peer) dial(visiting context.Context, at *instance) (*mcpclient.Session, error) {
	l := at.link
	ctx, cancel := context.WithTimeout(visiting, connectTimeout)
	defer cancel()
	state := &p.session.State
	session, err := mcpclient.Dial(ctx, at.transport, mcpclient.Options{
		Identity: mcpclient.Identity{
			ProtocolVersion: state.ProtocolVersion, Capabilities: state.Capabilities, ClientInfo: state.ClientInfo,
		},
		Receive: func(s *mcpclient.Session, m *jsonrpc.Message) { p.hear(visiting, l, s, m) },
		Strays:  &l.strays,
		Log:     l.log,
	})
	if err != nil {
		return nil, err
	}
	if p.listens() {
		listen(ctx, session)
	}
	p.applyLevel(ctx, session)
	p.resubscribe(ctx, session, l.server.ID)
	return session, nil
}

// listenPatience bounds how long what is to be asked of a server waits for its own
// stream: some send no header before they have something to say.
const listenPatience = time.Second

// listen opens a server's own stream to the client and waits until the server has
// it. Servers that ask something during a call, but not on its stream, ask nobody
// as long as there is no other (the TypeScript SDK's drop the question).
func listen(ctx context.Context, session *mcpclient.Session) {
	patience := time.NewTimer(listenPatience)
	defer patience.Stop()
	select {
	case <-session.Listen():
	case <-patience.C:
	case <-session.Done():
	case <-ctx.Done():
	}
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
		p.hub.errands.Go(v.end)
	}
}
