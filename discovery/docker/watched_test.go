package docker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"mcphub/discovery"
)

func (f *fakeEngine) count(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[call]
}

// watched is a Source that runs in a bubble.
type watched struct {
	t      *testing.T
	source *Source
	lists  chan discovery.List
	last   discovery.List
	ctx    context.Context
}

// watchOne runs a Source on a fake engine with one container, which it has declared on return.
func watchOne(t *testing.T) (f *fakeEngine, w *watched, id string) {
	t.Helper()
	f = newFakeEngine(t)
	id = f.put("a", "10.0.0.2")
	w = watch(t, f, nil)
	w.expect("at start", "a: at http://10.0.0.2:80/mcp")
	return f, w, id
}

// watch runs a Source on the fake engine until the test ends.
func watch(t *testing.T, f *fakeEngine, edit func(*Options)) *watched {
	t.Helper()
	o := Options{Host: "unix:///nowhere/docker.sock", Self: NotContained, Stdio: true, Log: slog.New(slog.DiscardHandler)}
	if edit != nil {
		edit(&o)
	}
	source, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	source.dial = f.dial
	source.lookup = func(context.Context, string) ([]string, error) { return nil, errors.New("no names here") }
	ctx, cancel := context.WithCancel(t.Context())
	w := &watched{t: t, source: source, lists: make(chan discovery.List), ctx: ctx}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := source.Run(ctx, w.lists); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return w
}

// expect compares what was declared last with want, without letting time pass.
func (w *watched) expect(when, want string) {
	w.t.Helper()
	synctest.Wait()
	select {
	case w.last = <-w.lists:
	default:
	}
	if got := brief(w.last); got != want {
		w.t.Errorf("%s: got %s, want %s", when, got, want)
	}
}

// quiet reports an error if something new was declared.
func (w *watched) quiet(when string) {
	w.t.Helper()
	synctest.Wait()
	select {
	case w.last = <-w.lists:
		w.t.Errorf("%s: a list was sent: %s", when, brief(w.last))
	default:
	}
}

// brief prints a list in one line.
func brief(l discovery.List) string {
	lines := strings.Split(strings.TrimSpace(show(l)), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.ReplaceAll(strings.Join(lines, "; "), "streamable-http", "at")
}

// gone reports whether the first instance of the server in the last list is gone.
func (w *watched) gone(i discovery.Instance) bool {
	synctest.Wait()
	select {
	case <-i.Gone:
		return true
	default:
		return false
	}
}

// instance returns the first instance of the only server.
func (w *watched) instance() discovery.Instance {
	w.t.Helper()
	if len(w.last.Servers) != 1 || len(w.last.Servers[0].Instances) == 0 {
		w.t.Fatalf("no instance in %s", brief(w.last))
	}
	return w.last.Servers[0].Instances[0]
}
