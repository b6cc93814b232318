package discovery

import (
	"bytes"
	"context"
	"log/slog"
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
	return watchAndLog(t, slog.DiscardHandler, sources...)
}

func watchAndLog(t *testing.T, log slog.Handler, sources ...Source) (desired <-chan Desired, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan Desired)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := Watch(ctx, sources, out, slog.New(log)); err != nil {
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

// What is wrong is told once, and again when it has been well in between.
func TestWatchTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		handler := slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
		labels := make(scripted)
		_, stop := watchAndLog(t, handler, EnvironmentSource{declare(Environment, "github; dev=githup,files")}, labels)
		defer stop()
		expect := func(what, want string) {
			t.Helper()
			synctest.Wait()
			check(t, what, log.String(), want)
			log.Reset()
		}
		const (
			typo  = `level=WARN msg="group incomplete" reason="group dev: there is no server \"githup\"; did you mean \"github\"?"` + "\n"
			files = `level=WARN msg="group incomplete" reason="group dev: there is no server \"files\""` + "\n"
		)
		expect("one has not spoken", "")
		labels <- declare(Label, "files github")
		expect("a server by label", `level=WARN msg="declaration cannot be followed" server=github state=conflict where="the label" reason="the id \"github\" is taken by the environment; choose another"`+"\n"+typo)
		labels <- declare(Label, "files github mail")
		expect("nothing new", "")
		labels <- declare(Label, "mail")
		expect("it is gone", files)
		labels <- declare(Label, "files")
		labels <- declare(Label, "mail")
		expect("it was back", files)
	})
}
