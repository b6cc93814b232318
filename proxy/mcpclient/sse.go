package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"mcphub/proxy/jsonrpc"
)

// SSE reaches a server over HTTP+SSE, the transport of 2024-11-05: one stream for
// everything that it sends, and a second URL for everything that it gets.
type SSE struct {
	URL    string
	Header http.Header       // goes out with every request; may be nil
	HTTP   http.RoundTripper // nil: http.DefaultTransport
}

// maxReplies bounds the answers of the session's own that are on their way.
const maxReplies = 8

// sse is the wire to a server over HTTP+SSE. The session lives as long as the
// stream. One goroutine reads it; each call's POST has one, for a server may
// answer the POST only after it has asked a question that the caller is to answer.
type sse struct {
	*mux
	stream  *http.Response
	events  *eventReader                // of the reading goroutine, from start on
	inbox   *site                       // where messages are posted
	header  atomic.Pointer[http.Header] // goes out with each POST; what it points to is only read
	replies chan struct{}

	life  context.Context // ends with the session
	die   context.CancelFunc
	group sync.WaitGroup // the reader and the POSTs
	mu    sync.Mutex     // leaf; keeps group.Go and group.Wait apart
	shut  bool
}

func (t SSE) open(ctx context.Context, s *Session) (_ wire, err error) {
	w := &sse{mux: newMux(s), replies: make(chan struct{}, maxReplies)}
	header := withHeaders(t.Header)
	header.Set("Content-Type", typeJSON)
	header.Set("Accept", typeJSON)
	w.header.Store(&header)
	w.life, w.die = context.WithCancel(context.Background())
	defer context.AfterFunc(ctx, w.die)()
	if err = w.connect(t); err == nil {
		if err = w.findInbox(t); err == nil && ctx.Err() == nil {
			return w, nil
		}
		w.events.release()
		w.stream.Body.Close()
	}
	w.die()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return nil, err
}

// connect opens the stream.
func (w *sse) connect(t SSE) error {
	from, err := newSite(t.URL, t.HTTP)
	if err != nil {
		return err
	}
	w.inbox = from
	header := withHeaders(t.Header)
	header.Set("Accept", typeEvents)
	resp, err := from.do(w.life, http.MethodGet, header, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return fmt.Errorf("open the stream: %w", statusError(resp))
	}
	if _, err := contentType(resp, typeEvents); err != nil {
		resp.Body.Close()
		return fmt.Errorf("open the stream: read the answer: %w", err)
	}
	w.stream, w.events = resp, newEventReader(resp.Body)
	return nil
}

// findInbox waits for the event that says where messages are to be posted, which
// must be at the server itself.
func (w *sse) findInbox(t SSE) error {
	at := w.inbox.url.Load()
	for {
		e, err := w.events.next()
		if err != nil {
			return fmt.Errorf("wait for the endpoint event: %w", noEOF(err))
		}
		if e.name != "endpoint" || e.long {
			continue
		}
		to, err := at.Parse(string(e.data))
		if err != nil {
			return fmt.Errorf("read the endpoint event: %w", err)
		}
		if origin(at) != origin(to) {
			return fmt.Errorf("%s wants messages at another origin, %s: refused", place(at), place(to))
		}
		w.inbox, err = newSite(to.String(), t.HTTP)
		return err
	}
}

// noEOF gives the end of a stream a name that people understand.
func noEOF(err error) error {
	if err == io.EOF {
		return errors.New("the server ended the stream")
	}
	return err
}

func (w *sse) start() { w.spawn(w.read) }

// spawn runs f on a goroutine that close waits for. After close it does not.
func (w *sse) spawn(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.shut {
		w.group.Go(f)
	}
	return !w.shut
}

func (w *sse) established(version string) string {
	header := w.header.Load().Clone() // an answer to a ping may be on its way with the other
	header.Set(headerVersion, version)
	w.header.Store(&header)
	return ""
}

func (w *sse) listen() <-chan struct{} { return listening }

func (w *sse) ended() { w.die() }

func (w *sse) close() {
	w.mu.Lock()
	w.shut = true
	w.mu.Unlock()
	w.group.Wait()
}

// read dispatches what comes on the stream. Its end is the session's.
func (w *sse) read() {
	defer w.events.release()
	defer w.stream.Body.Close()
	reason := fmt.Errorf("the stream broke off: %w", noEOF(w.readEvents()))
	if err := w.s.Err(); err != nil {
		reason = err
	}
	w.mux.end(reason)
	w.s.end(reason)
}

func (w *sse) readEvents() error {
	for {
		e, err := w.events.next()
		if err != nil {
			return err
		}
		if e.long {
			w.skipped(&w.events.skipped)
			continue
		}
		if e.name != "message" {
			continue
		}
		data := w.events.lines.own(e.data)
		messages, _, err := jsonrpc.ParseBatch(data)
		if err != nil {
			w.refused(data, err)
			continue
		}
		for _, m := range messages {
			w.dispatch(m)
		}
	}
}
