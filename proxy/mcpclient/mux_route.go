package mcpclient

import (
	"fmt"

	"mcphub/proxy/jsonrpc"
)

// dispatch routes one message, on the goroutine that reads.
func (x *mux) dispatch(m *jsonrpc.Message) {
	switch m.Kind() {
	case jsonrpc.Response:
		id, _ := number(m.ID)
		if !x.finish(id, outcome{answer: m}) {
			x.s.options.Strays.Add(1)
			x.s.options.Log.Debug("answer to no call dropped", "id", printable(m.ID, 50))
		}
	case jsonrpc.Request:
		if x.s.answeredPing(m) {
			return
		}
		if w := x.only(); w != nil {
			x.put(w, m)
		} else {
			x.s.deliver(m)
		}
	default:
		x.notification(m)
	}
}

func (x *mux) notification(m *jsonrpc.Message) {
	var w *waiting
	switch m.Method {
	case methodProgress:
		w = x.progressing(m)
		if w == nil {
			x.s.late(m)
			return
		}
		if w.Receive == nil {
			return
		}
	case methodLog:
		w = x.latest()
	}
	if w == nil {
		x.s.deliver(m)
		return
	}
	x.put(w, m)
}

// put gives m to a call. Where the call does not keep up, progress and logs are
// dropped, and for anything else the call fails.
func (x *mux) put(w *waiting, m *jsonrpc.Message) {
	size := int64(len(m.Params))
	if w.bytes.Add(size) <= MaxMessage {
		select {
		case w.inbox <- m:
			if !x.isPending(w) {
				x.leftover(w)
			}
			return
		default:
		}
	}
	w.bytes.Add(-size)
	if m.Kind() == jsonrpc.Notification {
		if x.dropped.Add(1) == 1 {
			x.s.options.Log.Warn("progress or logs dropped: a call does not keep up", "method", m.Method)
		}
		return
	}
	x.s.refuse(m)
	x.finish(w.id, outcome{err: givenUp{fmt.Errorf("the server sends more during the call than is taken: %s has no room", m.Method)}})
}

// isPending reports whether a call is in flight.
func (x *mux) isPending(w *waiting) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.pending[w.id] == w
}

// leftover hands the session the questions that a call has not taken which is over:
// they may have nothing to do with it. Both the call and whoever gives it something
// look for them, so that none is left.
func (x *mux) leftover(w *waiting) {
	for {
		select {
		case m := <-w.inbox:
			if m.Kind() == jsonrpc.Request {
				x.s.deliver(m)
			}
		default:
			return
		}
	}
}

// progressing returns the call whose token a progress notification has.
func (x *mux) progressing(m *jsonrpc.Message) *waiting {
	token, ok := number(m.Field(jsonrpc.ProgressToken))
	if !ok {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.pending[token]
}

// only returns the call in flight if there is exactly one and it takes messages. Pings
// do not count: nothing comes of them.
func (x *mux) only() *waiting {
	x.mu.Lock()
	defer x.mu.Unlock()
	var only *waiting
	for _, w := range x.pending {
		if w.Method == methodPing {
			continue
		}
		if only != nil {
			return nil
		}
		only = w
	}
	if only == nil || only.Receive == nil {
		return nil
	}
	return only
}

// latest returns the latest call in flight if all have one owner and it takes
// messages, pings apart.
func (x *mux) latest() *waiting {
	x.mu.Lock()
	defer x.mu.Unlock()
	var last *waiting
	for _, w := range x.pending {
		if w.Method == methodPing {
			continue
		}
		if last != nil && last.Owner != w.Owner {
			return nil
		}
		if last == nil || w.id > last.id {
			last = w
		}
	}
	if last == nil || last.Receive == nil {
		return nil
	}
	return last
}

// refused handles JSON that is not accepted as a message: a call it answers
// fails.
func (x *mux) refused(text []byte, err error) {
	x.s.complain("message refused", "err", err)
	for _, id := range answered(text) {
		x.finish(id, outcome{err: unreadable{err}})
	}
}

// skipped handles a message longer than MaxMessage: a call it answers fails.
func (x *mux) skipped(e *excerpt) {
	x.s.complain("message skipped", "err", errLong)
	for _, id := range e.ids() {
		x.finish(id, outcome{err: fmt.Errorf("read the answer: %w", errLong)})
	}
}
