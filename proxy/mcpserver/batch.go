package mcpserver

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"sync"

	"mcphub/proxy/jsonrpc"
)

const (
	batchVersion = "2025-03-26" // the only one that has batches
	maxAtOnce    = 16           // calls of one batch that run at a time
	maxBatchIDs  = 16 << 10     // bytes of the ids in one batch, which the ids of its events carry
)

var errPanicked = errors.New("the hub failed on this call; its log says where")

// batch is an array of messages that came in one POST
// (https://modelcontextprotocol.io/specification/2025-03-26/basic/transports). Its
// calls share one stream, on which each has its response. As long as nothing but
// responses has come, they wait to be one array instead.
type batch struct {
	exchange
	session  *Session
	draining bool // no calls are taken

	// Guarded by the stream's mutex:
	unanswered []*Call    // those whose response is not on the stream
	held       []answered // responses that wait
	size       int        // bytes of held
	room       sync.Cond
}

// answered is the response to a call of a batch.
type answered struct {
	call     *Call
	response []byte
}

// postBatch answers a POST whose body is an array.
func (s *Server) postBatch(w http.ResponseWriter, r *http.Request, endpoint string, body []byte) {
	session, err := s.enterForBatch(r, endpoint)
	if err != nil {
		fail(w, nil, err)
		return
	}
	defer session.leave()
	elements, err := readBatch(body)
	if err != nil {
		fail(w, nil, err)
		return
	}
	b := batch{session: session, draining: s.draining.Load()}
	b.open(w, r, session, noIDs)
	defer b.leave()
	b.stream.batch, b.room.L = &b, &b.stream.mu
	switch calls := b.take(r, elements); {
	case len(calls) == 0 && b.idle():
		w.WriteHeader(http.StatusAccepted)
	case b.draining && b.idle():
		fail(w, nil, errDraining)
	default:
		runAll(calls)
		b.conclude()
	}
}

// enterForBatch is enter for a batch: initialize is none of its messages, so there
// is a session.
func (s *Server) enterForBatch(r *http.Request, endpoint string) (*Session, error) {
	if version := r.Header.Get(headerVersion); version >= ModernVersion {
		return nil, unsupported(version)
	}
	if r.Header.Get(headerSession) == "" {
		return nil, refuse(http.StatusBadRequest, jsonrpc.CodeInvalidRequest,
			"Mcp-Session-Id is missing: a batch needs a session of protocol version %s; call initialize first, by itself", batchVersion)
	}
	session, err := s.enter(r, endpoint)
	if err != nil {
		return nil, err
	}
	if version := session.State.ProtocolVersion; version != batchVersion {
		session.leave()
		return nil, refuse(http.StatusBadRequest, jsonrpc.CodeInvalidRequest,
			"batches are of protocol version %s alone, and this session is of %s: send each message by itself", batchVersion, version)
	}
	return session, nil
}

func readBatch(body []byte) ([]jsonrpc.Element, error) {
	elements, err := jsonrpc.Batch(body)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, asError(err)}
	}
	ids := 0
	for _, e := range elements {
		ids += len(e.Message.ID)
	}
	if ids > maxBatchIDs {
		return nil, refuse(http.StatusBadRequest, jsonrpc.CodeInvalidRequest, "the ids in a batch are together at most %d bytes long", maxBatchIDs)
	}
	return elements, nil
}

// take handles, in their order, the messages that get no response. It returns what
// answers the others; all these calls have begun, so that each can be cancelled and
// their ids be compared.
func (b *batch) take(r *http.Request, elements []jsonrpc.Element) (calls []func()) {
	for _, e := range elements {
		m, err := e.Message, e.Err
		if version, ok := m.Text(jsonrpc.MetaVersion); ok {
			err = unsupported(version)
		}
		if err == nil && b.session.hear(r.Context(), m) {
			continue
		}
		c := &Call{Session: b.session, Message: m, Header: r.Header, stream: b.stream}
		ctx, err := b.begin(r.Context(), c, err)
		calls = append(calls, func() { b.answer(ctx, c, err) })
	}
	return calls
}

// begin is Call.begin for a call of the batch. One that fails, as it must if err is
// not nil, is to be answered with the error.
func (b *batch) begin(ctx context.Context, c *Call, err error) (context.Context, error) {
	b.stream.mu.Lock()
	b.unanswered = append(b.unanswered, c)
	b.stream.mu.Unlock()
	switch {
	case err != nil:
		return ctx, err
	case b.draining:
		return ctx, errDraining
	case c.Message.Method == "initialize":
		return ctx, jsonrpc.Errorf(jsonrpc.CodeInvalidRequest, "initialize must not be part of a batch")
	}
	return c.begin(ctx)
}

// runAll calls all the functions, some at a time, and waits for them.
func runAll(functions []func()) {
	queue := make(chan func(), len(functions))
	for _, f := range functions {
		queue <- f
	}
	close(queue)
	var group sync.WaitGroup
	for range min(len(functions), maxAtOnce) {
		group.Go(func() {
			for f := range queue {
				f()
			}
		})
	}
	group.Wait()
}

// answer answers a call of the batch, with err if that is not nil.
func (b *batch) answer(ctx context.Context, c *Call, err error) {
	var result jsonrpc.Raw
	if err == nil {
		result, err = b.run(ctx, c)
	}
	b.respond(c, join(c.response(ctx, result, err)))
}

// run is Call.run for a call of the batch, which may have waited for its turn. A
// panic is the call's alone, as where a handler of net/http runs it.
func (b *batch) run(ctx context.Context, c *Call) (result jsonrpc.Raw, err error) {
	defer func() {
		if p := recover(); p != nil {
			b.session.server.options.Log.Error("call panicked", "method", c.Message.Method, "panic", p, "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	if err := b.awaitRoom(); err != nil {
		c.end()
		return nil, err
	}
	if ctx.Err() != nil {
		c.end()
		return nil, context.Cause(ctx)
	}
	return c.run(ctx)
}
