package proxy

import (
	"testing"
	"testing/synctest"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/mcpserver"
)

// atEach makes a session for each of so many clients and returns how many calls each
// container has got of them.
func (d *dock) atEach(clients int, ids ...string) (calls []int, made []*bubbleClient) {
	before := map[string]int{}
	for _, id := range ids {
		before[id] = d.calls(id)
	}
	for range clients {
		c := newBubbleClient(d.t, d.hub)
		d.mustCall(c)
		made = append(made, c)
	}
	for _, id := range ids {
		calls = append(calls, d.calls(id)-before[id])
	}
	return calls, made
}

func wantCalls(t *testing.T, what string, got []int, wanted ...int) {
	t.Helper()
	for i := range wanted {
		want(t, what, got[i], wanted[i])
	}
}

// Clients' sessions are shared out among replicas, and each stays where it is as long
// as that runs.
func TestReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a", "b", "c")
		got, clients := d.atEach(6, "a", "b", "c")
		wantCalls(t, "sessions", got, 2, 2, 2)
		for _, c := range clients {
			d.mustCall(c)
		}
		wantCalls(t, "calls in the same sessions", []int{d.calls("a"), d.calls("b"), d.calls("c")}, 4, 4, 4)

		d.die("b")
		for _, c := range clients {
			d.mustCall(c)
		}
		wantCalls(t, "calls with one gone", []int{d.calls("a"), d.calls("c")}, 7, 7)
		want(t, "lists", clients[0].has("s__echo"), true)

		d.run("b", isUp)
		d.declare()
		time.Sleep(time.Second)
		got, _ = d.atEach(3, "a", "b", "c")
		wantCalls(t, "new sessions when it is back", got, 0, 3, 0)
	})
}

// The end of the replica that the hub's own session is at is an outage for nobody.
func TestFirstReplicaEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a", "b")
		c := newBubbleClient(t, d.hub)
		d.mustCall(c)
		before := d.hub.view()
		d.die("a")
		began := time.Now()
		d.mustCall(c)
		if waited := time.Since(began); waited > 100*time.Millisecond {
			t.Errorf("the call took %v", waited)
		}
		want(t, "calls at b", d.calls("b"), 1)
		want(t, "changes of lists", d.changes(before), mcpserver.Changes(0))
	})
}

// No client's session goes to a replica before its server serves, nor to one that has
// been told to stop, nor where the last could not be opened.
func TestReplicasThatAreNotWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a", "b")
		d.run("boots", refuses)
		d.edit("b", func(i *discovery.Instance) { i.Draining = true })
		got, _ := d.atEach(4, "a", "b", "boots")
		wantCalls(t, "sessions", got, 4, 0, 0)

		d.remotes["boots"].set(isUp)
		time.Sleep(time.Second)
		d.remotes["boots"].set(refuses)
		got, _ = d.atEach(1, "a", "b", "boots")
		wantCalls(t, "sessions when it does not any more", got, 1, 0, 0)

		d.remotes["boots"].set(isUp)
		time.Sleep(avoided)
		got, _ = d.atEach(5, "a", "b", "boots")
		wantCalls(t, "sessions when it does again", got, 0, 0, 5)
	})
}

// A replica that is not known to be bad, and not to be good either, is not tried out
// on clients.
func TestReplicaThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a")
		d.run("b", hangs)
		d.declare()
		began := time.Now()
		got, _ := d.atEach(3, "a", "b")
		wantCalls(t, "sessions", got, 3, 0)
		want(t, "time it took", time.Since(began), 0)
	})
}

// Sessions that have ended make room.
func TestEndedSessionsDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, "a", "b")
		_, clients := d.atEach(4, "a", "b")
		for _, c := range clients[:2] {
			c.delete()
		}
		synctest.Wait()
		_, _ = d.atEach(1, "a", "b")
		clients[3].delete()
		synctest.Wait()
		got, _ := d.atEach(2, "a", "b")
		wantCalls(t, "sessions", got, 0, 2)
	})
}

// With standby all sessions go to the first replica, and to the next when that ends.
func TestStandby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t)
		d.server.Standby = true
		d.run("a", isUp)
		d.run("b", isUp)
		d.declare()
		time.Sleep(time.Second)
		got, _ := d.atEach(4, "a", "b")
		wantCalls(t, "sessions", got, 4, 0)
		d.die("a")
		got, _ = d.atEach(4, "a", "b")
		wantCalls(t, "sessions later", got, 0, 4)
	})
}
