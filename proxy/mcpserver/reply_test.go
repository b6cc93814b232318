package mcpserver

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// reply is an HTTP answer.
type reply struct {
	*http.Response
	t      *testing.T
	lines  *bufio.Reader
	body   string // set by whole
	lastID string // of the last event that had one
}

// whole reads the body to its end.
func (r *reply) whole() *reply {
	r.t.Helper()
	defer r.Body.Close()
	body, err := io.ReadAll(r.lines)
	if err != nil {
		r.t.Errorf("read the answer: %v", err)
	}
	r.body = string(body)
	return r
}

// event returns the next event, or comment, without its end and its id, which it
// notes; "end" at the end of the stream.
func (r *reply) event() string {
	var event string
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			return "end"
		}
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			r.lastID = strings.TrimSuffix(id, "\n")
			continue
		}
		if line == "\n" {
			return strings.TrimPrefix(strings.TrimSuffix(event, "\n"), "event: message\ndata: ")
		}
		event += line
	}
}

// expect checks the next events.
func (r *reply) expect(want ...string) {
	r.t.Helper()
	for _, w := range want {
		if got := r.event(); !strings.Contains(got, w) {
			r.t.Errorf("event: got %.200q, want %q in it", got, w)
		}
	}
}
