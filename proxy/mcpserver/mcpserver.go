// Package mcpserver is the hub as a server: Streamable HTTP towards clients, in
// both eras, with its sessions and streams.
//
// It knows how messages reach a client, not what they mean: for each session it
// asks a Peer, which the proxy supplies. A request is answered on the goroutine
// of its HTTP handler from beginning to end; those of a batch run beside each other,
// and the handler waits for them. The answer is plain JSON if nothing came before
// it, and becomes an event stream when something did.
//
// A session id is the session's state, sealed (see Keys), so sessions need not be
// remembered: what this process keeps of an idle one only saves work, and the
// next request after a restart brings a session back as it was.
//
// See https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
// and https://modelcontextprotocol.io/specification/2026-07-28/basic/transports.
package mcpserver

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"mcphub/proxy/jsonrpc"
)

// Peer answers for one session. Its methods may be called by many goroutines.
type Peer interface {
	// Initialize returns the result of initialize without protocolVersion: an
	// object with capabilities, serverInfo and what else there is.
	Initialize(ctx context.Context) (jsonrpc.Raw, error)
	// Call answers one request. An error that is a *jsonrpc.Error goes to the
	// client as it is, a *BusyError as 503; any other becomes an internal error
	// with its text. ctx ends when the client cancels or the session ends.
	Call(ctx context.Context, c *Call) (jsonrpc.Raw, error)
	// Notify takes one notification of the client. It may not block for long.
	Notify(ctx context.Context, m *jsonrpc.Message)
	// Close is called once when the session is over or put away. It may be
	// called while a Call runs; that call's ctx has ended.
	Close()
}

// BusyError says that a bound is reached; the client may try again.
type BusyError struct {
	Reason     string
	RetryAfter time.Duration
}

// Error implements error.
func (e *BusyError) Error() string { return e.Reason }

// Options say how a Server serves. The zero value of a bound is its default.
type Options struct {
	// Open returns the peer of a new session, or of one that came back.
	Open func(*Session) Peer
	Keys *Keys
	Log  *slog.Logger

	MaxBody         int64         // bytes of one request's body; 16 MiB
	MaxSessions     int           // sessions in memory; 32,768
	MaxPerPrincipal int           // sessions in memory of one principal; 16,384
	IdleAfter       time.Duration // until an unused session is put away; 1 h
	Heartbeat       time.Duration // silence on a stream before a comment is sent; 15 s
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxBody, 16<<20)
	setDefault(&o.MaxSessions, 32_768)
	setDefault(&o.MaxPerPrincipal, 16_384)
	setDefault(&o.IdleAfter, time.Hour)
	setDefault(&o.Heartbeat, 15*time.Second)
	return o
}

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// Server holds the sessions of all endpoints. Use New.
type Server struct {
	options  Options
	sessions sessions
	active   atomic.Int64 // messages of clients being answered
	draining atomic.Bool  // no new ones are taken
	boot     string       // tells the streams of this process from those of others
	kept     atomic.Int64 // bytes of the streams that can be resumed
	bodies   atomic.Int64 // bytes of large bodies whose messages are not answered
	results  atomic.Int64 // bytes of large results that are not written
}

// New returns a Server. Run must run as long as it serves.
func New(o Options) *Server {
	s := &Server{options: o.withDefaults(), boot: rand.Text()[:10]}
	s.sessions.init()
	return s
}

// Run puts idle sessions away until ctx ends; then it ends every session and its
// streams, and returns.
func (s *Server) Run(ctx context.Context) {
	tick := time.NewTicker(max(s.options.IdleAfter/60, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.putAway(s.sessions.idleSince(time.Now().Add(-s.options.IdleAfter)))
			s.sessions.expire(time.Now())
			s.Each((*Session).forgetStreams)
		case <-ctx.Done():
			s.draining.Store(true)
			s.end(s.sessions.close(), errShutdown)
			return
		}
	}
}

// Sessions returns how many sessions are in memory.
func (s *Server) Sessions() int { return s.sessions.count() }

// Drain refuses new calls from now on and waits for those in flight, until ctx
// ends.
func (s *Server) Drain(ctx context.Context) {
	s.draining.Store(true)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for s.active.Load() > 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// Revoke ends the calls and streams of sessions that admits does not accept any
// more.
func (s *Server) Revoke(admits func(endpoint string, p Principal) bool) {
	s.end(slices.DeleteFunc(s.sessions.all(), func(session *Session) bool {
		return admits(session.State.Endpoint, session.State.Principal)
	}), errPutAway)
}

// Each calls f with every session in memory.
func (s *Server) Each(f func(*Session)) {
	for _, session := range s.sessions.all() {
		f(session)
	}
}

// putAway frees what sessions hold that are idle, and returns how many are gone:
// another request may have ended one that it has not taken out of the table. Their
// ids stay good.
func (s *Server) putAway(sessions []*Session) (n int) {
	for _, session := range sessions {
		if session.endIdle(errPutAway) || session.hasEnded() {
			s.sessions.remove(session)
			n++
		}
	}
	return n
}

// end puts sessions away, idle or not. Their calls are told the cause.
func (s *Server) end(sessions []*Session, cause error) {
	for _, session := range sessions {
		session.end(cause)
		s.sessions.remove(session)
	}
}
