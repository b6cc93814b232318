package mcpclient

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"mcphub/proxy/jsonrpc"
)

// resumeTries is how often in a row a call's stream is asked for in vain before
// the call is given up.
const resumeTries = 5

// stream reads an answer that is a stream of events, and takes it up again where
// it breaks off, as long as the server numbers its events.
func (w *streamable) stream(x *exchange, resp *http.Response) (*jsonrpc.Message, error) {
	at, r := streamEnd{asked: time.Now()}, newEventReader(resp.Body)
	if x.Primed != nil {
		r.primed = func() { x.Primed(r.retry) }
	}
	m, cut := w.readStream(x, r, resp.Body)
	at.note(r)
	r.release()
	for tries := 0; m == nil; tries++ {
		if c, ok := errors.AsType[cutOff](cut); !ok || at.lastID == "" || tries == resumeTries {
			if ok {
				cut = outcomeUnknown(c.cause)
			}
			return nil, w.failed(x, cut)
		}
		var back <-chan struct{}
		if x.Parted != nil && (tries == 0 || at.reached) {
			back = x.Parted(at.wish())
		}
		if err := sleep(x.ctx, at.wait(tries), back); err != nil {
			return nil, w.failed(x, err)
		}
		before := at
		if m, cut = w.resume(x, &at); at.lastID != before.lastID || at.polls && at.reached {
			tries = -1 // it goes on: a server may close a stream at will and be asked again
		}
	}
	return m, nil
}

// outcomeUnknown says that a call went out and why its answer is not known. Of the
// reason only the text remains: what it says of the last attempt to get the
// answer, ErrNotSent for one, does not hold for the call.
func outcomeUnknown(reason error) error {
	if errors.Is(reason, ErrOutcomeUnknown) {
		return reason
	}
	return fmt.Errorf("%w: %v", ErrOutcomeUnknown, reason)
}

// cutOff says that a stream ended before the response.
type cutOff struct{ cause error }

func (c cutOff) Error() string { return c.cause.Error() }

// readStream reads events up to the response. Its error is a cutOff if the stream
// ended before.
func (w *streamable) readStream(x *exchange, r *eventReader, body io.ReadCloser) (*jsonrpc.Message, error) {
	for {
		e, err := r.next()
		switch {
		case err == io.EOF:
			return nil, cutOff{errors.New("the server ended the stream before the response")}
		case err != nil:
			return nil, cutOff{err}
		case e.long:
			return nil, fmt.Errorf("read the answer: %w", errLong)
		case e.name != "message":
			continue
		}
		m, err := w.receiveEvent(x, r, r.lines.own(e.data))
		if err != nil {
			return nil, err
		}
		if m != nil {
			w.finish(body)
			return m, nil
		}
	}
}

// receiveEvent takes in one event's data. Data that are no message are skipped,
// but for an unacceptable response to the call itself.
func (w *streamable) receiveEvent(x *exchange, r *eventReader, data []byte) (*jsonrpc.Message, error) {
	m, err := w.receive(x, data)
	if bad, ok := errors.AsType[unreadable](err); ok {
		if own, _ := number(x.id); slices.Contains(answered(data), own) {
			return nil, err
		}
		w.s.complain("event skipped that is no message", "err", bad.reason)
		return nil, nil
	}
	r.heard = true
	return m, err
}

// resume asks for the rest of a call's stream and reads it.
func (w *streamable) resume(x *exchange, at *streamEnd) (*jsonrpc.Message, error) {
	at.reached, at.asked = false, time.Now()
	resp, err := w.site.do(x.ctx, http.MethodGet, w.listenHeader(at.lastID), nil)
	if err != nil {
		return nil, cutOff{err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || mediaType(resp) != typeEvents {
		return nil, w.notResumed(resp)
	}
	r := newEventReader(resp.Body)
	defer r.release()
	r.lastID, r.retry, r.retried = at.lastID, at.retry, at.polls
	m, err := w.readStream(x, r, resp.Body)
	at.note(r)
	at.reached = true
	return m, err
}

// notResumed returns what an answer that is no stream means for the call: a
// cutOff where it is worth trying again.
func (w *streamable) notResumed(resp *http.Response) error {
	_, err := w.refusal(resp, nil)
	err = outcomeUnknown(fmt.Errorf("resume the stream: %w", err))
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusConflict || resp.StatusCode == http.StatusTooManyRequests {
		return cutOff{err}
	}
	return err
}
