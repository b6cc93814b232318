package mcpserver

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcphub/proxy/jsonrpc"
)

// eventID names an event for resumption. It carries what the hub must know to
// answer when it no longer has the stream: whose response was to come on it.
type eventID struct {
	boot    string      // of the process that sent the event
	stream  int64       // in the session
	number  int64       // in the stream, from 0
	request jsonrpc.Raw // the id of the call, or an array of ids; nil on the client's own stream
}

func (id eventID) String() string {
	text := id.boot + "." + strconv.FormatInt(id.stream, 36) + "." + strconv.FormatInt(id.number, 36)
	if id.request != nil {
		text += "." + base64.RawURLEncoding.EncodeToString(id.request)
	}
	return text
}

// parseEventID reads what String wrote.
func parseEventID(text string) (id eventID, err error) {
	parts := strings.SplitN(text, ".", 5)
	if len(parts) == 4 {
		if id.request, err = parseRequest(parts[3]); err != nil {
			return id, err
		}
	}
	if len(parts) != 3 && len(parts) != 4 {
		return id, errEventID
	}
	id.boot = parts[0]
	var streamErr, numberErr error
	id.stream, streamErr = strconv.ParseInt(parts[1], 36, 63)
	id.number, numberErr = strconv.ParseInt(parts[2], 36, 63) // so that one more is a number too
	if streamErr != nil || numberErr != nil || id.stream < 0 || id.number < 0 {
		return id, errEventID
	}
	return id, nil
}

// parseRequest reads an eventID's request.
func parseRequest(text string) (jsonrpc.Raw, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errEventID
	}
	m, err := jsonrpc.Parse(jsonrpc.AppendResult(nil, jsonrpc.Raw("0"), raw))
	if err != nil || len(m.Result) > maxBatchIDs+8*jsonrpc.MaxBatch && m.Result[0] == '[' {
		return nil, errEventID
	}
	calls := eventID{request: m.Result}.calls()
	for _, id := range calls {
		if _, err := jsonrpc.Parse(jsonrpc.AppendResult(nil, id, jsonrpc.Raw("{}"))); err != nil {
			return nil, errEventID
		}
	}
	if len(calls) > jsonrpc.MaxBatch {
		return nil, errEventID
	}
	return m.Result, nil
}

// calls returns the ids of the calls whose responses were to come after the event.
func (id eventID) calls() []jsonrpc.Raw {
	if id.request[0] != '[' {
		return []jsonrpc.Raw{id.request}
	}
	return slices.Collect(jsonrpc.Elements(id.request))
}

var errEventID = refuse(http.StatusBadRequest, jsonrpc.CodeInvalidRequest, "Last-Event-ID is none of this hub's")

// frame returns a message as an event
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (id eventID) frame(message []byte) []byte {
	out := make([]byte, 0, len(message)+len(id.request)*4/3+64)
	out = append(append(out, "id: "...), id.String()...)
	out = append(out, "\nevent: message\ndata: "...)
	data := len(out)
	out = append(out, message...)
	jsonrpc.Flatten(out[data:])
	return append(out, "\n\n"...)
}

// prime returns an event without a message, which gives the client an id to resume
// by, and tells it when to connect again if wait is positive.
func (id eventID) prime(wait time.Duration) []byte {
	out := []byte("id: " + id.String() + "\n")
	if wait > 0 {
		out = fmt.Appendf(out, "retry: %d\n", wait.Milliseconds())
	}
	return append(out, "data: \n\n"...)
}

// maxStreams bounds the streams of one session that can be resumed.
const maxStreams = 64

// keep makes a stream known, so that it can be resumed. At the bound, the oldest
// that is over is forgotten.
func (s *Session) keep(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.streams) >= maxStreams {
		s.forgetOldest()
	}
	s.lastStream++
	st.number, st.request = s.lastStream, slices.Clone(st.request) // which is a part of the whole body
	s.remember(st)
}

// remember puts a stream that has its number among those that can be resumed. s.mu
// is held.
func (s *Session) remember(st *stream) {
	if s.streams == nil {
		s.streams = make(map[int64]*stream)
	}
	s.streams[st.number] = st
}

// forgetOldest forgets the first of the streams that are over. s.mu is held.
func (s *Session) forgetOldest() {
	for _, number := range slices.Sorted(maps.Keys(s.streams)) {
		if st := s.streams[number]; st.isOver(time.Now()) {
			delete(s.streams, number)
			st.forget()
			return
		}
	}
}

// drop forgets a stream, whoever may want to resume it: its calls are answered with
// an error then.
func (s *Session) drop(st *stream) {
	s.mu.Lock()
	delete(s.streams, st.number)
	s.mu.Unlock()
	st.forget()
}

// forgetStreams forgets the streams that have been over for long enough, and the
// client's own if it has not been read for as long.
func (s *Session) forgetStreams() {
	then := time.Now().Add(-keepFor)
	s.mu.Lock()
	defer s.mu.Unlock()
	for number, st := range s.streams {
		if st.isOver(then) || st != s.own && st.request == nil {
			delete(s.streams, number)
			st.forget()
		}
	}
	if len(s.streams) == 0 {
		s.streams = nil
	}
}

// isOver reports whether the last event was pushed before then.
func (st *stream) isOver(then time.Time) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return !st.over.IsZero() && !st.over.After(then)
}

// endsAfter reports whether nothing comes after an event, now or later.
func (st *stream) endsAfter(number int64) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return !st.over.IsZero() && number+1 >= st.base+int64(len(st.log))
}

// streamFor returns the stream that a GET is to carry, and after which event: the
// one that Last-Event-ID names, or a new one of the client's own. If the stream of
// a call is not kept, it is nil, and lost is what the client is told of the call.
func (s *Session) streamFor(lastEventID string) (st *stream, after int64, lost []byte, err error) {
	if lastEventID == "" {
		return &stream{session: s}, -1, nil, nil
	}
	id, err := parseEventID(lastEventID)
	if err != nil {
		return nil, 0, nil, err
	}
	st = s.kept(id)
	switch {
	case st != nil:
		return st, id.number, nil, nil
	case id.request != nil:
		return nil, 0, id.outcomeUnknown(s.server.boot), nil
	}
	return &stream{session: s}, -1, nil, nil
}

// kept returns the stream that an event id names, nil if it is not kept.
func (s *Session) kept(id eventID) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[id.stream]
	if st == nil || id.boot != s.server.boot || st.request == nil && st != s.own {
		return nil
	}
	if !bytes.Equal(st.request, id.request) && !bytes.Equal(st.request, noIDs) { // of another session, or made up
		return nil
	}
	return st
}

// outcomeUnknown is the events that answer the calls whose stream is not kept.
func (id eventID) outcomeUnknown(boot string) (events []byte) {
	reason := "the stream is not kept any more; outcome unknown"
	if id.boot != boot {
		reason = "the hub restarted; outcome unknown"
	}
	e := jsonrpc.Errorf(jsonrpc.CodeInternal, "%s", reason)
	calls := id.calls()
	for i, call := range calls {
		if id.number++; id.request[0] == '[' {
			id.request = idArray(calls[i+1:])
		}
		events = append(events, id.frame(jsonrpc.AppendError(nil, call, e))...)
	}
	return events
}
