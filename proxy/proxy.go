// Package proxy is the hub itself: it keeps the desired servers connected,
// gathers what they offer, and serves it at the endpoints.
//
// Data moves one way. discovery says which servers there should be; the Hub's
// owner, the goroutine in Run, starts and stops a link for each; a link connects,
// lists the server's features and reports; from all reports the owner computes
// for each endpoint a catalog (public name → route) and publishes them as one
// immutable view; requests only read the view. So one goroutine owns what is
// desired, connected and shown, and no request waits for it.
//
// A client's session is a peer: it looks up where a request leads and relays it
// on a session at that server, as bytes.
package proxy

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

// Reconnect says how a server that is away is tried again.
type Reconnect struct {
	MaxAttempts  int           // retries before it is reported failed; 0: never
	InitialDelay time.Duration // before the first retry
	MaxDelay     time.Duration // bound of the growing delay, and the interval after it has failed
}

// Options say how a Hub works.
type Options struct {
	Version   string   // of this program
	Environ   []string // what stdio servers may inherit from
	Reconnect Reconnect
	Keys      *mcpserver.Keys
	MaxBody   int64         // bytes of a request; 0: the default
	ChildIdle time.Duration // after which a client's own process is ended that it does not use; 0: 10 min
	Children  int           // processes of one server for clients that each have their own; 0: 16
	Alone     string        // the id of the only server: it is served at /mcp as it is, and nothing else
	Log       *slog.Logger

	// OpenStreams opens the streams of a server over stdio in a container: those of the
	// command it declares, or else of the container's own process. Nil: there are none.
	OpenStreams func(context.Context, discovery.Server, discovery.Instance) (mcpclient.Streams, error)
}

// Hub serves many MCP servers as one. Use New; Run must run while it serves.
type Hub struct {
	options   Options
	reconnect atomic.Pointer[Reconnect]
	clients   *mcpserver.Server
	current   atomic.Pointer[view] // never nil
	started   time.Time

	reports      chan *state
	probes       chan struct{} // a place for each dial by which a server is nudged
	held         atomic.Int64  // bytes of requests that wait for servers
	declarations declarations
	errands      *errands
	deadline     mcpclient.Deadline // of the processes
	dial         dialFunc           // net.Dialer's but in tests

	// Owned by Run:
	desired discovery.Desired
	states  map[string]*state
	links   sync.WaitGroup
}

// maxProbes bounds the dials by which servers are nudged, in all.
const maxProbes = 8

// New returns a Hub that serves nothing yet.
func New(o Options) *Hub {
	o.ChildIdle, o.Children = cmp.Or(o.ChildIdle, childIdle), cmp.Or(o.Children, maxChildren)
	h := &Hub{
		options: o, started: time.Now(), reports: make(chan *state),
		probes: make(chan struct{}, maxProbes), states: map[string]*state{},
		dial: new(net.Dialer).DialContext, errands: newErrands(),
	}
	h.SetReconnect(o.Reconnect)
	h.clients = mcpserver.New(mcpserver.Options{Open: h.open, Keys: o.Keys, Log: o.Log, MaxBody: o.MaxBody})
	h.current.Store(newView(discovery.Desired{}, nil, nil))
	return h
}

// SetReconnect replaces how servers that are away are tried again, from the next
// try on.
func (h *Hub) SetReconnect(r Reconnect) { h.reconnect.Store(&r) }

// Drain refuses new calls from now on and waits for those in flight, until ctx
// ends.
func (h *Hub) Drain(ctx context.Context) { h.clients.Drain(ctx) }

// EndBy has processes that are still ending killed then: without it each gets the
// time it takes to end in order.
func (h *Hub) EndBy(deadline time.Time) { h.deadline.Set(deadline) }

// Revoke ends the sessions that admits does not accept any more.
func (h *Hub) Revoke(admits func(endpoint string, p mcpserver.Principal) bool) {
	h.clients.Revoke(admits)
}

// Run keeps the hub at what is desired until ctx ends; then it ends all sessions,
// ends what it started, and returns.
func (h *Hub) Run(ctx context.Context, desired <-chan discovery.Desired) {
	var clients sync.WaitGroup
	clients.Go(func() { h.clients.Run(ctx) })
	// The servers are left last, so that a call that is cut off hears why.
	linking, stop := context.WithCancel(context.WithoutCancel(ctx))
	for ctx.Err() == nil {
		select {
		case d := <-desired:
			h.apply(linking, d)
		case s := <-h.reports:
			h.learn(s)
		case <-ctx.Done():
		}
		h.learnMore()
		h.publish()
	}
	clients.Wait()
	stop()
	h.links.Wait()
	h.errands.Wait()
}

// apply starts a link for each server that is new or wants other connections, and
// stops those that are not declared any more.
func (h *Hub) apply(ctx context.Context, d discovery.Desired) {
	h.desired = d
	kept := make(map[string]*state, len(d.Servers))
	for _, server := range d.Servers {
		before := h.states[server.ID]
		if before != nil && before.server.Spec.Equal(server.Spec) {
			same := *before
			same.server = server
			kept[server.ID] = &same
			same.link.follow(server)
			continue
		}
		kept[server.ID] = h.start(ctx, server, before)
	}
	for id, s := range h.states {
		if now := kept[id]; now == nil || now.link != s.link {
			h.retire(s)
		}
	}
	h.states = kept
}

// retire stops a link that nothing new begins at. In containers, where one process
// follows another, calls in flight have the time that the declaration gives them.
func (h *Hub) retire(s *state) {
	if s.server.Drain == 0 {
		s.link.stop()
		return
	}
	s.link.drain()
}

// start starts a link. What is known of the server from before is shown until
// the link knows better.
func (h *Hub) start(ctx context.Context, server discovery.Server, before *state) *state {
	l := newLink(ctx, h, server)
	s := &state{link: l, server: server, phase: starting, since: time.Now()}
	if before != nil {
		s.features, s.variants, s.initialized = before.features, before.variants, before.initialized
		l.shared.takeOver(&before.link.shared)
	}
	h.links.Go(func() { l.run(*s) })
	return s
}

// learn takes a link's report, unless the link has been replaced.
func (h *Hub) learn(s *state) {
	if now := h.states[s.server.ID]; now != nil && now.link == s.link {
		s.server = now.server
		h.states[s.server.ID] = s
	}
}

// learnMore takes the reports that are there already, so that they make one view.
func (h *Hub) learnMore() {
	for {
		select {
		case s := <-h.reports:
			h.learn(s)
		default:
			return
		}
	}
}

// publish shows the present state, and then tells the sessions whose lists have
// changed.
func (h *Hub) publish() {
	before := h.current.Load()
	now := newView(h.desired, h.states, before)
	h.current.Store(now)
	close(before.replaced)
	if now.sameCatalogs(before) {
		return
	}
	news := changesOf{}
	h.clients.Each(func(s *mcpserver.Session) {
		s.Peer().(*peer).shown(before, now, news)
	})
}

// changesOf remembers how two catalogs differ, the older one first: many sessions
// see the same.
type changesOf map[[2]*catalog]mcpserver.Changes

func (c changesOf) between(before, now *catalog) mcpserver.Changes {
	pair := [2]*catalog{before, now}
	changes, known := c[pair]
	if !known {
		changes = now.changes(before)
		c[pair] = changes
	}
	return changes
}

func (h *Hub) view() *view { return h.current.Load() }
