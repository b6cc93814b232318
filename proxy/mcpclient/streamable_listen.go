package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"mcphub/proxy/jsonrpc"
)

// listen keeps the stream open that the server may send on when no call is under
// way.
func (w *streamable) listen() <-chan struct{} {
	w.once.Do(func() {
		if w.life.Err() == nil {
			w.group.Go(w.keepListening)
		}
	})
	return w.heard
}

// listenHeader returns what goes out with a GET.
func (w *streamable) listenHeader(lastID string) http.Header {
	header := w.header.Clone()
	header.Del("Content-Type")
	header.Set("Accept", typeEvents)
	if lastID != "" {
		header.Set(headerLastEventID, lastID)
	}
	return header
}

// keepListening opens the stream again and again until the session ends or the
// server turns out to offer none.
func (w *streamable) keepListening() {
	var at streamEnd
	for tries := 0; ; tries++ {
		before := at.lastID
		wait, err := w.listenOnce(&at)
		if err != nil || w.life.Err() != nil {
			if w.life.Err() == nil {
				w.s.options.Log.Debug("the server offers no stream to listen on", "err", err)
			}
			return
		}
		if at.reached && (time.Since(at.asked) >= settled || at.lastID != before) {
			tries = 0
		}
		if sleep(w.life, max(wait, at.wait(tries)), nil) != nil {
			return
		}
	}
}

// listenOnce opens the stream and reads it to its end. An error says that there
// is no use in trying again; wait is what the server asks for.
func (w *streamable) listenOnce(at *streamEnd) (wait time.Duration, err error) {
	at.reached, at.asked = false, time.Now()
	resp, err := w.site.do(w.life, http.MethodGet, w.listenHeader(at.lastID), nil)
	w.first.Do(func() { close(w.heard) })
	if err != nil {
		if !errors.Is(err, ErrNotSent) && !errors.Is(err, ErrOutcomeUnknown) {
			return 0, err // a redirect that is refused
		}
		w.unreachable(err)
		return 0, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return w.notListening(at, resp)
	}
	if _, err := contentType(resp, typeEvents); err != nil {
		return 0, fmt.Errorf("read the answer to GET: %w", err)
	}
	at.reached = true
	r := newEventReader(resp.Body)
	defer r.release()
	r.lastID, r.retry = at.lastID, at.retry
	if err := w.listenTo(r); err != io.EOF {
		w.unreachable(err)
	}
	at.note(r)
	return 0, nil
}

// unreachable reports a connection error to who wants to know.
func (w *streamable) unreachable(err error) {
	if w.life.Err() != nil {
		return
	}
	w.s.options.Log.Debug("listening interrupted", "err", err)
	if w.s.options.Unreachable != nil {
		w.s.options.Unreachable(err)
	}
}

// listenTo delivers what comes on the stream until it ends.
func (w *streamable) listenTo(r *eventReader) error {
	for {
		e, err := r.next()
		if err != nil {
			return err
		}
		if e.long {
			w.s.complain("message skipped", "err", errLong)
			continue
		}
		if e.name != "message" {
			continue
		}
		messages, _, err := jsonrpc.ParseBatch(r.lines.own(e.data))
		if err != nil {
			w.s.complain("event skipped that is no message", "err", err)
			continue
		}
		r.heard = true
		for _, m := range messages {
			w.s.deliver(m)
		}
	}
}

// notListening returns what an answer to GET without a stream means; see
// listenOnce.
func (w *streamable) notListening(at *streamEnd, resp *http.Response) (time.Duration, error) {
	status := statusError(resp)
	switch status.Code {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusNotAcceptable:
		return 0, status
	case http.StatusNotFound, http.StatusBadRequest:
		// Either the session is unknown, or there is nothing at this URL for GET, or
		// the last event is unknown. A POST tells the first from the others.
		at.lastID = ""
		if !w.known() || status.Code == http.StatusNotFound {
			return 0, status
		}
	}
	return status.RetryAfter, nil
}

// known asks the server whether it still knows the session. If it says no, the
// session has ended on return.
func (w *streamable) known() bool {
	ctx, cancel := context.WithTimeout(w.life, maxDelay)
	defer cancel()
	_, err := w.s.Call(ctx, &Call{Method: methodPing})
	return !errors.Is(err, ErrSessionLost) && w.life.Err() == nil
}
