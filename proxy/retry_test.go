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

// spaced checks that times lie at least so far apart, and how many there are.
func spaced(t *testing.T, what string, times []time.Duration, apart time.Duration, least, most int) {
	t.Helper()
	for i := 1; i < len(times); i++ {
		if d := times[i] - times[i-1]; d < apart {
			t.Errorf("%s: %v apart, want %v: %v", what, d, apart, times)
		}
	}
	if len(times) < least || len(times) > most {
		t.Errorf("%s: %d times, want %d to %d: %v", what, len(times), least, most, times)
	}
}

// Clients that ask for something near a server that is away have it dialled, and
// tried only when something listens there.
func TestNudge(t *testing.T) {
	for state, test := range map[string]struct {
		apart       time.Duration
		least, most int
	}{
		refuses: {time.Second, 50, 61},
		hangs:   {10 * time.Second, 5, 7}, // a dial of 5 s came before
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newRemote(t, "a", state)
			l := newLonely(t, Reconnect{0, time.Hour, time.Hour}, a.declaration(), a.dial)
			time.Sleep(10 * time.Second)
			l.every(100*time.Millisecond, time.Minute, nudge)
			spaced(t, state, seen(a, &a.dials)[1:], test.apart, test.least, test.most)
			want(t, state+": tries", len(l.tried()), 1)
			a.set(isUp)
			l.every(100*time.Millisecond, 15*time.Second, nudge)
			got := l.tried()
			want(t, state+": phase", got[len(got)-1].phase, connected)
		})
	}
}

// Those who answer, if only with a refusal, are not asked again for a nudge; a
// process is not started for one.
func TestNudgeIsNotForAll(t *testing.T) {
	for _, status := range []int{401, 403, 404, 500, 503} {
		synctest.Test(t, func(t *testing.T) {
			a := newRemote(t, "a", isUp)
			a.status = status
			l := newLonely(t, Reconnect{0, time.Hour, time.Hour}, a.declaration(), a.dial)
			time.Sleep(time.Second)
			dials, inits := len(seen(a, &a.dials)), len(seen(a, &a.inits))
			l.every(100*time.Millisecond, time.Minute, nudge)
			want(t, fmt.Sprint(status, ": dials"), len(seen(a, &a.dials)), dials)
			want(t, fmt.Sprint(status, ": tries"), len(seen(a, &a.inits)), inits)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := newRemote(t, "p", refuses)
		l := newLonely(t, Reconnect{0, time.Hour, time.Hour}, p.declaration(), p.dial, asProcess)
		time.Sleep(time.Second)
		l.every(100*time.Millisecond, time.Minute, nudge)
		want(t, "a process: tries", len(l.tried()), 1)
		want(t, "a process: dials", len(seen(p, &p.dials)), 1)
	})
}

// asProcess makes a link treat its server as a process, which it starts. Real
// processes cannot be started in a bubble.
func asProcess(l *link) { l.server.Spec.Transport = discovery.Stdio }

// However many servers are away, eight are dialled at once; each gets its turn.
func TestNudgesAreFewAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newRemote(t, "a", hangs)
		h := idleHub(t, Reconnect{0, time.Hour, time.Hour})
		var links []*lonely
		for i := range 30 {
			server := all.declaration()
			server.ID = fmt.Sprint("server", i)
			l := newLonely(t, Reconnect{0, time.Hour, time.Hour}, server, all.dial)
			l.hub.probes = h.probes
			links = append(links, l)
		}
		time.Sleep(time.Minute)
		all.mostDialling.Store(0)
		before := len(seen(all, &all.dials))
		for _, l := range links {
			l.wakeUp(nudge)
		}
		time.Sleep(time.Minute)
		want(t, "at once", int(all.mostDialling.Load()), maxProbes)
		want(t, "in all", len(seen(all, &all.dials))-before, len(links))
		want(t, "places taken", len(h.probes), 0)
	})
}

// A request that needs a server has it tried, not only dialled, at once; but a
// server is not tried all the time, however many there are.
func TestNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", isUp)
		a.status = 404
		l := newLonely(t, Reconnect{0, time.Hour, time.Hour}, a.declaration(), a.dial)
		time.Sleep(time.Minute)
		l.wakeUp(need)
		synctest.Wait()
		want(t, "tries", len(l.tried()), 2)
		want(t, "when", l.tried()[1].at, time.Minute)
		l.wakeUp(need) // too early: remembered
		l.wakeUp(nudge)
		time.Sleep(900 * time.Millisecond)
		want(t, "tries within a second", len(l.tried()), 2)
		time.Sleep(10 * time.Second)
		want(t, "tries later", len(l.tried()), 3)
		want(t, "when", l.tried()[2].at, time.Minute+time.Second)
		l.every(10*time.Millisecond, 10*time.Second, need)
		if n := len(l.tried()); n < 11 || n > 14 {
			t.Errorf("%d tries after 10 s of need", n)
		}
		for _, r := range l.tried() {
			want(t, "attempts", r.attempts, 1) // what clients cause does not count
		}
	})
}

// As long as a call waits, a server on the network is tried: one wake is enough.
func TestNeedLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRemote(t, "a", refuses)
		l := newLonely(t, Reconnect{0, time.Hour, time.Hour}, a.declaration(), a.dial)
		p := newRemote(t, "p", refuses)
		s := newLonely(t, Reconnect{0, time.Hour, time.Hour}, p.declaration(), p.dial, asProcess)
		time.Sleep(time.Minute)
		l.waiting.Add(1)
		s.waiting.Add(1)
		l.wakeUp(need)
		s.wakeUp(need)
		time.Sleep(4500 * time.Millisecond)
		want(t, "tries", len(l.tried()), 1+5)
		want(t, "tries of a process", len(s.tried()), 1+1)
		l.waiting.Add(-1)
		time.Sleep(time.Minute)
		want(t, "tries when nobody waits any more", len(l.tried()) <= 1+6, true)
	})
}

// A wake that is both gets what the stronger one asks for.
func TestNeedBeatsNudge(t *testing.T) {
	for _, order := range [][]wake{{nudge, need}, {need, nudge}} {
		synctest.Test(t, func(t *testing.T) {
			a := newRemote(t, "a", refuses)
			l := newLonely(t, Reconnect{0, time.Hour, time.Hour}, a.declaration(), a.dial)
			synctest.Wait()
			for _, why := range order {
				l.wakeUp(why)
				synctest.Wait()
			}
			time.Sleep(2 * time.Second)
			want(t, fmt.Sprint(order, ": tries"), len(l.tried()), 2)
		})
	}
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

// However much clients need it, a server that does not come back is reported
// failed when its time has come.
func TestNeedDoesNotPostponeFailure(t *testing.T) {
	for _, status := range []int{0, 503} {
		synctest.Test(t, func(t *testing.T) {
			a := newRemote(t, "a", map[int]string{0: refuses, 503: isUp}[status])
			a.status = status
			l := newLonely(t, Reconnect{3, 3 * time.Second, 10 * time.Second}, a.declaration(), a.dial)
			l.waiting.Add(1)
			l.every(50*time.Millisecond, 30*time.Second, need)
			got := l.tried()
			want(t, fmt.Sprint(status, ": phase"), got[len(got)-1].phase, failed)
			want(t, fmt.Sprint(status, ": attempts"), got[len(got)-1].attempts >= 4, true)
		})
	}
}
