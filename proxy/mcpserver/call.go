package mcpserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"mcphub/proxy/jsonrpc"
)

// Call is one request of a client that is being answered.
type Call struct {
	Session *Session
	Message *jsonrpc.Message // owned by the call, good until it is answered
	Header  http.Header      // of the HTTP request

	stream *stream // of this call, or of its batch
	done   bool    // it has its response, or gets none; guarded by the stream's mutex
	cancel context.CancelCauseFunc
}

// Send puts a notification on the call's stream, before the result. It reports
// false if the client reads too slowly or has its answer.
func (c *Call) Send(message []byte) bool { return c.stream.add(false, c, message) }

// sendNow is Send, but for a client that is there now.
func (c *Call) sendNow(message []byte) bool { return c.stream.add(true, c, message) }

// Prime gives the client an id to resume the call's stream by, and tells it when
// to connect again if wait is positive (2025-11-25/basic/transports, polling).
// Clients of earlier versions expect no such event: for them it does nothing.
func (c *Call) Prime(wait time.Duration) {
	if c.Session.State.ProtocolVersion >= LatestLegacy {
		c.stream.prime(wait)
	}
}

// Part closes the call's connection, after Prime: the client comes back for the
// rest of the stream while the call goes on. What it returns gets a value when that
// happens; nil where it does nothing.
func (c *Call) Part() (back <-chan struct{}) {
	if c.Session.State.ProtocolVersion < LatestLegacy {
		return nil
	}
	return c.stream.part()
}

// begin makes the call known by its id, so that it can be cancelled. What it
// returns ends with the call, not with ctx: a legacy client that loses its
// connection has not cancelled.
func (c *Call) begin(ctx context.Context) (context.Context, error) {
	ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := c.Session.register(c); err != nil {
		c.cancel(nil)
		return ctx, err
	}
	return ctx, nil
}

// run answers a call that has begun. The id is free again when it returns.
func (c *Call) run(ctx context.Context) (jsonrpc.Raw, error) {
	defer c.end()
	if c.Message.Method == "ping" {
		return jsonrpc.Raw("{}"), nil
	}
	return c.Session.peer.Call(ctx, c)
}

// end frees what begin took.
func (c *Call) end() {
	c.Session.unregister(c)
	c.cancel(nil)
}

// response returns what came of the call as a response in three parts. A cancelled
// one gets none (2025-11-25/basic/utilities/cancellation): head is nil.
func (c *Call) response(ctx context.Context, result jsonrpc.Raw, err error) (head, body, tail []byte) {
	switch {
	case errors.Is(context.Cause(ctx), errCancelled):
		return nil, nil, nil
	case err != nil:
		return jsonrpc.AppendError(nil, c.Message.ID, asError(err)), nil, nil
	default:
		return jsonrpc.AppendResultHead(make([]byte, 0, 64), c.Message.ID), result, []byte{jsonrpc.Tail}
	}
}

// maxResults bounds the bytes of large results that are being written, all together:
// a client may take its time to read one.
const maxResults = 128 << 20

// single is a call that came by itself.
type single struct {
	Call
	exchange exchange
}

// serve answers the request on the goroutine of its handler.
func (s *single) serve(w http.ResponseWriter, r *http.Request) {
	x := &s.exchange
	x.open(w, r, s.Session, s.Message.ID)
	defer x.leave()
	s.stream = x.stream
	ctx, err := s.begin(r.Context())
	var result jsonrpc.Raw
	if err == nil {
		result, err = s.run(ctx)
	}
	if size := len(result); size > firstPiece {
		results := &s.Session.server.results
		defer results.Add(-int64(size)) // when it is out
		if results.Add(int64(size)) > maxResults {
			result, err = nil, jsonrpc.Errorf(jsonrpc.CodeInternal, "the call was answered, but its result of %d bytes is dropped: too many large ones have not been read", size)
		}
	}
	head, body, tail := s.response(ctx, result, err)
	switch busy, isBusy := errors.AsType[*BusyError](err); {
	case head == nil:
		x.drop()
	case isBusy && x.idle():
		setRetryAfter(w, busy.RetryAfter)
		writeJSON(w, http.StatusServiceUnavailable, head, body, tail)
	default:
		x.finish(head, body, tail)
	}
}
