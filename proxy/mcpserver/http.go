package mcpserver

import (
	"context"
	"net/http"

	"mcphub/proxy/jsonrpc"
)

// Serve answers one HTTP request to an endpoint: the endpoint's own path, by
// which its sessions are known. The Guard has let it through.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, endpoint string) {
	if err := checkOnce(r); err != nil {
		fail(w, nil, err)
		return
	}
	switch {
	case r.Method == http.MethodPost:
		s.post(w, r, endpoint)
	case r.Header.Get(headerVersion) >= ModernVersion:
		w.Header().Set("Allow", "POST")
		fail(w, nil, refuse(http.StatusMethodNotAllowed, jsonrpc.CodeInvalidRequest, "protocol version %s has POST alone", ModernVersion))
	case r.Method == http.MethodGet:
		s.get(w, r, endpoint)
	case r.Method == http.MethodDelete:
		s.delete(w, r, endpoint)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		fail(w, nil, refuse(http.StatusMethodNotAllowed, jsonrpc.CodeInvalidRequest, "%.20s is none of GET, POST, DELETE", r.Method))
	}
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, endpoint string) {
	body := body{server: s}
	defer body.release()
	if err := body.read(w, r); err != nil {
		fail(w, nil, err)
		return
	}
	s.active.Add(1)
	defer s.active.Add(-1)
	if jsonrpc.IsBatch(body.data) {
		s.postBatch(w, r, endpoint, body.data)
		return
	}
	m, err := parse(r, body.data)
	if err != nil {
		fail(w, m.ID, err)
		return
	}
	switch isRequest := m.Kind() == jsonrpc.Request; {
	case isRequest && s.draining.Load():
		fail(w, m.ID, errDraining)
	case isRequest && m.Method == "initialize":
		s.initialize(w, r, endpoint, m)
	default:
		session, err := s.enter(r, endpoint)
		if err != nil {
			fail(w, m.ID, err)
			return
		}
		defer session.leave()
		session.take(w, r, m)
	}
}

// take handles one message of the client.
func (s *Session) take(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
	if s.hear(r.Context(), m) {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	c := single{Call: Call{Session: s, Message: m, Header: r.Header}}
	c.serve(w, r)
}

// hear handles a message that gets no response. It reports whether m is one.
func (s *Session) hear(ctx context.Context, m *jsonrpc.Message) bool {
	switch {
	case m.Kind() == jsonrpc.Request:
		return false
	case m.Kind() == jsonrpc.Response:
		s.answer(m)
	case m.Method == "notifications/cancelled":
		s.cancel(m)
	default:
		s.peer.Notify(ctx, m)
	}
	return true
}

// get carries a stream until either side ends it: the client's own, or the one
// that it resumes.
func (s *Server) get(w http.ResponseWriter, r *http.Request, endpoint string) {
	session, err := s.enterByGet(r, endpoint)
	if err != nil {
		fail(w, nil, err)
		return
	}
	defer session.leave()
	st, after, lost, err := session.streamFor(r.Header.Get(headerEvent))
	if err != nil {
		fail(w, nil, err)
		return
	}
	if st != nil && st.endsAfter(after) {
		// A call that was cancelled has no response. Some clients come back for it:
		// so they are told not to connect again (HTML, server-sent events).
		w.WriteHeader(http.StatusNoContent)
		return
	}
	c := newConnection(w, r, s.options.Heartbeat)
	c.ended = make(chan struct{})
	if st == nil {
		c.write(lost)
		return
	}
	if !session.carry(st, &c, after) {
		fail(w, nil, errEnding)
	}
}

func (s *Server) enterByGet(r *http.Request, endpoint string) (*Session, error) {
	if err := checkVersion(r); err != nil {
		return nil, err
	}
	if !accepts(r, "text/event-stream") {
		return nil, refuse(http.StatusNotAcceptable, jsonrpc.CodeInvalidRequest, "Accept must have text/event-stream")
	}
	return s.enter(r, endpoint)
}

// delete ends a session for good.
func (s *Server) delete(w http.ResponseWriter, r *http.Request, endpoint string) {
	session, err := s.enter(r, endpoint)
	if err != nil {
		fail(w, nil, err)
		return
	}
	defer session.leave()
	if there := s.sessions.bury(session); there != nil {
		there.end(errDeleted)
	}
	w.WriteHeader(http.StatusNoContent)
}
