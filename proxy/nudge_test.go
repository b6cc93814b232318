package proxy

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/discovery"
)

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
