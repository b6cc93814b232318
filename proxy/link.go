package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

const (
	connectTimeout = 30 * time.Second // for initialize and the lists
	stableAfter    = 10 * time.Second // a connection that lasted so long starts the counting of tries anew
	pingEvery      = 30 * time.Second
	pingTimeout    = 10 * time.Second
	relistPause    = 250 * time.Millisecond // at least, between two listings that a server causes
	maxRefusals    = 16                     // refusals under way to one server that asks what nobody can answer
)

// hubCapabilities are what the hub declares for itself: nothing that a server
// could ask of it.
var hubCapabilities = jsonrpc.Raw("{}")

// link keeps one server connected: its goroutine dials, lists what the server
// offers, hears of changes, and dials again, until it is stopped. It reports every
// step to the Hub. The session it holds is the hub's own; sessions for clients are
// opened beside it (see visit), or share it.
type link struct {
	hub    *Hub
	server discovery.Server // as it was when the link was made; where it runs now is the lineup
	log    *slog.Logger
	dial   dialFunc // how connections are made; set before run starts

	ctx  context.Context    // of the link's life
	stop context.CancelFunc // ends it

	lineup atomic.Pointer[lineup] // never nil; the Hub's owner replaces it
	moved  chan struct{}          // a value when it has been replaced

	nudges   chan struct{} // a client has asked for something in the server's scope
	needs    chan struct{} // a request waits for the server
	suspects chan struct{} // somebody lost a connection: see whether the server is there
	stale    chan struct{} // a bit of changed is set
	changed  atomic.Uint32 // lists to read again, a bit for each kind, and variantsToo
	waiting  atomic.Int32  // calls that wait for the server
	children atomic.Int32  // processes of client sessions
	strays   atomic.Int64  // messages that nobody waited for, of all sessions
	refusals chan struct{} // a place for each refusal under way
	crowded  chan struct{} // a client finds no place for its process; see stay
	shared   audience      // the clients that share the session
	wanted   chan struct{} // a declaration has come to be listed for
	wishes   wishes        // the declarations to list for

	// Owned by run:
	now    state
	at     *instance // where the session is, or was tried last; nil before the first try
	lost   time.Time // when it was connected last, or else declared
	last   attempt
	tries  int                   // failed ones since the last stable connection, but for those that clients caused
	caused bool                  // a client caused the present try
	due    time.Time             // when the server is tried in any case
	varied map[*declaration]bool // listed for since the lists last changed
}

// newLink returns a link that lives until ctx ends, or it is stopped.
func newLink(ctx context.Context, h *Hub, server discovery.Server) *link {
	l := &link{
		hub: h, server: server, log: h.options.Log.With("server", server.ID),
		dial: h.dial, moved: make(chan struct{}, 1), lost: time.Now(),
		nudges: make(chan struct{}, 1), needs: make(chan struct{}, 1),
		suspects: make(chan struct{}, 1), stale: make(chan struct{}, 1),
		refusals: make(chan struct{}, maxRefusals), crowded: make(chan struct{}),
		wanted: make(chan struct{}, 1), varied: map[*declaration]bool{},
	}
	l.ctx, l.stop = context.WithCancel(ctx)
	l.lineup.Store(new(lineup))
	l.line(server)
	return l
}

// overNetwork reports whether the server is reached by connections, and not by
// processes that cost something.
func (l *link) overNetwork() bool { return l.server.Spec.Transport != discovery.Stdio }

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
	for _, i := range l.lineup.Load().all {
		if i.network != nil {
			i.network.CloseIdleConnections()
		}
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
		if l.at != nil && l.at.leaving() {
			l.tries, l.caused = 0, false // the next instance has failed nobody yet
		}
		if l.at = l.choose(); l.at == nil {
			l.sitOut()
			continue
		}
		session, err := l.try()
		if err == nil {
			return session
		}
		if !l.at.leaving() {
			l.waitOut(err)
		}
	}
	return nil
}

// try dials the server once and lists what it offers.
func (l *link) try() (*mcpclient.Session, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(l.at.ctx, connectTimeout)
	defer cancel()
	session, err := l.open(ctx)
	l.last = attempt{ended: time.Now(), took: time.Since(began), err: err}
	l.at.tried(err)
	return session, err
}

func (l *link) open(ctx context.Context) (*mcpclient.Session, error) {
	session, err := mcpclient.Dial(ctx, l.at.transport, mcpclient.Options{
		Identity:    l.hub.identity(hubCapabilities),
		Receive:     l.receive,
		Unreachable: func(error) { l.suspect() },
		Strays:      &l.strays,
		Log:         l.log,
	})
	if err != nil {
		return nil, err
	}
	l.changed.Store(0)
	offered := listAll(ctx, session, l.now.features)
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
