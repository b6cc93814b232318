package proxy

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// base is what a hub costs.
type base struct {
	goroutines int
	heap       uint64
}

func (y *yard) measure() base {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return base{runtime.NumGoroutine(), m.HeapAlloc}
}

// grown fails the test if more of the heap is in use than before and so many bytes.
func (y *yard) grown(before base, most uint64) {
	y.t.Helper()
	now := y.measure()
	for limit := time.Now().Add(patience); now.heap > before.heap+most && time.Now().Before(limit); now = y.measure() {
		time.Sleep(20 * time.Millisecond)
	}
	if now.heap > before.heap+most {
		y.t.Errorf("the heap has grown by %d bytes, want %d at most", now.heap-before.heap, most)
	}
}

// expectBase waits until all is as it was.
func (y *yard) expectBase(before base) {
	y.t.Helper()
	y.client.CloseIdleConnections()
	var now base
	var conns int64
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		for _, s := range y.hub.view().servers {
			s.link.lineup.Load().all[0].network.CloseIdleConnections()
		}
		y.good.tidy()
		y.srv.tidy()
		now, conns = y.measure(), y.conns.Load()
		if conns == 0 && now.goroutines <= before.goroutines+4 && now.heap <= before.heap+8<<20 {
			break
		}
	}
	if conns != 0 || now.goroutines > before.goroutines+4 || now.heap > before.heap+8<<20 {
		y.t.Errorf("before %+v, afterwards %+v and %d connections", before, now, conns)
		stacks := make([]byte, 1<<20)
		y.t.Logf("%s", stacks[:runtime.Stack(stacks, true)])
	}
	if log := y.log.String(); strings.Contains(log, "panic") {
		y.t.Errorf("panic: %s", log)
	}
}

// tidy forgets the sessions that have ended, and what came.
func (f *fake) tidy() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = nil
	f.sessions = slices.DeleteFunc(f.sessions, (*fakeSession).ended)
}

// keep has a server keep what comes from now on.
func (f *fake) keep() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget = false
}

// lockedBuffer is written by many.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
