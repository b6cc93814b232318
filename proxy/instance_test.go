package proxy

import (
	"errors"
	"net/http"
	"net/http/httptest"
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

		close(d.gone["a"])
		time.Sleep(time.Second) // until the next list
		d.drop("a")
		d.declare()
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

// A container that is restarted again and again has not failed: its connections break a
// moment before the hub hears why, and each time another run begins.
func TestContainerRestartedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		before := d.hub.view()
		for range 2 * d.hub.reconnect.Load().MaxAttempts {
			d.remotes["a"].set(refuses)
			d.hub.linkTo("s").suspect()
			time.Sleep(10 * time.Millisecond)
			want(t, "phase when the connection is lost", d.hub.view().servers["s"].phase, away)
			close(d.gone["a"])
			d.drop("a")
			d.run("a", isUp)
			d.declare()
			time.Sleep(time.Second)
			want(t, "phase of the next run", d.hub.view().servers["s"].phase, connected)
		}
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

		dials, got := len(seen(d.remotes["a"], &d.remotes["a"].dials)), len(seen(d.remotes["a"], &d.remotes["a"].got))
		close(d.gone["a"]) // what listens there is somebody else's by now
		d.drop("a")
		d.declare()
		if answer := c.call(); !strings.Contains(answer, "container a has ended") {
			t.Errorf("a call: %s", answer)
		}
		time.Sleep(time.Minute)
		want(t, "new connections", len(seen(d.remotes["a"], &d.remotes["a"].dials)), dials)
		want(t, "new messages", len(seen(d.remotes["a"], &d.remotes["a"].got)), got)
	})
}

// That holds for connections too that are still open.
func TestNothingIsSentToAGoneInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		got := len(seen(d.remotes["a"], &d.remotes["a"].got))
		at := d.hub.linkTo("s").lineup.Load().all[0]
		at.end(errors.New("it has ended"))
		r := httptest.NewRequest(http.MethodDelete, "http://a.test/mcp", nil)
		if _, err := at.RoundTrip(r); err == nil || err.Error() != "it has ended" {
			t.Errorf("got %v", err)
		}
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
		hubs, goodbyes := d.hub.view().servers["s"].session, d.goodbyes("a")
		d.remotes["a"].slow = 5 * time.Second
		d.remotes["b"].slow = 5 * time.Second
		time.AfterFunc(time.Second, func() {
			d.drop("a")
			d.declare()
			want(t, "the hub's own session moves", d.hub.view().servers["s"].session != hubs, true)
			d.mustCall(c) // while the other is under way
		})
		d.mustCall(c)
		synctest.Wait()
		want(t, "goodbyes with the last call", d.goodbyes("a")-goodbyes, 2)
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

// An instance that answers nothing any more, as its network is gone, keeps the hub from
// nothing.
func TestRetiredInstanceThatIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		before := d.hub.view().servers["s"].session
		d.remotes["a"].vanish()
		d.drop("a")
		d.run("b", isUp)
		d.declare()
		want(t, "phase", phaseOf(d.hub, "s"), connected)
		want(t, "a new session", d.hub.view().servers["s"].session != before, true)
		time.Sleep(time.Minute)
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

// What a server was tried in vain before counts no more when its container is another,
// which is tried at once.
func TestNewInstanceIsABeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t)
		well := func(i *discovery.Instance) { i.Booting = false }
		d.run("a", refuses)
		d.edit("a", well)
		time.Sleep(10 * time.Second)
		tries := d.hub.Status().Servers[0].Attempts
		if tries < 2 {
			t.Fatalf("%d tries", tries)
		}
		d.die("a")
		d.run("b", refuses)
		d.edit("b", well)
		want(t, "tries of another container", d.hub.Status().Servers[0].Attempts, 1)
		time.Sleep(time.Minute)
		want(t, "phase", phaseOf(d.hub, "s"), failed)
		d.run("c", isUp)
		d.edit("c", well)
		want(t, "phase with another container", phaseOf(d.hub, "s"), connected)
	})
}

// A container that ends while the hub greets the server in it was not tried in vain;
// and what a client wanted there it gets from the next.
func TestContainerEndsDuringTheGreeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t)
		d.run("a", isUp)
		d.remotes["a"].mute = true
		d.edit("a", func(i *discovery.Instance) { i.Booting = false })
		close(d.gone["a"])
		synctest.Wait()
		want(t, "tries", d.hub.Status().Servers[0].Attempts, 0)
		d.drop("a")
		d.declare()
		d.run("b", isUp)
		d.declare()
		want(t, "phase", phaseOf(d.hub, "s"), connected)

		c := newBubbleClient(t, d.hub)
		d.remotes["b"].mute = true
		time.AfterFunc(time.Second, func() {
			d.die("b")
			d.run("c", isUp)
			d.declare()
		})
		d.mustCall(c)
		want(t, "calls at the next", d.calls("c"), 1)
	})
}
