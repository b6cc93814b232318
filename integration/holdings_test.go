package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// holdings are what this process holds and must give back.
type holdings struct {
	goroutines, files, children int
	heap                        uint64 // bytes
}

// The room that measurements need: connections that idle, and what the runtime keeps.
const (
	slack     = 20
	slackHeap = 16 << 20
)

func measure() holdings {
	http.DefaultClient.CloseIdleConnections()
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return holdings{runtime.NumGoroutine(), openFiles(), ownChildren(), memory.HeapAlloc}
}

// openFiles returns how many descriptors the process has; 0 where the system does not tell.
func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// ownChildren returns how many processes have this one as their parent, those that ended and were not waited for included; 0
// where the system does not tell.
func ownChildren() (n int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		var state string
		var parent int
		rest := text[strings.LastIndexByte(string(text), ')')+1:]
		if _, err := fmt.Sscan(string(rest), &state, &parent); err == nil && parent == os.Getpid() {
			n++
		}
	}
	return n
}

// baseLimit is how long a process may take to get there: connections to servers idle for 90 s.
const baseLimit = 3 * time.Minute

// checkBase waits until the process holds no more than before.
func checkBase(t *testing.T, base holdings) {
	t.Helper()
	var now holdings
	for began := time.Now(); time.Since(began) < baseLimit; time.Sleep(100 * time.Millisecond) {
		if now = measure(); now.within(base) {
			t.Logf("held before %+v, after %+v", base, now)
			return
		}
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("held before %+v, after %+v\n%s", base, now, stacks[:runtime.Stack(stacks, true)])
}

func (h holdings) within(base holdings) bool {
	return h.goroutines <= base.goroutines+slack && h.files <= base.files+slack &&
		h.children <= base.children && h.heap <= base.heap+slackHeap
}
