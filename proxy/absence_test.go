package proxy

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/discovery"
)

// The features of a server that has no instance stay while that is about to change;
// when it lasts, they leave the lists. Its state says what it waits for.
func TestAbsence(t *testing.T) {
	for _, test := range []struct {
		state string
		after phase
	}{
		{"stopped", away},
		{"waiting", failed},
		{"unreachable", failed},
	} {
		t.Run(test.state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDock(t, "a")
				c := newBubbleClient(t, d.hub)
				close(d.gone["a"])
				d.drop("a")
				d.server.Absence = discovery.Absence{State: test.state, Reason: "for want of a container"}
				d.declare()
				time.Sleep(absenceLimit - time.Second)
				want(t, "phase at first", phaseOf(d.hub, "s"), away)
				want(t, "listed at first", c.has("s__echo"), true)
				time.Sleep(2 * time.Second)
				want(t, "phase later", phaseOf(d.hub, "s"), test.after)
				want(t, "listed later", c.has("s__echo"), test.after != failed)
				status := d.hub.Status().Servers[0]
				want(t, "state", status.State, test.state)
				want(t, "reason", status.Error, "for want of a container")

				d.run("b", isUp)
				d.declare()
				time.Sleep(bootPace)
				want(t, "phase in the end", phaseOf(d.hub, "s"), connected)
				want(t, "listed in the end", c.has("s__echo"), true)
			})
		})
	}
}

// A paused container keeps its sessions and what was sent to it; a session that would
// begin waits.
func TestPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		c, fresh := newBubbleClient(t, d.hub), newBubbleClient(t, d.hub)
		d.mustCall(c)
		pause := func(on bool) { d.edit("a", func(i *discovery.Instance) { i.Paused = on }) }
		pause(true)
		d.remotes["a"].vanish()
		want(t, "state", d.hub.Status().Servers[0].State, "suspended")
		want(t, "connected", d.hub.Status().Servers[0].Connected, false)
		if got := fresh.call(); !strings.Contains(got, "container a is paused") {
			t.Errorf("a call in a new session: %s", got)
		}
		time.Sleep(3 * time.Minute)
		want(t, "phase", phaseOf(d.hub, "s"), connected)
		time.AfterFunc(3*time.Second, func() {
			d.remotes["a"].appear()
			pause(false)
		})
		d.mustCall(fresh)
		want(t, "state", d.hub.Status().Servers[0].State, "connected")
	})
}

// A server that is paused when the hub first hears of it is not tried.
func TestPausedFromTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t)
		d.run("a", isUp)
		d.edit("a", func(i *discovery.Instance) { i.Paused = true })
		time.Sleep(5 * time.Second)
		want(t, "state", d.hub.Status().Servers[0].State, "suspended")
		want(t, "reason", d.hub.Status().Servers[0].Error, "container a is paused")
		want(t, "dials", len(seen(d.remotes["a"], &d.remotes["a"].dials)), 0)
		d.edit("a", func(i *discovery.Instance) { i.Paused = false })
		want(t, "phase", phaseOf(d.hub, "s"), connected)
	})
}
