package integration

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"
)

const callEvery = 200 * time.Millisecond

// outcome is how one call went.
type outcome struct {
	began, ended time.Time
	err          error
}

// caller calls tools on one session and notes how each call went.
type caller struct {
	*client
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex // guards outcomes; held for map operations only
	outcomes map[string][]outcome
}

// startCaller calls the tools, which add numbers, until stop. With patience it waits for each answer before it calls the
// same tool again, as a model does; without, it calls every 200 ms whatever has become of the calls before.
func startCaller(t *testing.T, c *client, patience bool, tools ...string) *caller {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	k := &caller{client: c, cancel: cancel, outcomes: map[string][]outcome{}}
	for _, tool := range tools {
		k.running.Go(func() { k.run(ctx, tool, patience) })
	}
	t.Cleanup(k.stop)
	return k
}

// stop waits for the calls under way.
func (k *caller) stop() {
	k.cancel()
	k.running.Wait()
}

func (k *caller) run(ctx context.Context, tool string, patience bool) {
	for i := 0; ctx.Err() == nil; i++ {
		if patience {
			k.callOnce(tool, i)
		} else {
			k.running.Go(func() { k.callOnce(tool, i) })
		}
		select {
		case <-ctx.Done():
		case <-time.After(callEvery):
		}
	}
}

func (k *caller) callOnce(tool string, i int) {
	began := time.Now()
	got, err := k.call(context.Background(), tool, map[string]any{"a": 1000, "b": i})
	if err == nil && !containsWord(got, strconv.Itoa(1000+i)) {
		err = fmt.Errorf("1000 and %d added is %q", i, got)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.outcomes[tool] = append(k.outcomes[tool], outcome{began, time.Now(), err})
}

// served returns when the first good answer came after a moment.
func (k *caller) served(tool string, after time.Time) (at time.Time, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range k.outcomes[tool] {
		if o.err == nil && o.ended.After(after) && (!ok || o.ended.Before(at)) {
			at, ok = o.ended, true
		}
	}
	return at, ok
}

// awaitServed returns how long after a moment a good answer came.
func (k *caller) awaitServed(t *testing.T, tool string, after time.Time) time.Duration {
	t.Helper()
	eventually(t, requestLimit, "an answer of "+tool, func() bool {
		_, ok := k.served(tool, after)
		return ok
	})
	at, _ := k.served(tool, after)
	return at.Sub(after)
}

// check reports the calls that failed, but for those in flight at the given moment; the zero time is none.
func (k *caller) check(t *testing.T, killed time.Time) {
	t.Helper()
	k.checkBut(t, killed, killed)
}

// checkBut reports the calls that failed, but for those in flight at a moment that lies between two.
func (k *caller) checkBut(t *testing.T, from, to time.Time) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for tool, outcomes := range k.outcomes {
		for i, o := range outcomes {
			if o.err != nil && (o.began.After(to) || o.ended.Before(from)) {
				t.Errorf("%s, call %d, begun %v after the kill: %v", tool, i, o.began.Sub(to).Round(time.Millisecond), o.err)
			}
		}
	}
}
