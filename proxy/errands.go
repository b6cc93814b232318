package proxy

import "sync"

// errands are what goes on when nobody waits for it any more: goodbyes to servers,
// mostly. They may begin at any time, while the hub ends too, where a WaitGroup allows no
// first one beside a Wait: a client may leave in the very moment in which the hub does.
type errands struct {
	mu      sync.Mutex // leaf: guards what follows
	running int
	none    *sync.Cond // running is 0; its lock is mu
}

func newErrands() *errands {
	e := new(errands)
	e.none = sync.NewCond(&e.mu)
	return e
}

// Go runs f on a goroutine of its own, which Wait waits for. It does not block.
func (e *errands) Go(f func()) {
	e.mu.Lock()
	e.running++
	e.mu.Unlock()
	go func() {
		defer e.done()
		f()
	}()
}

func (e *errands) done() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running--; e.running == 0 {
		e.none.Broadcast()
	}
}

// Wait returns when there is none. What begins later is not waited for.
func (e *errands) Wait() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.running > 0 {
		e.none.Wait()
	}
}
