package proxy

import (
	"testing"
	"testing/synctest"
	"time"
)

// A container that has just started is tried often, until its server listens. That is
// no failure.
func TestBooting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t)
		d.run("a", refuses)
		d.remotes["a"].began = time.Now()
		d.declare()
		time.Sleep(59 * time.Second)
		want(t, "phase", phaseOf(d.hub, "s"), starting)
		want(t, "attempts", d.hub.Status().Servers[0].Attempts, 0)
		dials := seen(d.remotes["a"], &d.remotes["a"].dials)
		spaced(t, "at first", dials[:150], bootPace, 150, 150)
		spaced(t, "later", dials[len(dials)-80:], slowPace, 80, 80)

		d.remotes["a"].set(isUp)
		time.Sleep(2 * slowPace)
		want(t, "phase when it listens", phaseOf(d.hub, "s"), connected)
	})
}

// A container that never serves is reported failed in the end, and tried less often.
func TestBootingHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t)
		d.run("a", refuses)
		d.declare()
		time.Sleep(bootLimit + 2*time.Minute)
		want(t, "phase", phaseOf(d.hub, "s"), failed)
	})
}

// One that has served, and does not any more, is not starting.
func TestBootingIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		d.remotes["a"].set(refuses)
		time.Sleep(20 * time.Second)
		want(t, "phase", phaseOf(d.hub, "s"), failed)
	})
}

// A server that answers, and refuses the hub, is not asked ten times a second.
func TestBootingIsNotForThoseWhoRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t)
		d.run("a", isUp)
		d.remotes["a"].status = 401
		d.remotes["a"].began = time.Now()
		d.declare()
		time.Sleep(30 * time.Second)
		want(t, "phase", phaseOf(d.hub, "s"), failed)
		if n := len(seen(d.remotes["a"], &d.remotes["a"].dials)); n > 8 {
			t.Errorf("%d connections", n)
		}
	})
}
