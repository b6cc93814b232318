package discovery

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a Source that sends what it is told to.
type scripted chan List

func (s scripted) Run(ctx context.Context, lists chan<- List) error {
	for {
		select {
		case list := <-s:
			lists <- list
		case <-ctx.Done():
			return nil
		}
	}
}

// watch runs Watch in a bubble until the returned function is called.
func watch(t *testing.T, sources ...Source) (desired <-chan Desired, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan Desired)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := Watch(ctx, sources, out); err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return out, func() { cancel(); wg.Wait() }
}

// newestOf returns what can be received once all is quiet, or "nothing".
func newestOf(desired <-chan Desired) string {
	synctest.Wait()
	select {
	case d := <-desired:
		return summary(d)
	default:
		return "nothing"
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		labels := make(scripted)
		desired, stop := watch(t, labels, EnvironmentSource{declare(Environment, "a")})
		defer stop()
		check(t, "one has not spoken", newestOf(desired), "nothing")
		labels <- declare(Label, "b")
		check(t, "all have spoken", newestOf(desired), "a@environment b@label map[] map[]")
		check(t, "nothing new", newestOf(desired), "nothing")
		for _, ids := range []string{"c", "d", "e f"} {
			labels <- declare(Label, ids)
		}
		check(t, "a slow receiver gets the newest", newestOf(desired), "a@environment e@label f@label map[] map[]")
		time.Sleep(time.Minute)
		check(t, "nothing new", newestOf(desired), "nothing")
	})
}

func TestWatchDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		labels := make(scripted)
		desired, stop := watch(t, EnvironmentSource{declare(Environment, "a")}, labels)
		defer stop()
		time.Sleep(patience - time.Millisecond)
		check(t, "before", newestOf(desired), "nothing")
		time.Sleep(time.Millisecond)
		check(t, "after 5 s", newestOf(desired), "a@environment map[] map[]")
		labels <- declare(Label, "b")
		check(t, "the slow one speaks", newestOf(desired), "a@environment b@label map[] map[]")
	})
}

func TestWatchNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desired, stop := watch(t)
		defer stop()
		check(t, "no sources", newestOf(desired), "map[] map[]")
	})
}
