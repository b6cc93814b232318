package mcpserver

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"mcphub/proxy/jsonrpc"
)

var (
	errDraining = &BusyError{Reason: "the hub is shutting down", RetryAfter: time.Second}
	errEnding   = &BusyError{Reason: "the session ended at this moment", RetryAfter: time.Second}
)

var errNoSession = refuse(http.StatusNotFound, codeSessionNotFound, "session not found: it has ended, or is not of this endpoint; initialize again")

// enter finds the session of a request, in memory or by what its id seals, and
// notes the request in it: the caller is to call leave. Whatever is wrong with an
// id, the answer is the same.
func (s *Server) enter(r *http.Request, endpoint string) (*Session, error) {
	id := r.Header.Get(headerSession)
	if id == "" {
		return nil, refuse(http.StatusBadRequest, jsonrpc.CodeInvalidRequest, "Mcp-Session-Id is missing: call initialize first")
	}
	for {
		session, err := s.find(r, endpoint, id)
		if err != nil {
			return nil, err
		}
		if session.enter() {
			return session, nil
		}
		s.sessions.remove(session) // it is being put away at this moment: bring it back
	}
}

func (s *Server) find(r *http.Request, endpoint, id string) (*Session, error) {
	session := s.sessions.get(id)
	if session == nil {
		return s.revive(r, endpoint, id)
	}
	if !session.State.usable(endpoint, principals(r)) {
		return nil, errNoSession
	}
	return session, nil
}

// usable reports whether a request at an endpoint by one of the principals may
// use the session.
func (s *State) usable(endpoint string, by []Principal) bool {
	return s.Endpoint == endpoint && slices.Contains(by, s.Principal) && time.Now().Before(s.Expires())
}

// revive brings back a session that is not in memory.
func (s *Server) revive(r *http.Request, endpoint, id string) (*Session, error) {
	state, err := s.options.Keys.open(id)
	if err != nil {
		state = s.sessions.kept(id)
	}
	if state == nil || !state.usable(endpoint, principals(r)) || s.sessions.deleted(id) {
		return nil, errNoSession
	}
	session := s.newSession(id, *state)
	session.changed = AllChanged
	there, err := s.admit(session)
	if there != session { // there is no room for it, or another request was faster
		session.end(errPutAway)
	}
	return there, err
}

// admit puts a session into the table, and returns the one that is there: it, or
// one that another request has put there before for the same id.
func (s *Server) admit(session *Session) (*Session, error) {
	for {
		there, err := s.sessions.add(session, &s.options)
		if !errors.Is(err, errFull) {
			return there, err
		}
		if err := s.makeRoom(session.State.Principal); err != nil {
			return nil, err
		}
	}
}

// makeRoom puts sessions away that were idle longest if there is no room for one
// more. Their ids stay good.
func (s *Server) makeRoom(p Principal) error {
	if !s.sessions.full(p, &s.options) || s.putAway(s.sessions.longestIdle(p, &s.options)) > 0 {
		return nil
	}
	return &BusyError{
		Reason:     fmt.Sprintf("too many sessions are in use (%d, of one principal %d)", s.options.MaxSessions, s.options.MaxPerPrincipal),
		RetryAfter: 5 * time.Second,
	}
}
