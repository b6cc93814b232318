package mcpserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcphub/proxy/jsonrpc"
)

// The versions of the protocol that are spoken to clients, the oldest first.
// Versions from ModernVersion on are of the modern era.
var legacyVersions = []string{"2024-11-05", "2025-03-26", "2025-06-18", LatestLegacy}

const (
	// LatestLegacy is the last version of the legacy era.
	LatestLegacy = "2025-11-25"
	// ModernVersion is the first version of the modern era.
	ModernVersion = "2026-07-28"
)

// The codes of the specification beside JSON-RPC's own.
const (
	codeUnsupportedVersion = -32022 // 2026-07-28/basic, error codes
	codeSessionNotFound    = -32001 // as other servers answer 404
)

const (
	headerSession = "Mcp-Session-Id"
	headerVersion = "Mcp-Protocol-Version"
)

// Serve answers one HTTP request to an endpoint: the endpoint's own path, by
// which its sessions are known. The Guard has let it through.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, endpoint string) {
	switch r.Method {
	case http.MethodPost:
		s.post(w, r, endpoint)
	case http.MethodGet:
		s.get(w, r, endpoint)
	case http.MethodDelete:
		s.delete(w, r, endpoint)
	}
}

// refusal is an HTTP answer to a request that never became a call.
type refusal struct {
	status int
	err    *jsonrpc.Error
}

// Error implements error.
func (e *refusal) Error() string { return e.err.Message }

func refuse(status int, code int64, format string, args ...any) *refusal {
	return &refusal{status, jsonrpc.Errorf(code, format, args...)}
}

// fail answers a request that failed with err before it was a call.
func fail(w http.ResponseWriter, id jsonrpc.Raw, err error) {
	status, e := http.StatusOK, asError(err)
	if r, ok := errors.AsType[*refusal](err); ok {
		status, e = r.status, r.err
	} else if busy, ok := errors.AsType[*BusyError](err); ok {
		status = http.StatusServiceUnavailable
		setRetryAfter(w, busy.RetryAfter)
	}
	writeJSON(w, http.NewResponseController(w), status, jsonrpc.AppendError(nil, id, e), nil, nil)
}

var errDraining = &BusyError{Reason: "the hub is shutting down", RetryAfter: time.Second}

func (s *Server) post(w http.ResponseWriter, r *http.Request, endpoint string) {
	m, err := s.read(w, r)
	if err == nil && m.Kind() == jsonrpc.Request && s.draining.Load() {
		err = errDraining
	}
	if err != nil {
		fail(w, nil, err)
		return
	}
	if m.Method == "initialize" && m.Kind() == jsonrpc.Request {
		s.initialize(w, r, endpoint, m)
		return
	}
	session, err := s.session(r, endpoint)
	if err != nil {
		fail(w, m.ID, err)
		return
	}
	session.touch()
	session.take(w, r, m)
}

// take handles one message of the client.
func (s *Session) take(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
	switch {
	case m.Kind() == jsonrpc.Response:
		s.answer(m)
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "notifications/cancelled":
		s.cancel(m)
		w.WriteHeader(http.StatusAccepted)
	case m.Kind() == jsonrpc.Notification:
		s.peer.Notify(r.Context(), m)
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "ping":
		writeJSON(w, nil, http.StatusOK, jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw("{}")), nil, nil)
	default:
		c := Call{Session: s, Message: m, Header: r.Header}
		c.serve(w, r)
	}
}

// read reads and checks the one message of a POST.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (*jsonrpc.Message, error) {
	if err := checkHeaders(r); err != nil {
		return nil, err
	}
	body, err := s.body(w, r)
	if err != nil {
		return nil, err
	}
	m, err := jsonrpc.Parse(body)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, asError(err)}
	}
	if version := modern(r, m); version != "" {
		return nil, unsupported(version)
	}
	return m, nil
}

// checkHeaders refuses what the transport's rules do not allow. Clients that
// send no Accept, or one for everything, are taken at their best.
func checkHeaders(r *http.Request) error {
	if content := r.Header.Get("Content-Type"); content != "" && !mediaType(content, "application/json") {
		return refuse(http.StatusUnsupportedMediaType, jsonrpc.CodeInvalidRequest, "Content-Type is %q; it must be application/json", content)
	}
	if !accepts(r, "application/json") || !accepts(r, "text/event-stream") {
		return refuse(http.StatusNotAcceptable, jsonrpc.CodeInvalidRequest, "Accept must have application/json and text/event-stream")
	}
	return checkVersion(r)
}

func checkVersion(r *http.Request) error {
	version := r.Header.Get(headerVersion)
	if version == "" || version >= ModernVersion || slices.Contains(legacyVersions, version) {
		return nil
	}
	return refuse(http.StatusBadRequest, jsonrpc.CodeInvalidRequest, "MCP-Protocol-Version %.40q is none of %s", version, strings.Join(legacyVersions, ", "))
}

func mediaType(header, want string) bool {
	got, _, _ := strings.Cut(header, ";")
	return strings.EqualFold(strings.TrimSpace(got), want)
}

// accepts reports whether the Accept header allows a media type (RFC 9110,
// section 12.5.1; weights are not looked at).
func accepts(r *http.Request, want string) bool {
	accept := r.Header["Accept"]
	if len(accept) == 0 {
		return true
	}
	family, _, _ := strings.Cut(want, "/")
	for _, header := range accept {
		for part := range strings.SplitSeq(header, ",") {
			if mediaType(part, want) || mediaType(part, "*/*") || mediaType(part, family+"/*") {
				return true
			}
		}
	}
	return false
}

// body reads the whole body, up to the bound.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := s.options.MaxBody
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var body []byte
	var err error
	if r.ContentLength >= 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	}
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, jsonrpc.CodeParse, "read the body: %v", err)
	}
	return body, nil
}

func tooLarge(limit int64) error {
	return refuse(http.StatusRequestEntityTooLarge, jsonrpc.CodeInvalidRequest, "the body is longer than %d bytes (MCPHUB_MAX_BODY)", limit)
}

// modern returns the protocol version of a request of the modern era, empty if it
// is a legacy one.
func modern(r *http.Request, m *jsonrpc.Message) string {
	if version, ok := m.Text(jsonrpc.MetaVersion); ok {
		return version
	}
	if version := r.Header.Get(headerVersion); version >= ModernVersion {
		return version
	}
	return ""
}

// unsupported tells a modern client which versions there are
// (2026-07-28/basic/versioning), so that it falls back to initialize.
func unsupported(version string) error {
	e := jsonrpc.Errorf(codeUnsupportedVersion, "protocol version %.40s is not served here", version)
	e.Data = fmt.Appendf(nil, `{"supported":["%s"],"requested":%s}`, strings.Join(legacyVersions, `","`), jsonrpc.Quote(version))
	return &refusal{http.StatusBadRequest, e}
}

// initialize opens a session.
func (s *Server) initialize(w http.ResponseWriter, r *http.Request, endpoint string, m *jsonrpc.Message) {
	session, result, err := s.open(r, endpoint, m)
	if err != nil {
		fail(w, m.ID, err)
		return
	}
	w.Header()[headerSession] = []string{session.id}
	writeJSON(w, http.NewResponseController(w), http.StatusOK, jsonrpc.AppendResult(nil, m.ID, result), nil, nil)
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
	if !sealed {
		s.options.Log.Warn("session id too large to seal; the session ends with this process", "client", jsonrpc.Text(state.ClientInfo, "name"))
	}
	session := s.newSession(id, state)
	result, err := session.peer.Initialize(r.Context())
	if err != nil {
		session.close(err)
		return nil, nil, err
	}
	s.sessions.add(session)
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
	return State{
		Endpoint: endpoint, Principal: p, ProtocolVersion: version,
		Capabilities: objectOr(values[1]), ClientInfo: objectOr(values[2]),
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

// makeRoom puts sessions away that were idle longest if there is no room for one
// more. Their ids stay good.
func (s *Server) makeRoom(p Principal) error {
	if !s.sessions.full(p, &s.options) {
		return nil
	}
	s.putAway(s.sessions.longestIdle(p, &s.options))
	if s.sessions.full(p, &s.options) {
		return &BusyError{Reason: fmt.Sprintf("too many sessions are in use (%d, of one principal %d)", s.options.MaxSessions, s.options.MaxPerPrincipal), RetryAfter: 5 * time.Second}
	}
	return nil
}

var errNoSession = refuse(http.StatusNotFound, codeSessionNotFound, "session not found: it has ended, or is not of this endpoint; initialize again")

// session finds the session of a request: in memory, or by what its id seals.
// Whatever is wrong with an id, the answer is the same.
func (s *Server) session(r *http.Request, endpoint string) (*Session, error) {
	id := r.Header.Get(headerSession)
	if id == "" {
		return nil, refuse(http.StatusBadRequest, jsonrpc.CodeInvalidRequest, "Mcp-Session-Id is missing: call initialize first")
	}
	session := s.sessions.get(id)
	if session == nil {
		var err error
		if session, err = s.revive(r, endpoint, id); err != nil {
			return nil, err
		}
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

// revive brings back the session that an id seals.
func (s *Server) revive(r *http.Request, endpoint, id string) (*Session, error) {
	state, err := s.options.Keys.open(id)
	if err != nil || !state.usable(endpoint, principals(r)) || s.sessions.deleted(id) {
		return nil, errNoSession
	}
	if err := s.makeRoom(state.Principal); err != nil {
		return nil, err
	}
	session := s.newSession(id, *state)
	session.changed = AllChanged
	there := s.sessions.add(session)
	if there != session { // another request was faster
		session.close(errPutAway)
	}
	return there, nil
}

// get opens the client's own stream and holds it until either side ends it.
func (s *Server) get(w http.ResponseWriter, r *http.Request, endpoint string) {
	session, err := s.getSession(r, endpoint)
	if err != nil {
		fail(w, nil, err)
		return
	}
	session.touch()
	st := newStream(w, s.options.Heartbeat)
	st.ended = make(chan struct{})
	st.write()
	if session.attach(st) == nil {
		select {
		case <-st.ended:
		case <-r.Context().Done():
		}
		session.detach(st)
		session.touch()
	}
	st.close()
}

func (s *Server) getSession(r *http.Request, endpoint string) (*Session, error) {
	if err := checkVersion(r); err != nil {
		return nil, err
	}
	if r.Header.Get(headerVersion) >= ModernVersion {
		return nil, refuse(http.StatusMethodNotAllowed, jsonrpc.CodeInvalidRequest, "protocol version %s has no GET", ModernVersion)
	}
	if !accepts(r, "text/event-stream") {
		return nil, refuse(http.StatusNotAcceptable, jsonrpc.CodeInvalidRequest, "Accept must have text/event-stream")
	}
	return s.session(r, endpoint)
}

// delete ends a session for good.
func (s *Server) delete(w http.ResponseWriter, r *http.Request, endpoint string) {
	session, err := s.session(r, endpoint)
	if err != nil {
		fail(w, nil, err)
		return
	}
	s.sessions.bury(session)
	if s.sessions.remove(session) {
		session.close(errDeleted)
	}
	w.WriteHeader(http.StatusNoContent)
}
