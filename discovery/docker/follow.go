package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"
)

const (
	quiet      = time.Second     // after which an event is not one of a bunch
	openWithin = 2 * time.Second // podman says nothing on a stream before the first event
)

// follow connects to the engine and keeps the list right, until something fails. It
// reports whether a list was got.
func (s *Source) follow(ctx context.Context) (listed bool, err error) {
	e, err := connect(ctx, s.options.Host, s.version, s.dial)
	if err != nil {
		return false, mend(err, s.host())
	}
	defer e.close()
	ctx, cancel := context.WithCancel(ctx)
	opened, ended := make(chan struct{}), make(chan error, 1)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		ended <- s.listen(ctx, e, opened)
	}()
	defer func() { cancel(); <-closed }()

	// Watch first and list second: a container that starts in between is seen twice,
	// never missed.
	patience := time.NewTimer(openWithin)
	defer patience.Stop()
	select {
	case <-opened:
	case <-patience.C:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	for early := false; ; {
		wake, err := s.list(ctx, e)
		if err != nil {
			return listed, err
		}
		listed = true
		if len(ended) == 0 {
			s.recovered(e.agreed)
		}
		if early, err = s.await(ctx, ended, wake, early); err != nil {
			return listed, err
		}
	}
}

// await returns when it is time to list again: at once if an event comes after quiet,
// which is early; in a bunch of events, when there is a pause, or it has lasted long
// enough; and in any case after a while, as events can be lost. After an early list
// there is another one, as engines tell of some changes before their lists show them.
func (s *Source) await(ctx context.Context, ended <-chan error, wake time.Time, again bool) (early bool, err error) {
	due := s.options.Resync
	if !wake.IsZero() {
		due = min(due, max(time.Until(wake), 0))
	}
	resync := time.NewTimer(due)
	defer resync.Stop()
	var settled, limit <-chan time.Time // nil while there is no reason to list
	if again {
		settled, limit = time.After(s.options.Debounce), time.After(s.options.DebounceMax)
	}
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case err := <-ended:
			return false, err
		case <-resync.C:
			return false, nil
		case <-limit:
			return false, nil
		case <-settled:
			return false, nil
		case <-s.later:
		case <-s.flag:
			calm := time.Since(s.lastEvent) >= quiet
			s.lastEvent = time.Now()
			if calm {
				return true, nil
			}
		}
		settled = time.After(s.options.Debounce)
		if limit == nil {
			limit = time.After(s.options.DebounceMax)
		}
	}
}

// listen reads events until the stream ends. A reader that is slow would lose events,
// and slow the engine down for everybody: so each is done with in no time.
func (s *Source) listen(ctx context.Context, e *engine, opened chan<- struct{}) error {
	since := s.newest
	if since.IsZero() && !e.started.IsZero() {
		since = e.started.Add(-time.Second)
	}
	before := s.newest.UnixNano()
	if s.newest.IsZero() {
		before = 0
	}
	stream := e.events(ctx, since)
	close(opened)
	var err error
	for open := true; open; {
		select {
		case m := <-stream.Messages:
			s.hear(m, m.TimeNano <= before)
			if at := time.Unix(0, m.TimeNano); m.TimeNano > 0 && at.After(s.newest) {
				s.newest = at
			}
		case err = <-stream.Err:
			open = false
		}
	}
	for range stream.Err {
		// The library's goroutine has ended when it is closed.
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.newest = time.Time{} // what could not be read must not be asked for again
	}
	return fmt.Errorf("events: %w", err)
}

// hear takes one event. One that was heard before only says that it is time to list.
func (s *Source) hear(m events.Message, again bool) {
	if m.Type == events.NetworkEventType {
		raise(s.later)
		return
	}
	signal := m.Actor.Attributes["signal"]
	switch {
	case again:
	case m.Action == events.ActionDie, m.Action == events.ActionDestroy, m.Action == events.ActionKill && (signal == "9" || signal == "SIGKILL"):
		s.lives.end(m.Actor.ID)
	case m.Action == events.ActionKill && (signal == "15" || signal == "SIGTERM"):
		s.lives.tell(m.Actor.ID)
	}
	if s.mayDeclare(m.Actor.Attributes) {
		raise(s.flag)
	} else {
		raise(s.later)
	}
}

// mayDeclare reports whether a container declares servers to this hub, for all that its
// labels say; they are among the attributes of its events. What other containers do can
// matter as well, as a server may use the network of one. But it must not make a bunch
// of events of the start of a server: on a busy engine something always happens.
func (s *Source) mayDeclare(labels map[string]string) bool {
	for label := range s.filters["label"] {
		key, value, exact := strings.Cut(label, "=")
		if got, set := labels[key]; !set || exact && got != value {
			return false
		}
	}
	for key := range labels {
		if _, ours := cutPrefixFold(key, s.options.LabelPrefix+"."); ours {
			return true
		}
	}
	return false
}

// raise raises a flag, if it is not up already.
func raise(flag chan<- struct{}) {
	select {
	case flag <- struct{}{}:
	default:
	}
}
