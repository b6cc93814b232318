package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"mcphub/proxy/jsonrpc"
)

// StreamableHTTP reaches a server at one URL, as revision 2025-03-26 and later
// have it.
type StreamableHTTP struct {
	URL    string
	Header http.Header       // goes out with every request; may be nil
	HTTP   http.RoundTripper // nil: http.DefaultTransport
}

// The headers of the transport, in the form that http.Header keeps.
const (
	headerSession     = "Mcp-Session-Id"
	headerVersion     = "Mcp-Protocol-Version"
	headerLastEventID = "Last-Event-Id"
	typeJSON          = "application/json"
	typeEvents        = "text/event-stream"
)

// streamable is the wire to a server over Streamable HTTP. A call is one request
// on the caller's goroutine; the only goroutine of its own is the one that listens.
type streamable struct {
	s    *Session
	site *site

	// What goes out with each POST. Set during the handshake, on the goroutine of
	// Dial, and only read afterwards.
	header http.Header
	id     string // the server's id of the session; may be empty

	life  context.Context // ends with the session; the wire's requests live in it
	die   context.CancelFunc
	group sync.WaitGroup // the goroutine that listens
	once  sync.Once      // starts it
	heard chan struct{}  // closed by first when the server has answered it
	first sync.Once
	lost  atomic.Bool // the server does not know the session any more
	slack atomic.Bool // the server leaves streams open after the response
}

func (t StreamableHTTP) open(_ context.Context, s *Session) (wire, error) {
	site, err := newSite(t.URL, t.HTTP)
	if err != nil {
		return nil, err
	}
	w := &streamable{s: s, site: site, header: withHeaders(t.Header), heard: make(chan struct{})}
	w.header.Set("Content-Type", typeJSON)
	w.header.Set("Accept", typeJSON+", "+typeEvents)
	w.life, w.die = context.WithCancel(context.Background())
	return w, nil
}

// withHeaders returns a header of its own with what is configured.
func withHeaders(configured http.Header) http.Header {
	header := make(http.Header, len(configured)+4)
	for key, values := range configured {
		header[http.CanonicalHeaderKey(key)] = values
	}
	return header
}

func (w *streamable) start() {}

func (w *streamable) established(version string) string {
	header := w.header.Clone() // a request of the handshake may still be using the other
	header.Set(headerVersion, version)
	w.header = header
	return w.id
}

func (w *streamable) ended() { w.die() }

// exchange is one call under way.
type exchange struct {
	*Call
	ctx    context.Context // the caller's, ended by the session's end too
	caller context.Context
	id     []byte // in decimal: the request's id and progress token
}

func (w *streamable) call(caller context.Context, id int64, c *Call) (*jsonrpc.Message, error) {
	ctx, cancel := context.WithCancel(caller)
	defer cancel()
	defer context.AfterFunc(w.life, func() {
		if !w.lost.Load() { // else the server itself says of each call whether it was run
			cancel()
		}
	})()
	x := &exchange{Call: c, ctx: ctx, caller: caller, id: strconv.AppendInt(nil, id, 10)}

	resp, err := w.site.do(ctx, http.MethodPost, merged(w.header, c.Header), c.request(id))
	if err != nil {
		return nil, w.failed(x, err)
	}
	if c.Method == methodInitialize {
		w.opened(resp)
	}
	return w.answer(x, resp)
}

// merged returns what goes out with a call: what the transport and the
// configuration say, in base, cannot be overridden by it. Neither is changed.
func merged(base, call http.Header) http.Header {
	if len(call) == 0 {
		return base
	}
	header := make(http.Header, len(base)+len(call))
	maps.Copy(header, call)
	maps.Copy(header, base)
	return header
}

// opened takes the session's id from the answer to initialize.
func (w *streamable) opened(resp *http.Response) {
	if id := resp.Header.Get(headerSession); id != "" {
		w.id = id
		w.header = w.header.Clone()
		w.header.Set(headerSession, id)
	}
}

// failed returns what the caller is told of an error that ended its call.
func (w *streamable) failed(x *exchange, err error) error {
	unsent := errors.Is(err, ErrNotSent)
	switch {
	case x.caller.Err() != nil && unsent:
		return fmt.Errorf("%w: %w", ErrNotSent, context.Cause(x.caller))
	case x.caller.Err() != nil:
		return givenUp{context.Cause(x.caller)}
	case w.lost.Load():
		return err
	case w.life.Err() != nil && unsent:
		return w.s.over()
	case w.life.Err() != nil:
		return w.s.interrupted()
	default:
		return err
	}
}

// loseSession ends the session because the server does not know it any more, and
// returns the error that says so.
func (w *streamable) loseSession(why error) error {
	w.lost.Store(true)
	err := fmt.Errorf("%w: %w", ErrSessionLost, why)
	w.s.end(err)
	return err
}

// send posts a notification or a response.
func (w *streamable) send(ctx context.Context, message []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.life, cancel)()
	resp, err := w.site.do(ctx, http.MethodPost, w.header, message)
	if err != nil {
		if w.life.Err() != nil {
			return w.s.over()
		}
		return err
	}
	defer drain(resp.Body)
	if resp.StatusCode/100 != 2 {
		_, err = w.refusal(resp, nil)
	}
	return err
}

// reply posts an answer of the session's own, on the goroutine that reads: over
// HTTP it keeps nobody waiting but the stream that asked.
func (w *streamable) reply(message []byte) {
	ctx, cancel := context.WithTimeout(w.life, patience)
	defer cancel()
	if err := w.send(ctx, message); err != nil {
		w.s.options.Log.Debug("server's request not answered", "err", err)
	}
}

// close waits for the goroutine that listens and tells the server, if it still
// knows the session.
func (w *streamable) close() {
	w.once.Do(func() {}) // from now on, listen starts nothing
	w.group.Wait()
	if w.id == "" || w.lost.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := w.site.do(ctx, http.MethodDelete, w.header, nil)
	if err != nil {
		w.s.options.Log.Debug("server not told of the session's end", "err", err)
		return
	}
	drain(resp.Body)
}
