package mcpserver

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"mcphub/proxy/jsonrpc"
)

// Call is one request of a client that is being answered.
type Call struct {
	Session *Session
	Message *jsonrpc.Message // owned by the call, good until it is answered
	Header  http.Header      // of the HTTP request

	stream *stream
	cancel context.CancelCauseFunc
}

// Send puts a notification on the call's stream, before the result. It reports
// false if the client reads too slowly or the call has been answered.
func (c *Call) Send(message []byte) bool { return c.stream.push(message) }

// serve answers the request on the goroutine of its handler.
func (c *Call) serve(w http.ResponseWriter, r *http.Request) {
	// A legacy client that loses its connection has not cancelled its call.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer cancel(nil)
	c.cancel = cancel
	active := &c.Session.server.active
	active.Add(1)
	defer active.Add(-1)
	c.stream = newStream(w, c.Session.server.options.Heartbeat)
	if err := c.Session.register(c); err != nil {
		c.finish(ctx, nil, err)
		return
	}
	defer c.Session.unregister(c)
	result, err := c.Session.peer.Call(ctx, c)
	c.finish(ctx, result, err)
}

// finish writes what came of the call. A cancelled one gets no response
// (2025-11-25/basic/utilities/cancellation).
func (c *Call) finish(ctx context.Context, result jsonrpc.Raw, err error) {
	switch busy, isBusy := errors.AsType[*BusyError](err); {
	case err == nil:
		head := make([]byte, 0, 64)
		c.stream.finish(jsonrpc.AppendResultHead(head, c.Message.ID), result, []byte{jsonrpc.Tail})
	case errors.Is(context.Cause(ctx), errCancelled):
		c.stream.drop()
	case isBusy:
		c.refuse(busy)
	default:
		c.stream.finish(jsonrpc.AppendError(nil, c.Message.ID, asError(err)), nil, nil)
	}
}

// refuse answers 503, or with an error if the answer has begun already.
func (c *Call) refuse(busy *BusyError) {
	c.stream.close()
	message := jsonrpc.AppendError(nil, c.Message.ID, jsonrpc.Errorf(jsonrpc.CodeInternal, "%s", busy.Reason))
	if c.stream.started {
		c.stream.write(frame(message))
		return
	}
	setRetryAfter(c.stream.w, busy.RetryAfter)
	writeJSON(c.stream.w, c.stream.rc, http.StatusServiceUnavailable, message, nil, nil)
}

// asError returns err as what a client is told.
func asError(err error) *jsonrpc.Error {
	if e, ok := errors.AsType[*jsonrpc.Error](err); ok {
		return e
	}
	return jsonrpc.Errorf(jsonrpc.CodeInternal, "%v", err)
}

func setRetryAfter(w http.ResponseWriter, d time.Duration) {
	seconds := max(1, int(math.Ceil(d.Seconds())))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
}

// bigBody is from where on an answer gets its length and a deadline; below, it
// fits into net/http's buffer and the socket's.
const bigBody = 2048

// writeJSON writes an HTTP answer whose body is head, body and tail.
func writeJSON(w http.ResponseWriter, rc *http.ResponseController, status int, head, body, tail []byte) {
	h := w.Header()
	h["Content-Type"] = contentJSON
	size := len(head) + len(body) + len(tail)
	if size < bigBody {
		w.WriteHeader(status)
		_, _ = w.Write(append(append(head, body...), tail...)) // a client that is gone needs no answer
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(size)}
	_ = rc.SetWriteDeadline(time.Now().Add(writeTimeout + time.Duration(size)*time.Microsecond)) // not supported: none
	defer func() { _ = rc.SetWriteDeadline(time.Time{}) }()
	w.WriteHeader(status)
	for _, part := range [][]byte{head, body, tail} {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}
