package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mcphub/proxy/jsonrpc"
)

func (w *sse) call(ctx context.Context, id int64, c *Call) (*jsonrpc.Message, error) {
	waiting, err := w.add(id, c)
	if err != nil {
		return nil, err
	}
	waiting.state.Store(writing) // as good as: post tells better
	posted := make(chan error, 1)
	posting, stop := context.WithCancel(w.life)
	header, body := merged(*w.header.Load(), c.Header), c.request(id)
	post := func() {
		defer stop()
		posted <- w.during(w.post(posting, header, body))
	}
	if !w.spawn(post) {
		stop()
		w.take(id)
		return nil, w.s.over()
	}
	m, err := w.wait(ctx, waiting, posted)
	if err != nil {
		stop()
	} else {
		time.AfterFunc(patience, stop) // the answer to the POST may come after the response
	}
	return m, err
}

// during returns what a call is told whose POST failed.
func (w *sse) during(err error) error {
	switch {
	case err == nil || w.life.Err() == nil || errors.Is(err, ErrSessionLost):
		return err
	case errors.Is(err, ErrNotSent):
		return w.s.over()
	default:
		return w.s.interrupted()
	}
}

// post delivers one message.
func (w *sse) post(ctx context.Context, header http.Header, message []byte) error {
	resp, err := w.inbox.do(ctx, http.MethodPost, header, message)
	if err != nil {
		return err
	}
	defer drain(resp.Body)
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode == http.StatusNotFound:
		err := fmt.Errorf("%w: %w", ErrSessionLost, statusError(resp))
		w.s.end(err)
		return err
	default:
		return statusError(resp)
	}
}

func (w *sse) send(ctx context.Context, message []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.life, cancel)()
	err := w.post(ctx, *w.header.Load(), message)
	if err != nil && w.life.Err() != nil && !errors.Is(err, ErrSessionLost) {
		return w.s.over()
	}
	return err
}

// reply implements wire: the goroutine that reads does not wait for the POST.
func (w *sse) reply(message []byte) {
	select {
	case w.replies <- struct{}{}:
	default:
		w.s.complain("server's request not answered: too many at a time")
		return
	}
	w.spawn(func() {
		defer func() { <-w.replies }()
		ctx, cancel := context.WithTimeout(w.life, patience)
		defer cancel()
		if err := w.send(ctx, message); err != nil {
			w.s.options.Log.Debug("server's request not answered", "err", err)
		}
	})
}
