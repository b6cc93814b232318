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

	stream stream
	conn   connection
	cancel context.CancelCauseFunc
}

// Send puts a notification on the call's stream, before the result. It reports
// false if the client reads too slowly or has its answer.
func (c *Call) Send(message []byte) bool { return c.stream.push(message) }

// Prime gives the client an id to resume the call's stream by, and tells it when
// to connect again if wait is positive (2025-11-25/basic/transports, polling).
// Clients of earlier versions expect no such event: for them it does nothing.
func (c *Call) Prime(wait time.Duration) {
	if c.Session.State.ProtocolVersion >= LatestLegacy {
		c.stream.prime(wait)
	}
}

// Part closes the call's connection, after Prime: the client comes back for the
// rest of the stream while the call goes on.
func (c *Call) Part() {
	if c.Session.State.ProtocolVersion >= LatestLegacy {
		c.stream.part()
	}
}

// serve answers the request on the goroutine of its handler.
func (c *Call) serve(w http.ResponseWriter, r *http.Request) {
	// A legacy client that loses its connection has not cancelled its call.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer cancel(nil)
	c.cancel = cancel
	c.conn = newConnection(w, r, c.Session.server.options.Heartbeat)
	c.stream.session, c.stream.request, c.stream.conn = c.Session, c.Message.ID, &c.conn
	c.stream.beatOn(&c.conn)
	defer c.stream.close(&c.conn)
	result, err := c.run(ctx)
	c.finish(ctx, result, err)
}

// run has the peer answer. The id is free again when the client has the answer.
func (c *Call) run(ctx context.Context) (jsonrpc.Raw, error) {
	if err := c.Session.register(c); err != nil {
		return nil, err
	}
	defer c.Session.unregister(c)
	return c.Session.peer.Call(ctx, c)
}

// finish writes what came of the call. A cancelled one gets no response
// (2025-11-25/basic/utilities/cancellation).
func (c *Call) finish(ctx context.Context, result jsonrpc.Raw, err error) {
	switch busy, isBusy := errors.AsType[*BusyError](err); {
	case errors.Is(context.Cause(ctx), errCancelled):
		c.stream.drop(&c.conn)
	case err == nil:
		head := make([]byte, 0, 64)
		c.stream.finish(&c.conn, jsonrpc.AppendResultHead(head, c.Message.ID), result, []byte{jsonrpc.Tail})
	case isBusy:
		c.refuse(busy)
	default:
		c.stream.finish(&c.conn, jsonrpc.AppendError(nil, c.Message.ID, asError(err)), nil, nil)
	}
}

// refuse answers 503, or with an error if the answer has begun already.
func (c *Call) refuse(busy *BusyError) {
	message := jsonrpc.AppendError(nil, c.Message.ID, asError(busy))
	if !c.stream.idle(&c.conn) {
		c.stream.finish(&c.conn, message, nil, nil)
		return
	}
	c.stream.close(&c.conn)
	setRetryAfter(c.conn.w, busy.RetryAfter)
	writeJSON(c.conn.w, c.conn.rc, http.StatusServiceUnavailable, message, nil, nil)
}
