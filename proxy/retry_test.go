package proxy

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/discovery"
)

func TestDelay(t *testing.T) {
	r := Reconnect{InitialDelay: time.Second, MaxDelay: 30 * time.Second}
	for tries, most := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
		var shortest, longest time.Duration = time.Hour, 0
		for range 1000 {
			d := r.delay(tries + 1)
			shortest, longest = min(shortest, d), max(longest, d)
		}
		if shortest < r.InitialDelay || longest > most*time.Second {
			t.Errorf("after %d tries: between %v and %v, want %v to %v", tries+1, shortest, longest, r.InitialDelay, most*time.Second)
		}
		if spread := longest - shortest; most > 1 && spread < (most-1)*time.Second*9/10 {
			t.Errorf("after %d tries: between %v and %v, which is not random", tries+1, shortest, longest)
		}
	}
	want(t, "after very many tries", r.delay(1_000_000) <= r.MaxDelay, true)
	want(t, "steady when failed", (&Reconnect{2, time.Second, 30 * time.Second}).wait(3), 30*time.Second)
	for _, none := range []Reconnect{{}, {1, 0, 0}, {0, 0, time.Hour}} {
		want(t, fmt.Sprint("floor of ", none), none.wait(1) >= leastDelay && none.wait(9) >= leastDelay, true)
	}
}

// lonely is a link whose reports go to a test instead of a hub.
type lonely struct {
	*link
	began time.Time

	mu      sync.Mutex
	reports []reported
}

// reported is what a link reports of itself.
type reported struct {
	at       time.Duration
	phase    phase
	attempts int
	next     time.Duration
}

func newLonely(t *testing.T, r Reconnect, server discovery.Server, dial dialFunc, edits ...func(*link)) *lonely {
	h := idleHub(t, r)
	l := &lonely{link: newLink(context.Background(), h, server), began: time.Now()}
	l.dial = dial
	for _, edit := range edits {
		edit(l.link)
	}
	var running sync.WaitGroup
	running.Go(func() { l.run(state{link: l.link, server: server, phase: starting}) })
	running.Go(func() {
		for {
			select {
			case s := <-h.reports:
				l.mu.Lock()
				l.reports = append(l.reports, reported{time.Since(l.began), s.phase, s.attempts, s.next.Sub(l.began)})
				l.mu.Unlock()
			case <-l.ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		l.stop()
		running.Wait()
	})
	return l
}

// tried returns the reports so far; while a server is away, each is a try.
func (l *lonely) tried() []reported {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.reports)
}

// every wakes the link again and again for a time.
func (l *lonely) every(d, forSo time.Duration, why wake) {
	for began := time.Now(); time.Since(began) < forSo; time.Sleep(d) {
		l.wakeUp(why)
	}
}

// The first try and so many retries, at growing distances; then the server has
// failed, and is tried at a steady pace.
func TestTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", refuses)
		l := newLonely(t, Reconnect{3, time.Second, 30 * time.Second}, a.declaration(), a.dial)
		time.Sleep(10 * time.Minute)
		var before time.Duration
		got := l.tried()
		for i, r := range got {
			least, most := time.Second, []time.Duration{0, 1, 2, 4}[min(i, 3)]*time.Second
			phase := away
			if i == 0 {
				least = 0
			}
			if i >= 3 {
				phase = failed
			}
			if i > 3 {
				least, most = 30*time.Second, 30*time.Second
			}
			if d := r.at - before; d < least || d > most || r.phase != phase || r.attempts != i+1 {
				t.Errorf("try %d: %+v, %v after the one before; want %s after %v to %v", i+1, r, d, phase, least, most)
			}
			if i+1 < len(got) && r.next != got[i+1].at {
				t.Errorf("try %d: the next announced for %v, was at %v", i+1, r.next, got[i+1].at)
			}
			before = r.at
		}
		if len(got) < 20 {
			t.Errorf("%d tries in 10 minutes", len(got))
		}
	})
}

func TestNeverFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", refuses)
		l := newLonely(t, Reconnect{0, time.Second, 30 * time.Second}, a.declaration(), a.dial)
		time.Sleep(3 * time.Hour)
		got := l.tried()
		for i, r := range got {
			if r.phase != away || i > 0 && r.at-got[i-1].at > 30*time.Second {
				t.Errorf("try %d: %+v, the one before at %v", i+1, r, got[max(i-1, 0)].at)
			}
		}
		if len(got) < 300 {
			t.Errorf("%d tries in 3 hours", len(got))
		}
	})
}

// New settings hold from the next try on.
func TestSetReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", refuses)
		l := newLonely(t, Reconnect{0, 10 * time.Second, 10 * time.Second}, a.declaration(), a.dial)
		time.Sleep(25 * time.Second)
		l.hub.SetReconnect(Reconnect{2, time.Second, 2 * time.Second})
		time.Sleep(16 * time.Second)
		var got []time.Duration
		for _, r := range l.tried() {
			got = append(got, r.at)
		}
		want(t, "tries", fmt.Sprint(got), "[0s 10s 20s 30s 32s 34s 36s 38s 40s]")
		want(t, "phase", l.tried()[3].phase, failed)
	})
}

// What a server asks for is waited out, by all, within reason.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", isUp)
		a.status, a.after = 503, "20"
		l := newLonely(t, Reconnect{0, time.Second, 2 * time.Second}, a.declaration(), a.dial)
		l.every(100*time.Millisecond, 70*time.Second, need)
		spaced(t, "20 s asked for", seen(a, &a.inits), 20*time.Second, 4, 4)
		a.mu.Lock()
		a.after = "2000000000"
		a.mu.Unlock()
		time.Sleep(20 * time.Second)
		before := len(seen(a, &a.inits))
		time.Sleep(5*time.Hour + time.Minute)
		if n := len(seen(a, &a.inits)) - before; n == 0 || n > 6 {
			t.Errorf("%d tries in five hours, when it asks for years", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", isUp)
		a.status = 503
		newLonely(t, Reconnect{0, time.Second, time.Second}, a.declaration(), func(ctx context.Context, n, address string) (c net.Conn, err error) {
			time.Sleep(4 * time.Second) // slow, but that is not asked for
			return a.dial(ctx, n, address)
		})
		time.Sleep(time.Minute)
		if n := len(seen(a, &a.inits)); n < 12 {
			t.Errorf("%d tries of a slow server in a minute", n)
		}
	})
}
