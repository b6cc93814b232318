package integration

import (
	"errors"
	"testing"
	"time"
)

// TestRestartsUnderCallingSessions restarts a server 20 times while 50 sessions call it: calls in flight when its process ends
// may fail, no other does, and the list of tools is the same all the time.
func TestRestartsUnderCallingSessions(t *testing.T) {
	const restarts, sessions = 20, 50
	l := newLab(t)
	n := l.network()
	server := l.run(ownServer("server").on(n))
	neighbour := l.run(ownServer("neighbour").on(n))
	hub := l.containedHub(n)
	hub.until("neighbour connected", "server connected")
	watcher := hub.open("/mcp")
	heard := watcher.listen(t)
	var callers []*caller
	for range sessions {
		callers = append(callers, startCaller(t, hub.open("/mcp"), true, "server__add", "neighbour__add"))
	}
	var lives []life
	for range restarts {
		lives = append(lives, server.restart())
		again := time.Now()
		for _, k := range callers {
			k.awaitServed(t, "server__add", again)
		}
	}
	total, cut := 0, 0
	for _, k := range callers {
		k.stop()
		calls, failed := k.checkLives(t, "server__add", lives)
		total, cut = total+calls, cut+failed
		k.checkLives(t, "neighbour__add", nil)
	}
	t.Logf("%d calls, of which %d were in flight at an end and failed", total, cut)
	hub.serves(watcher, "server", server)
	hub.serves(watcher, "neighbour", neighbour)
	expectNothing(t, heard)
}

// checkLives reports the calls that failed, but for those that were in flight when a process ended and have been told so. It returns how many there were, and
// how many failed.
func (k *caller) checkLives(t *testing.T, tool string, lives []life) (calls, failed int) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, o := range k.outcomes[tool] {
		if o.err == nil {
			continue
		}
		failed++
		if _, told := errors.AsType[*rpcError](o.err); !told || !inFlight(o, lives) {
			t.Errorf("%s, call %d, from %s to %s: %v", tool, i, o.began.Format(time.StampMilli), o.ended.Format(time.StampMilli), o.err)
		}
	}
	return len(k.outcomes[tool]), failed
}

// inFlight says whether a call was under way at one of the ends, each of which lies between the request for it and its report.
func inFlight(o outcome, lives []life) bool {
	for _, l := range lives {
		if o.began.Before(l.died) && o.ended.After(l.began) {
			return true
		}
	}
	return false
}
