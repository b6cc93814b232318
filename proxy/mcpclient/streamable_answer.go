package mcpclient

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"mcphub/proxy/jsonrpc"
)

// answer reads the response to a call's POST, and closes it.
func (w *streamable) answer(x *exchange, resp *http.Response) (*jsonrpc.Message, error) {
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return w.refusal(resp, x.id)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, statusError(resp) // an answer to something else than a request
	}
	kind, err := contentType(resp, typeJSON, typeEvents)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case kind == typeEvents:
		return w.stream(x, resp)
	default:
		return w.body(x, resp)
	}
}

// body reads an answer that is one JSON text.
func (w *streamable) body(x *exchange, resp *http.Response) (*jsonrpc.Message, error) {
	data, err := readBody(resp)
	if err != nil {
		if err == errLong {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		return nil, w.failed(x, fmt.Errorf("%w: read the answer: %w", ErrOutcomeUnknown, err))
	}
	m, err := w.receive(x, data)
	if err == nil && m == nil {
		err = errors.New("read the answer: the server sent messages, but not the response")
	}
	return m, err
}

// readBody reads a body of at most MaxMessage bytes.
func readBody(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > MaxMessage {
		return nil, errLong
	}
	if resp.ContentLength >= 0 {
		data := make([]byte, resp.ContentLength)
		_, err := io.ReadFull(resp.Body, data)
		return data, err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxMessage+1))
	if err == nil && len(data) > MaxMessage {
		err = errLong
	}
	return data, err
}

// refusal reads an answer whose status is none of success. own is the id of the
// request in decimal, nil if it was none.
func (w *streamable) refusal(resp *http.Response, own []byte) (*jsonrpc.Message, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	resp.Body = io.NopCloser(bytes.NewReader(body))
	status := statusError(resp)
	if err != nil {
		return nil, status
	}
	if w.id != "" && unknownSession(resp.StatusCode, body, own) {
		return nil, w.loseSession(status)
	}
	if m, err := jsonrpc.Parse(body); err == nil && own != nil && m.Kind() == jsonrpc.Response && bytes.Equal(m.ID, own) {
		return m, nil
	}
	return nil, status
}

// unknownSession reports whether a server that was sent a session's id answered
// that it does not know it. The specification has 404 for that; servers made with
// the TypeScript SDK answer 400 and an error that belongs to no request, or, where
// a framework parsed the body first, to this one.
func unknownSession(status int, body []byte, own []byte) bool {
	if status == http.StatusNotFound {
		return true
	}
	if status != http.StatusBadRequest {
		return false
	}
	values, err := jsonrpc.Lookup(body, "id", "error")
	if err != nil || !jsonrpc.IsObject(values[1]) {
		return false
	}
	e := jsonrpc.PeerError(values[1])
	switch id := string(values[0]); {
	case e.Code == jsonrpc.CodeParse || e.Code == jsonrpc.CodeInvalidParams:
		return false
	case id == "" || id == "null" || id == `"server-error"`:
		return true
	default:
		return id == string(own) && e.Code <= -32000 && e.Code >= -32001 &&
			strings.Contains(strings.ToLower(e.Message), "session")
	}
}

// unreadable says why an answer is refused. The reason is a *jsonrpc.Error, which
// is not passed on as such: it is the server's fault and not the caller's.
type unreadable struct{ reason error }

func (u unreadable) Error() string { return "read the answer: " + u.reason.Error() }

// receive takes in one JSON text of a call's response: a message, or several in
// an array. It returns the response to the call if it is among them. The messages
// keep data's memory.
func (w *streamable) receive(x *exchange, data []byte) (*jsonrpc.Message, error) {
	messages, _, err := jsonrpc.ParseBatch(data)
	if err != nil {
		return nil, unreadable{err}
	}
	var answer *jsonrpc.Message
	for _, m := range messages {
		if m.Kind() != jsonrpc.Response {
			if err := w.during(x, m); err != nil {
				return nil, givenUp{err}
			}
		} else if x.answeredBy(m) {
			answer = m
		} else {
			w.s.options.Strays.Add(1)
			w.s.options.Log.Debug("answer to no call dropped", "id", printable(m.ID, 50))
		}
	}
	return answer, nil
}

// answeredBy reports whether a response on the call's own stream is the call's:
// it has its id, or is an error of a server that could not read the id.
func (x *exchange) answeredBy(m *jsonrpc.Message) bool {
	return bytes.Equal(m.ID, x.id) || m.Error != nil && string(m.ID) == "null"
}

// during hands over what came before the response.
func (w *streamable) during(x *exchange, m *jsonrpc.Message) error {
	switch {
	case w.s.answeredPing(m):
	case changeOfLists(m.Method):
		w.s.deliver(m)
	case m.Method == methodProgress && !bytes.Equal(m.Field(jsonrpc.ProgressToken), x.id):
		w.s.late(m)
	case x.Receive != nil:
		return x.Receive(m)
	default:
		w.s.refuse(m)
	}
	return nil
}

const (
	methodProgress = "notifications/progress"
	methodLog      = "notifications/message"
)

// changeOfLists reports whether a notification is about the server as a whole,
// whichever stream it comes on.
func changeOfLists(method string) bool {
	switch method {
	case "notifications/tools/list_changed", "notifications/prompts/list_changed",
		"notifications/resources/list_changed", "notifications/resources/updated":
		return true
	}
	return false
}

// parting is how long the end of a stream is waited for after the response. A
// stream read to its end leaves its connection for the next call.
const parting = 25 * time.Millisecond

// finish reads a stream to its end after the response. A server that does not end
// its streams is waited for once.
func (w *streamable) finish(body io.ReadCloser) {
	if w.slack.Load() {
		return
	}
	late := time.AfterFunc(parting, func() {
		w.slack.Store(true)
		body.Close()
	})
	defer late.Stop()
	_, _ = io.CopyN(io.Discard, body, 4<<10)
}
