package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/discovery"
)

// A server that is lost keeps its features in the lists until it is reported
// failed; then they leave, and their routes stay.
func TestFeaturesOfLostServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newRemote(t, "a", isUp), newRemote(t, "b", isUp)
		h := bubbleHub(t, Reconnect{2, time.Second, 4 * time.Second}, a, b)
		time.Sleep(15 * time.Second)
		c := newBubbleClient(t, h)
		want(t, "listed at first", c.has("a__echo") && c.has("b__echo"), true)

		a.set(refuses)
		time.Sleep(1900 * time.Millisecond) // the first try, and one after 1 s
		want(t, "phase", phaseOf(h, "a"), away)
		want(t, "listed while away", c.has("a__echo"), true)
		time.Sleep(10 * time.Second)
		want(t, "phase later", phaseOf(h, "a"), failed)
		want(t, "listed when failed", c.has("a__echo"), false)
		want(t, "neighbour listed", c.has("b__echo"), true)
		got := c.request("tools/call", `{"name":"a__echo"}`).Body.String()
		if !strings.Contains(got, `server \"a\" is away: `) {
			t.Errorf("call of a failed server: %s", got)
		}
		want(t, "neighbour's call", c.request("tools/call", `{"name":"b__echo"}`).Code, 200)

		a.set(isUp)
		time.Sleep(5 * time.Second)
		want(t, "phase at last", phaseOf(h, "a"), connected)
		want(t, "listed again", c.has("a__echo"), true)
	})
}

// A connection that lasts starts the counting anew; one that breaks at once does
// not, and a server in a crash loop is not dialled more often for it.
func TestCrashLoop(t *testing.T) {
	for _, test := range []struct {
		lasts     time.Duration
		most      int
		everFails bool
	}{
		{time.Second, 25, true},
		{stableAfter + time.Second, 60, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newRemote(t, "a", isUp)
			h := bubbleHub(t, Reconnect{3, time.Second, 30 * time.Second}, a)
			hasFailed, began := false, time.Now()
			for time.Since(began) < 10*time.Minute {
				time.Sleep(50 * time.Millisecond)
				switch p := phaseOf(h, "a"); {
				case p == failed:
					hasFailed = true
				case p == connected:
					time.Sleep(test.lasts)
					a.set(refuses)
					synctest.Wait()
					a.set(isUp)
				}
			}
			if n := len(seen(a, &a.inits)); n > test.most || n < 10 {
				t.Errorf("connections of %v: %d tries in 10 minutes", test.lasts, n)
			}
			want(t, fmt.Sprintf("connections of %v: reported failed", test.lasts), hasFailed, test.everFails)
		})
	}
}

// A host that is gone without a word is found out, though a server that is silent
// may be busy.
func TestVanishedHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newRemote(t, "a", isUp), newRemote(t, "b", isUp)
		h := bubbleHub(t, Reconnect{0, time.Second, 30 * time.Second}, a, b)
		time.Sleep(time.Second)
		a.vanish()
		b.mu.Lock()
		b.mute = true
		b.mu.Unlock()
		time.Sleep(3 * time.Minute)
		want(t, "vanished", phaseOf(h, "a"), away)
		want(t, "busy", phaseOf(h, "b"), connected)
	})
}

// What clients that share a session have subscribed to is subscribed to again when
// the server comes back.
func TestSharedSubscriptionsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", isUp)
		a.isolation = discovery.IsolationShared
		h := bubbleHub(t, Reconnect{0, time.Second, 2 * time.Second}, a)
		time.Sleep(3 * time.Second)
		c, d := newBubbleClient(t, h), newBubbleClient(t, h)
		for _, who := range []*bubbleClient{c, d} {
			for _, uri := range []string{"a://1", "a://2"} {
				if got := who.request("resources/subscribe", `{"uri":"`+uri+`"}`).Body.String(); strings.Contains(got, "error") {
					t.Fatal(got)
				}
			}
		}
		for _, who := range []*bubbleClient{c, d} {
			who.request("resources/unsubscribe", `{"uri":"a://2"}`)
		}
		a.set(refuses)
		time.Sleep(3 * time.Second)
		a.mu.Lock()
		a.got = nil
		a.mu.Unlock()
		a.set(isUp)
		time.Sleep(5 * time.Second)
		got := slices.DeleteFunc(seen(a, &a.got), func(m string) bool { return !strings.Contains(m, "subscribe") })
		want(t, "subscriptions in the new session", strings.Join(got, ", "), "resources/subscribe a://1")
	})
}

// A call waits for its server, and is told in the end what is the matter.
func TestCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", isUp)
		h := bubbleHub(t, Reconnect{0, time.Minute, time.Hour}, a)
		time.Sleep(15 * time.Second)
		c := newBubbleClient(t, h)
		a.set(refuses)
		time.Sleep(5 * time.Second)

		began := time.Now()
		got := c.request("tools/call", `{"name":"a__echo"}`).Body.String()
		want(t, "waited", time.Since(began), holdLimit)
		if !strings.Contains(got, `server \"a\" is away: `) || !strings.Contains(got, "connection refused, next try in ") {
			t.Errorf("got %s", got)
		}
		began = time.Now()
		time.AfterFunc(3*time.Second, func() { a.set(isUp) })
		got = c.request("tools/call", `{"name":"a__echo"}`).Body.String()
		if waited := time.Since(began); !strings.Contains(got, `"content"`) || waited < 3*time.Second || waited > 5*time.Second {
			t.Errorf("after %v: %s", waited, got)
		}
	})
}

// So many calls wait for one server, and so many bytes for all; beyond, the
// client is to come again.
func TestWaitingCallsHaveABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newRemote(t, "a", isUp), newRemote(t, "b", isUp)
		h := bubbleHub(t, Reconnect{0, time.Minute, time.Hour}, a, b)
		time.Sleep(15 * time.Second)
		c := newBubbleClient(t, h)
		a.set(refuses)
		b.set(refuses)
		time.Sleep(5 * time.Second)
		var group sync.WaitGroup
		for range maxWaiting {
			group.Go(func() {
				if w := c.request("tools/call", `{"name":"a__echo"}`); w.Code != 200 || !strings.Contains(w.Body.String(), "is away") {
					t.Errorf("a call within the bound: %d %s", w.Code, w.Body)
				}
			})
		}
		synctest.Wait()
		busy := func(what, params string) {
			t.Helper()
			began := time.Now()
			w := c.request("tools/call", params)
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || time.Since(began) > 0 {
				t.Errorf("%s: %d %v %s after %v", what, w.Code, w.Header(), w.Body, time.Since(began))
			}
		}
		busy("one call more", `{"name":"a__echo"}`)
		group.Go(func() {
			if w := c.request("tools/call", `{"name":"b__echo"}`); w.Code != 200 {
				t.Errorf("a call to the neighbour: %d", w.Code)
			}
		})
		group.Wait()
		if held := h.held.Load(); held != 0 {
			t.Errorf("%d bytes held when nobody waits", held)
		}
		time.Sleep(time.Second)

		h.held.Store(maxHeld - 50)
		busy("bytes beyond the bound", `{"name":"b__echo","arguments":{"x":"`+strings.Repeat("x", 50)+`"}}`)
		want(t, "bytes held afterwards", h.held.Load(), int64(maxHeld-50))
		w := c.request("tools/call", `{"name":"b__echo"}`)
		want(t, "bytes within the bound", w.Code, 200)
	})
}

// A link that is stopped leaves nothing behind, whatever it was at: a bubble ends
// only when all its goroutines have. What it costs is no time.
func TestStop(t *testing.T) {
	for what, state := range map[string]string{"connected": isUp, "waiting": refuses, "dialling": hangs} {
		synctest.Test(t, func(t *testing.T) {
			var began time.Time
			t.Cleanup(func() { want(t, what+": took", time.Since(began), 0) })
			bubbleHub(t, Reconnect{0, time.Hour, time.Hour}, newRemote(t, "a", state))
			time.Sleep(time.Second)
			began = time.Now()
		})
	}
}
