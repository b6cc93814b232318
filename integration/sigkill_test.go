package integration

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const kills = 20

// outage tells when the hub is down, so that the clients know which of their errors are its fault.
type outage struct {
	down  atomic.Bool
	count atomic.Int64 // of the times it went down
}

// spans reports whether the hub was down at some time since count was before and down was as given.
func (o *outage) spans(down bool, before int64) bool {
	return down || o.down.Load() || o.count.Load() != before
}

// worker is a client that calls in a loop on one session, and notes what is wrong with the answers.
type worker struct {
	*client
	name    string
	tools   []string // the complete list
	answers atomic.Int64

	// Owned by run until it returns:
	retries int
	wrong   []string
	short   []time.Duration // how long lists took that came without a slow server's tools
}

const enoughWrong = 5 // to see what is the matter

// run calls until ctx ends. What fails because the hub is down is tried again, anything else is wrong.
func (w *worker) run(ctx context.Context, o *outage) {
	for i := 0; ctx.Err() == nil && len(w.wrong) < enoughWrong; i++ {
		w.try(ctx, o, func() error { return w.sum(i) })
		w.try(ctx, o, w.list)
	}
}

func (w *worker) try(ctx context.Context, o *outage, request func() error) {
	for ctx.Err() == nil {
		down, before := o.down.Load(), o.count.Load()
		err := request()
		if err == nil {
			w.answers.Add(1)
			return
		}
		_, lost := errors.AsType[lostError](err)
		if !lost || !o.spans(down, before) {
			w.wrong = append(w.wrong, fmt.Sprintf("after %d answers and %d kills: %v", w.answers.Load(), before, err))
			return
		}
		w.retries++
		time.Sleep(5 * time.Millisecond)
	}
}

// sum asks two servers for a sum only this client asks for.
func (w *worker) sum(i int) error {
	a, b := len(w.name)*1000, i
	for tool, format := range map[string]string{"everything__get-sum": "The sum of %d and %d is %d.", "gosdk__add": "%[3]d"} {
		got, err := w.call(context.Background(), tool, map[string]any{"a": a, "b": b})
		if err != nil {
			return err
		}
		if want := fmt.Sprintf(format, a, b, a+b); got != want {
			return fmt.Errorf("%s: got %q, want %q", tool, got, want)
		}
	}
	return nil
}

// list asks for the tools, all of which must be there, the first time after a restart too. Only where the hub has waited in
// vain for a server, which it does for two seconds, may some be missing.
func (w *worker) list() error {
	began := time.Now()
	names, err := w.client.tools(context.Background())
	if err != nil || slices.Equal(names, w.tools) {
		return err
	}
	if took := time.Since(began); took > time.Second {
		w.short = append(w.short, took)
		return nil
	}
	return fmt.Errorf("tools/list: got %d, want %d: %q", len(names), len(w.tools), names)
}

// TestSessionsSurviveSIGKILL kills the hub under two clients that are calling, again and again.
func TestSessionsSurviveSIGKILL(t *testing.T) {
	everything := startEverything(t)
	key := make([]byte, 32)
	rand.Read(key)
	options := hubOptions{Port: freePort(t), Env: []string{
		"MCPHUB_SESSION_KEY=" + base64.StdEncoding.EncodeToString(key),
		"MCPHUB_SERVERS=everything=" + everything.URL,
		"MCPHUB_SERVER_GOSDK_COMMAND=" + gosdkCommand(t)[0],
		"MCPHUB_SERVER_GOSDK_ENV_" + serverVariable + "=stdio",
	}}
	hub := startHub(t, options)
	workers := []*worker{newWorker(t, "one", hub.URL+"/mcp"), newWorker(t, "second", hub.URL+"/mcp")}
	var o outage
	defer runAll(t, workers, &o)()
	var times []time.Duration
	for range kills {
		awaitAnswers(t, workers)
		var took time.Duration
		hub, took = killAndRestart(t, hub, options, workers, &o)
		times = append(times, took)
	}
	awaitAnswers(t, workers)
	slices.Sort(times)
	t.Logf("from the start of the hub's process to an answer for each client: median %v, longest %v", times[kills/2], times[kills-1])
}

// newWorker opens a session, and takes its list for the complete one if each server is in it.
func newWorker(t *testing.T, name, url string) *worker {
	t.Helper()
	w := &worker{client: open(t, url, ""), name: name}
	var err error
	if w.tools, err = w.client.tools(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"everything__get-sum", "gosdk__add"} {
		if !slices.Contains(w.tools, want) {
			t.Fatalf("tools of a hub that has just started: got %q, want %s among them", w.tools, want)
		}
	}
	return w
}

// runAll has the workers call until stop is called, which waits for them and reports what they noted.
func runAll(t *testing.T, workers []*worker, o *outage) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, w := range workers {
		running.Go(func() { w.run(ctx, o) })
	}
	return func() {
		cancel()
		running.Wait()
		for _, w := range workers {
			t.Logf("client %s: %d answers, %d retries while the hub was down, short lists after %v", w.name, w.answers.Load(), w.retries, w.short)
			for _, wrong := range w.wrong {
				t.Errorf("client %s: %s", w.name, wrong)
			}
		}
	}
}

// awaitAnswers waits until each worker has got some answers more.
func awaitAnswers(t *testing.T, workers []*worker) {
	t.Helper()
	for _, w := range workers {
		enough := w.answers.Load() + 6
		eventually(t, requestLimit, "answers to client "+w.name, func() bool { return w.answers.Load() >= enough })
	}
}

// killAndRestart returns the new process, and how long after its start each worker has got an answer.
func killAndRestart(t *testing.T, hub *process, options hubOptions, workers []*worker, o *outage) (*process, time.Duration) {
	t.Helper()
	o.down.Store(true)
	o.count.Add(1)
	hub.Kill()
	began := time.Now()
	answered := make([]int64, len(workers))
	for i, w := range workers {
		answered[i] = w.answers.Load()
	}
	hub = startHub(t, options)
	o.down.Store(false)
	for i, w := range workers {
		eventually(t, requestLimit, "an answer to client "+w.name, func() bool { return w.answers.Load() > answered[i] })
	}
	return hub, time.Since(began)
}

// Without a key a session ends with the hub's process, and its id is unknown to the next.
func TestSessionsEndWithTheHubWithoutAKey(t *testing.T) {
	options := hubOptions{Port: freePort(t)}
	hub := startHub(t, options)
	c := open(t, hub.URL+"/mcp", "")
	if _, err := c.tools(t.Context()); err != nil {
		t.Fatal(err)
	}
	hub.Kill()
	startHub(t, options)
	_, err := c.tools(t.Context())
	if status, ok := errors.AsType[*statusError](err); !ok || status.code != http.StatusNotFound {
		t.Errorf("tools/list with the former hub's session id: got %v, want HTTP %d", err, http.StatusNotFound)
	}
}
