package proxy

import (
	"bytes"
	"context"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// A goroutine inherits the labels of the one that started it, so that what a test
// leaves behind can be told from what others have running beside it.

// leavesNothing runs a test, and fails it if goroutines that it has started are
// there after all its cleanups, however often it is looked.
func leavesNothing(t *testing.T, test func()) {
	t.Helper()
	name := t.Name()
	t.Cleanup(func() { // the first registered is the last to run
		if left := lastOf(func() []string { return labelled(name) }); len(left) > 0 {
			t.Errorf("%d goroutines are left behind:\n%s", len(left), strings.Join(left, "\n\n"))
		}
	})
	pprof.Do(context.Background(), pprof.Labels("test", name), func(context.Context) { test() })
}

// lastOf looks until nothing is left or patience ends, and returns what is left.
func lastOf(look func() []string) (left []string) {
	for began := time.Now(); time.Since(began) < patience/2; time.Sleep(5 * time.Millisecond) {
		if left = look(); len(left) == 0 {
			return nil
		}
	}
	return left
}

// labelled returns the stacks of the goroutines that a test has started.
func labelled(name string) (stacks []string) {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, `"test":"`+name+`"`) && !staysForEver(stack) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// goroutines returns the stacks of all goroutines, by their headline's number.
// Those that timers have started have no label: only this finds them.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	stacks := map[string]string{}
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		stacks[id] = stack
	}
	return stacks
}

// since returns the stacks of the goroutines that were not there before.
func since(before map[string]string) (stacks []string) {
	for id, stack := range goroutines() {
		if _, old := before[id]; !old && !staysForEver(stack) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// staysForEver reports whether a goroutine belongs to the process: the one that
// forks, and that of the package os/signal.
func staysForEver(stack string) bool {
	return strings.Contains(stack, "mcpclient.init.func") || strings.Contains(stack, "mcpclient.forks") ||
		strings.Contains(stack, "os/signal.loop")
}
