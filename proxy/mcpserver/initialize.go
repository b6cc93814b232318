package mcpserver

import (
	"net/http"
	"slices"
	"time"

	"mcphub/proxy/jsonrpc"
)

// Bounds on what a session remembers of its client, in bytes.
const (
	maxCapabilities = 16 << 10
	maxKnownInfo    = 4 << 10 // of clientInfo; of a longer one, the name and version
)

// initialize opens a session.
func (s *Server) initialize(w http.ResponseWriter, r *http.Request, endpoint string, m *jsonrpc.Message) {
	session, result, err := s.open(r, endpoint, m)
	if err != nil {
		fail(w, m.ID, err)
		return
	}
	w.Header()[headerSession] = []string{session.id}
	writeJSON(w, http.StatusOK, jsonrpc.AppendResult(nil, m.ID, result), nil, nil)
}

func (s *Server) open(r *http.Request, endpoint string, m *jsonrpc.Message) (*Session, jsonrpc.Raw, error) {
	state, err := newState(endpoint, principals(r)[0], m.Params)
	if err != nil {
		return nil, nil, err
	}
	if err := s.makeRoom(state.Principal); err != nil {
		return nil, nil, err
	}
	id, sealed := s.options.Keys.seal(&state)
	session := s.newSession(id, state)
	result, err := session.peer.Initialize(r.Context())
	if err == nil {
		_, err = s.admit(session)
	}
	if err != nil {
		session.end(err)
		return nil, nil, err
	}
	if !sealed {
		s.sessions.keep(session)
		s.options.Log.Warn("session id too large to seal; the session ends with this process", "client", jsonrpc.Text(state.ClientInfo, "name"))
	}
	return session, jsonrpc.Set(result, "protocolVersion", jsonrpc.Quote(state.ProtocolVersion)), nil
}

// newState reads the params of initialize. A client that asks for a version we
// do not speak gets the newest of its era. Nothing in the state shares memory
// with the request.
func newState(endpoint string, p Principal, params jsonrpc.Raw) (State, error) {
	values, err := jsonrpc.Lookup(params, "protocolVersion", "capabilities", "clientInfo")
	if err != nil {
		return State{}, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "initialize: %v", err)
	}
	version, ok := jsonrpc.Unquote(values[0])
	if !ok {
		return State{}, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "initialize: protocolVersion is missing")
	}
	if !slices.Contains(legacyVersions, version) {
		version = LatestLegacy
	}
	if len(values[1]) > maxCapabilities {
		return State{}, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "initialize: capabilities are longer than %d bytes", maxCapabilities)
	}
	info := objectOr(values[2])
	if len(info) > maxKnownInfo {
		info = cutClientInfo(info)
	}
	return State{
		Endpoint: endpoint, Principal: p, ProtocolVersion: version,
		Capabilities: objectOr(values[1]), ClientInfo: info,
		Issued: time.Unix(time.Now().Unix(), 0),
	}, nil
}

// objectOr returns a copy of raw if it is an object, else an empty one.
func objectOr(raw jsonrpc.Raw) jsonrpc.Raw {
	if !jsonrpc.IsObject(raw) {
		return jsonrpc.Raw("{}")
	}
	return slices.Clone(raw)
}
