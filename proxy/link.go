package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

const (
	connectTimeout = 30 * time.Second // for initialize and the lists
	stableAfter    = 10 * time.Second // a connection that lasted so long starts the counting of tries anew
	pingEvery      = 30 * time.Second
	pingTimeout    = 10 * time.Second
	relistPause    = 250 * time.Millisecond // between two listings that a server causes
	maxRefusals    = 16                     // refusals under way to one server that asks what nobody can answer
)

// hubCapabilities are what the hub declares for itself: nothing that a server
// could ask of it.
var hubCapabilities = jsonrpc.Raw("{}")

// link keeps one server connected: its goroutine dials, lists what the server
// offers, hears of changes, and dials again, until it is stopped. It reports every
// step to the Hub. The session it holds is the hub's own; sessions for clients are
// opened beside it (see dialFor), or share it.
type link struct {
	hub       *Hub
	server    discovery.Server
	log       *slog.Logger
	transport mcpclient.Transport
	network   *http.Transport // of the transport; nil for stdio

	ctx  context.Context    // of the link's life; set once, before run starts
	stop context.CancelFunc // ends it

	wakes    chan wake
	suspects chan struct{} // somebody lost a connection: see whether the server is there
	stale    chan struct{} // a bit of changed is set
	changed  atomic.Uint32 // lists to read again, a bit for each kind
	waiting  atomic.Int32  // calls that wait for the server
	children atomic.Int32  // processes of client sessions
	refusals chan struct{} // a place for each refusal under way
	shared   audience      // the clients that share the session

	// Owned by run:
	now   state
	last  attempt
	tries int // failed ones since the last stable connection
}

func newLink(h *Hub, server discovery.Server) *link {
	l := &link{
		hub: h, server: server, log: h.options.Log.With("server", server.ID),
		wakes: make(chan wake, 1), suspects: make(chan struct{}, 1), stale: make(chan struct{}, 1),
		refusals: make(chan struct{}, maxRefusals),
	}
	l.transport, l.network = newTransport(server.Spec, h.options.Environ)
	return l
}

// newTransport returns the way to a server. All its sessions share its HTTP
// connections.
func newTransport(s discovery.Spec, environ []string) (mcpclient.Transport, *http.Transport) {
	if s.Transport == discovery.Stdio {
		return mcpclient.Stdio{Command: s.Command, Env: mcpclient.ChildEnv(environ, s.Env), Dir: s.Dir}, nil
	}
	network := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true, // bytes are passed on as they come
	}
	header := http.Header{}
	for name, value := range s.Headers {
		header.Set(name, value)
	}
	if s.Transport == discovery.SSE {
		return mcpclient.SSE{URL: s.URL, Header: header, HTTP: network}, network
	}
	return mcpclient.StreamableHTTP{URL: s.URL, Header: header, HTTP: network}, network
}

func (l *link) overNetwork() bool { return l.network != nil }

// isolated reports whether each client session has a session of its own at the
// server. By default it has where that costs no process.
func (l *link) isolated() bool {
	switch l.server.Spec.Isolation {
	case discovery.IsolationSession:
		return true
	case discovery.IsolationShared:
		return false
	default:
		return l.server.Spec.Transport != discovery.Stdio
	}
}

// run is the link's goroutine. It returns when the link is stopped, after closing
// what it opened.
func (l *link) run(first state) {
	l.now = first
	for l.ctx.Err() == nil {
		if session := l.connect(); session != nil {
			l.serve(session)
		}
	}
	if l.network != nil {
		l.network.CloseIdleConnections()
	}
}

// report tells the owner a new state, which edit makes of the last one.
func (l *link) report(edit func(*state)) {
	edit(&l.now)
	now := l.now
	select {
	case l.hub.reports <- &now:
	case <-l.ctx.Done():
	}
}

// connect tries until the server is connected and its features are known. It
// returns nil when the link is stopped.
func (l *link) connect() *mcpclient.Session {
	for l.ctx.Err() == nil {
		session, err := l.try()
		if err == nil {
			return session
		}
		if l.ctx.Err() == nil {
			l.tries++
			l.waitOut(err)
		}
	}
	return nil
}

// try dials the server once and lists what it offers.
func (l *link) try() (*mcpclient.Session, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(l.ctx, connectTimeout)
	defer cancel()
	session, err := l.open(ctx)
	l.last = attempt{ended: time.Now(), took: time.Since(began), err: err}
	return session, err
}

func (l *link) open(ctx context.Context) (*mcpclient.Session, error) {
	session, err := mcpclient.Dial(ctx, l.transport, mcpclient.Options{
		Identity: mcpclient.Identity{
			ProtocolVersion: mcpserver.LatestLegacy,
			Capabilities:    hubCapabilities,
			ClientInfo:      l.hub.clientInfo(),
		},
		Receive:     l.receive,
		Unreachable: func(error) { l.suspect() },
		Log:         l.log,
	})
	if err != nil {
		return nil, err
	}
	l.changed.Store(0)
	offered := l.list(ctx, session)
	if ctx.Err() != nil || isDone(session) {
		err := errors.Join(context.Cause(ctx), session.Err())
		session.Close()
		return nil, fmt.Errorf("lost while listing: %w", err)
	}
	l.now.features, l.now.session = offered, session
	return session, nil
}

func isDone(session *mcpclient.Session) bool {
	select {
	case <-session.Done():
		return true
	default:
		return false
	}
}

// waitOut reports that the server is away and waits for the next try.
func (l *link) waitOut(err error) {
	r := l.hub.reconnect.Load()
	wait := r.delay(l.tries)
	hasFailed := r.exhausted(l.tries)
	if hasFailed {
		wait = r.MaxDelay
	}
	if after := l.last.early(); time.Until(after) > wait { // the server asks for more patience
		if _, isStatus := errors.AsType[*mcpclient.StatusError](err); isStatus {
			wait = time.Until(after)
		}
	}
	l.logAway(err, hasFailed, wait)
	l.report(func(s *state) {
		phase := away
		if hasFailed {
			phase = failed
		}
		if s.phase != phase {
			s.phase, s.since = phase, time.Now()
		}
		s.session, s.version, s.err = nil, "", err
		s.attempts, s.next = l.tries, time.Now().Add(wait)
	})
	if l.pause(wait) {
		l.tries-- // a try that a client caused does not count
	}
}

// logAway says once when a server is lost and once when it is given up for now;
// the tries between are told for those who ask.
func (l *link) logAway(err error, hasFailed bool, wait time.Duration) {
	level, text := slog.LevelDebug, "server still away"
	switch {
	case hasFailed && l.now.phase != failed:
		level, text = slog.LevelWarn, "server reported failed; its features leave the lists"
	case l.now.phase == connected || l.now.phase == starting:
		level, text = slog.LevelWarn, "server away"
	}
	l.log.Log(l.ctx, level, text, "err", err, "retry_in", wait.Round(time.Millisecond), "attempt", l.tries)
}

// serve holds a connection for as long as it lasts.
func (l *link) serve(session *mcpclient.Session) {
	began := time.Now()
	defer session.Close()
	l.report(func(s *state) {
		s.phase, s.since, s.err, s.attempts, s.next = connected, time.Now(), nil, 0, time.Time{}
		s.session, s.initialized, s.version = session, session.InitializeResult(), session.ProtocolVersion()
	})
	l.logConnected()
	session.Listen()
	err := l.watch(session)
	if l.ctx.Err() != nil {
		return
	}
	if time.Since(began) >= stableAfter {
		l.tries = 0
		l.logAway(err, false, 0)
		l.report(func(s *state) {
			s.phase, s.since, s.session, s.err, s.next = away, time.Now(), nil, err, time.Now()
		})
		return // and try at once
	}
	l.tries++
	l.last = attempt{ended: time.Now(), err: err}
	l.waitOut(err)
}

func (l *link) logConnected() {
	f := l.now.features
	l.log.Info("server connected", "tools", len(f.lists[tools]), "prompts", len(f.lists[prompts]),
		"resources", len(f.lists[resources]), "templates", len(f.lists[templates]))
	for _, problem := range f.problems {
		l.log.Warn("feature repaired or left out", "problem", problem)
	}
}

// watch keeps the features up to date until the connection is lost; it returns
// why. A server that does not answer a ping may be busy; one that cannot be
// reached is lost.
func (l *link) watch(session *mcpclient.Session) error {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	stale := l.stale
	var rested <-chan time.Time
	for {
		select {
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		case <-session.Done():
			return session.Err()
		case <-stale:
			l.relist(session)
			stale, rested = nil, time.After(relistPause)
		case <-rested:
			stale = l.stale
		case <-l.suspects:
			if err := l.ping(session); err != nil {
				return err
			}
		case <-ping.C:
			if err := l.ping(session); err != nil {
				return err
			}
		}
	}
}

// ping asks for a sign of life. Any answer is one, and so is silence.
func (l *link) ping(session *mcpclient.Session) error {
	ctx, cancel := context.WithTimeout(l.ctx, pingTimeout)
	defer cancel()
	_, err := session.Call(ctx, &mcpclient.Call{Method: "ping", Raw: jsonrpc.Raw("{}")})
	_, status := errors.AsType[*mcpclient.StatusError](err)
	if err == nil || status || ctx.Err() != nil {
		return nil
	}
	return err
}

// suspect asks the link to see whether the server is still there. It never
// blocks.
func (l *link) suspect() {
	select {
	case l.suspects <- struct{}{}:
	default:
	}
}
