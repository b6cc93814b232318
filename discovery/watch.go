package discovery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// patience is how long the first Desired waits for sources that have not yet
// said anything. A slow source must not keep the others' servers away.
const patience = 5 * time.Second

// Watch runs the sources until ctx ends and sends what they desire together:
// once when all have sent a list, or after five seconds, and again after every
// change. A receiver that is slow gets the newest Desired, not every one. What is
// wrong with one is logged. All that Watch started has ended when it returns.
func Watch(ctx context.Context, sources []Source, desired chan<- Desired, log *slog.Logger) error {
	var wg sync.WaitGroup
	news := make(chan newest)
	errs := make([]error, len(sources))
	for i, source := range sources {
		lists := make(chan List)
		wg.Go(func() {
			defer close(lists)
			errs[i] = source.Run(ctx, lists)
		})
		wg.Go(func() { relay(ctx, i, lists, news) })
	}
	unite(ctx, len(sources), news, desired, log)
	wg.Wait()
	return errors.Join(errs...)
}

// newest is the last list that a source sent.
type newest struct {
	source int
	list   List
}

// relay tells news which source a list is from, until lists is closed.
func relay(ctx context.Context, source int, lists <-chan List, news chan<- newest) {
	for list := range lists {
		select {
		case news <- newest{source, list}:
		case <-ctx.Done():
		}
	}
}

// unite keeps the newest list of each source, and sends what comes of them.
func unite(ctx context.Context, sources int, news <-chan newest, desired chan<- Desired, log *slog.Logger) {
	heard := map[int]List{}
	overdue := time.NewTimer(patience)
	defer overdue.Stop()
	var out chan<- Desired // nil while there is nothing new to send
	var next Desired
	var known told
	waiting := sources > 0
	if !waiting {
		out = desired
	}
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-news:
			heard[n.source] = n.list
			waiting = waiting && len(heard) < sources
		case <-overdue.C:
			if !waiting {
				continue
			}
			waiting = false
		case out <- next:
			out = nil
			continue
		}
		if !waiting {
			next, out = Merge(inOrder(heard, sources)...), desired
			known = known.tell(log, next)
		}
	}
}

// inOrder lists what was heard in the order of the sources, so that the same
// lists always merge to the same.
func inOrder(heard map[int]List, sources int) (lists []List) {
	for i := range sources {
		if list, ok := heard[i]; ok {
			lists = append(lists, list)
		}
	}
	return lists
}

// EnvironmentSource is the Source of what the environment declares, which
// never changes.
type EnvironmentSource struct{ List List }

// Run implements Source.
func (e EnvironmentSource) Run(ctx context.Context, lists chan<- List) error {
	select {
	case lists <- e.List:
		<-ctx.Done()
	case <-ctx.Done():
	}
	return nil
}
