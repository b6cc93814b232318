package proxy

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/mcpserver"
)

// A container that is started again, at whatever address, serves the same clients: no
// list changes, and calls made meanwhile wait for it.
func TestRestartedContainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		c := newBubbleClient(t, d.hub)
		d.mustCall(c)
		before := d.hub.view()

		d.die("a")
		time.AfterFunc(4*time.Second, func() {
			d.run("b", isUp)
			d.declare()
		})
		began := time.Now()
		d.mustCall(c)
		if waited := time.Since(began); waited < 4*time.Second || waited > 5*time.Second {
			t.Errorf("the call took %v", waited)
		}
		want(t, "calls at the new one", d.calls("b"), 1)
		want(t, "changes of lists", d.changes(before), mcpserver.Changes(0))
	})
}

// What is sent to a container that has ended could reach whoever has its address now:
// nothing is, not even a goodbye.
func TestNothingReachesTheNextOwnerOfAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		c := newBubbleClient(t, d.hub)
		d.mustCall(c)

		d.die("a")
		d.remotes["a"].set(isUp) // somebody else's by now
		dials, got := len(seen(d.remotes["a"], &d.remotes["a"].dials)), len(seen(d.remotes["a"], &d.remotes["a"].got))
		if answer := c.call(); !strings.Contains(answer, "container a has ended") {
			t.Errorf("a call: %s", answer)
		}
		time.Sleep(time.Minute)
		want(t, "new connections", len(seen(d.remotes["a"], &d.remotes["a"].dials)), dials)
		want(t, "new messages", len(seen(d.remotes["a"], &d.remotes["a"].got)), got)
	})
}

// A call in flight hears at once that the container has ended, though its connection
// may hang.
func TestCallInFlightWhenTheContainerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		c := newBubbleClient(t, d.hub)
		d.mustCall(c)
		d.remotes["a"].slow = time.Hour
		time.AfterFunc(time.Second, func() {
			close(d.gone["a"])
			d.drop("a")
			d.declare()
		})
		began := time.Now()
		got := c.call()
		want(t, "answered after", time.Since(began), time.Second)
		if !strings.Contains(got, "outcome is unknown: container a has ended") {
			t.Errorf("got %s", got)
		}
		time.Sleep(d.remotes["a"].slow)
	})
}

// A container that is declared no more and still runs gets nothing new, and may end
// its calls.
func TestRetiredInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a", "b")
		c, other := newBubbleClient(t, d.hub), newBubbleClient(t, d.hub)
		d.mustCall(c)
		want(t, "calls at a", d.calls("a"), 1)
		d.mustCall(other)
		d.remotes["a"].slow = 5 * time.Second
		d.remotes["b"].slow = 5 * time.Second
		time.AfterFunc(time.Second, func() {
			d.drop("a")
			d.declare()
			d.mustCall(c) // while the other is under way
		})
		d.mustCall(c)
		time.Sleep(5 * time.Second)
		want(t, "calls at a", d.calls("a"), 2)
		want(t, "calls at b", d.calls("b"), 2)
		want(t, "sessions at b", d.hub.linkTo("s").lineup.Load().all[0].sessions.Load(), 2)
	})
}

// A call at such a container that takes too long is cut off.
func TestRetiredInstanceHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		c := newBubbleClient(t, d.hub)
		d.mustCall(c)
		d.remotes["a"].slow = time.Hour
		time.AfterFunc(time.Second, func() {
			d.drop("a")
			d.declare()
		})
		began := time.Now()
		if got := c.call(); !strings.Contains(got, "container a is not declared any more") {
			t.Errorf("got %s", got)
		}
		want(t, "cut off after", time.Since(began), time.Second+d.server.Drain)
		time.Sleep(d.remotes["a"].slow)
	})
}

// A declaration that asks for new connections takes over when it is made; calls in
// flight may end over the old ones.
func TestChangedDeclaration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		c := newBubbleClient(t, d.hub)
		d.mustCall(c)
		d.remotes["a"].slow = 5 * time.Second
		time.AfterFunc(time.Second, func() {
			d.server.Spec.Headers = map[string]string{"X-New": "1"}
			d.declare()
		})
		before := d.hub.linkTo("s")
		d.mustCall(c)
		d.remotes["a"].slow = 0
		d.mustCall(c)
		want(t, "a new link", d.hub.linkTo("s") != before, true)
		time.Sleep(d.server.Drain)
		want(t, "the old one is stopped", before.ctx.Err() != nil, true)
	})
}

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
		want(t, "state", d.hub.Status().Servers[0].State, "suspended")
		want(t, "connected", d.hub.Status().Servers[0].Connected, false)
		if got := fresh.call(); !strings.Contains(got, "container a is paused") {
			t.Errorf("a call in a new session: %s", got)
		}
		time.Sleep(3 * time.Minute)
		want(t, "phase", phaseOf(d.hub, "s"), connected)
		time.AfterFunc(3*time.Second, func() { pause(false) })
		d.mustCall(fresh)
		want(t, "state", d.hub.Status().Servers[0].State, "connected")
	})
}
