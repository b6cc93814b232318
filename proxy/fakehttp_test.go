package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"mcphub/proxy/jsonrpc"
)

// ServeHTTP serves Streamable HTTP at /mcp, and HTTP+SSE at /sse and /messages.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/sse":
		f.serveStream(w, r, f.newSession(), "event: endpoint\ndata: /messages?session=%s\n\n")
	case r.URL.Path == "/messages":
		f.postSSE(w, r)
	case r.Method == http.MethodPost:
		f.post(w, r)
	case r.Method == http.MethodGet && f.session(r.Header.Get("Mcp-Session-Id")) != nil:
		f.serveStream(w, r, f.session(r.Header.Get("Mcp-Session-Id")), "")
	case r.Method == http.MethodDelete:
		if s := f.session(r.Header.Get("Mcp-Session-Id")); s != nil {
			s.end()
		}
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// read reads the message of a POST.
func (f *fake) read(r *http.Request) (m message, ok bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return m, false
	}
	parsed, err := jsonrpc.Parse(body)
	if err != nil {
		f.t.Errorf("%s: the hub sent what is no message: %v: %s", f.id, err, body)
		return m, false
	}
	return message{Message: parsed, text: string(body), header: r.Header}, true
}

func (f *fake) post(w http.ResponseWriter, r *http.Request) {
	m, ok := f.read(r)
	if !ok {
		return
	}
	if m.Method == "initialize" {
		m.session = f.newSession()
		w.Header().Set("Mcp-Session-Id", m.session.id)
	} else if m.session = f.session(r.Header.Get("Mcp-Session-Id")); m.session == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if m.Kind() != jsonrpc.Request {
		w.WriteHeader(http.StatusAccepted)
		f.take(m, nil, nil)
		return
	}
	f.take(m, f.writer(w), r.Context().Done())
}

// writer returns how the answer to a POST is written.
func (f *fake) writer(w http.ResponseWriter) func(string) {
	if f.wire == overJSON {
		return func(text string) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			_, _ = io.WriteString(w, text)
		}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	return func(text string) { writeEvent(w, text) }
}

// writeEvent writes a message as an event, with a data line for each of its
// lines.
func writeEvent(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, "event: message\ndata: "+strings.ReplaceAll(text, "\n", "\ndata: ")+"\n\n")
	w.(http.Flusher).Flush()
}

func (f *fake) postSSE(w http.ResponseWriter, r *http.Request) {
	m, ok := f.read(r)
	if !ok {
		return
	}
	m.session = f.session(r.URL.Query().Get("session"))
	w.WriteHeader(http.StatusAccepted)
	w.(http.Flusher).Flush()
	s := m.session
	f.take(m, func(text string) { s.say <- text }, s.over)
}

// serveStream writes what a session says outside its calls.
func (f *fake) serveStream(w http.ResponseWriter, r *http.Request, s *fakeSession, first string) {
	w.Header().Set("Content-Type", "text/event-stream")
	if first != "" {
		_, _ = fmt.Fprintf(w, first, s.id)
		defer s.end()
	}
	w.(http.Flusher).Flush()
	f.mu.Lock()
	s.streams++
	f.mu.Unlock()
	for {
		select {
		case text := <-s.say:
			writeEvent(w, text)
		case <-s.over:
			return
		case <-r.Context().Done():
			return
		}
	}
}
