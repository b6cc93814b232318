package proxy

import (
	"sync"
	"sync/atomic"
	"testing"
)

// Errands begin while others are waited for, by others and by themselves; for the race
// detector.
func TestErrands(t *testing.T) {
	e := newErrands()
	var done atomic.Int32
	var beginners sync.WaitGroup
	for range 100 {
		beginners.Go(func() {
			e.Go(func() {
				done.Add(1)
				e.Go(func() { done.Add(1) })
			})
		})
		e.Wait()
	}
	beginners.Wait()
	e.Wait()
	want(t, "errands done", done.Load(), 200)
}
