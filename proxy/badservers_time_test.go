package proxy

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// badServersInTime are those that take longer than a test may: they run in a
// bubble, on a network in memory.
var badServersInTime = []struct {
	name string
	run  func(t *testing.T, bubble *bubbleTrial)
}{
	{"never answers initialize", neverAnswers},
	{"accepts connections and never reads", neverReads},
	{"answers a call after a minute", afterAMinute},
}

// TestBadServersInTime is TestBadServers for what takes long. A bubble ends only
// when all its goroutines have.
func TestBadServersInTime(t *testing.T) {
	for _, bad := range badServersInTime {
		t.Run(bad.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good := newRemote(t, "neighbour", isUp)
				x := &bubbleTrial{bad: newRemote(t, "bad", isUp), began: time.Now()}
				x.start = func() {
					x.hub = bubbleHub(t, Reconnect{MaxAttempts: 2, InitialDelay: time.Second, MaxDelay: 4 * time.Second}, x.bad, good)
					x.hub.started = time.Now().Add(-time.Hour)
					time.Sleep(time.Second)
					t.Cleanup(x.watch(t))
				}
				bad.run(t, x)
			})
		})
	}
}

type bubbleTrial struct {
	hub   *Hub
	bad   *remote
	began time.Time
	start func() // starts the hub and the watching
}

// watch uses the good server once a second. That must never take any time.
func (x *bubbleTrial) watch(t *testing.T) (ended func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	c := newBubbleClient(t, x.hub)
	rounds := 0
	group.Go(func() {
		for ; ctx.Err() == nil; rounds++ {
			began := time.Now()
			if !c.has("neighbour__echo") {
				t.Error("the neighbour's tool is not listed")
			}
			if got := c.request("tools/call", `{"name":"neighbour__echo"}`).Body.String(); !strings.Contains(got, `"result":{"content":[]}`) {
				t.Errorf("the neighbour's tool: %s", got)
			}
			if took := time.Since(began); took > 0 {
				t.Errorf("the neighbour took %v", took)
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
	return func() {
		cancel()
		group.Wait()
		if rounds < 10 {
			t.Errorf("the neighbour was used only %d times", rounds)
		}
	}
}

// status returns what is known of the bad server.
func (x *bubbleTrial) status() ServerStatus { return x.hub.Status().Servers[0] }

func (x *bubbleTrial) expect(t *testing.T, p phase, words ...string) {
	t.Helper()
	if s := x.status(); s.State != string(p) || !containsAll(s.Error, words) {
		t.Errorf("after %v: it is %s: %s; want %s and %q", time.Since(x.began), s.State, s.Error, p, words)
	}
}

func neverAnswers(t *testing.T, x *bubbleTrial) {
	x.bad.mute = true
	x.start()
	x.expect(t, starting, "the first try to connect is under way")
	time.Sleep(connectTimeout)
	x.expect(t, away, "initialize: the server has not answered within 30s")
	time.Sleep(2*connectTimeout + 10*time.Second)
	x.expect(t, failed, "initialize: the server has not answered within 30s")
	x.bad.mu.Lock()
	x.bad.mute = false
	x.bad.mu.Unlock()
	time.Sleep(connectTimeout + 5*time.Second)
	x.expect(t, connected)
}

func neverReads(t *testing.T, x *bubbleTrial) {
	x.bad.set(deaf)
	x.start()
	time.Sleep(connectTimeout)
	x.expect(t, away, "initialize: the server has not answered within 30s")
	x.bad.set(isUp)
	time.Sleep(connectTimeout + 5*time.Second)
	x.expect(t, connected)

	c := newBubbleClient(t, x.hub)
	x.bad.set(deaf)
	time.Sleep(time.Second)
	answered := make(chan string, 1)
	go func() { answered <- c.request("tools/call", `{"name":"bad__echo"}`).Body.String() }()
	time.Sleep(time.Minute)
	if got := <-answered; !strings.Contains(got, `server \"bad\": initialize: the server has not answered within 30s`) {
		t.Errorf("a call of what does not read: %s", got)
	}
}

// afterAMinute is slow: nothing gives up, and the client hears that its call is
// alive.
func afterAMinute(t *testing.T, x *bubbleTrial) {
	x.bad.slow = time.Minute
	x.start()
	c, began := newBubbleClient(t, x.hub), time.Now()
	w := c.request("tools/call", `{"name":"bad__echo"}`)
	if took := time.Since(began); took != time.Minute || w.Code != http.StatusOK {
		t.Errorf("HTTP %d after %v", w.Code, took)
	}
	got := w.Body.String()
	if beats := strings.Count(got, ": alive\n\n"); beats < 3 || !strings.Contains(got, `"result":{"content":[]}`) || strings.Contains(got, "error") {
		t.Errorf("got %q, want heartbeats and the result", got)
	}
	x.expect(t, connected)
}
