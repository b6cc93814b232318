package docker

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDeathAndLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w, id := watchOne(t)
		first := w.instance()
		if w.gone(first) {
			t.Error("gone while it runs")
		}
		f.die(id)
		if !w.gone(first) {
			t.Error("not gone at die")
		}
		const lingers = "a: at; stopped: container a has ended; its server is withdrawn unless it comes back soon"
		w.expect("at die", lingers)
		time.Sleep(5 * time.Second)
		f.start("a", "10.0.0.7")
		w.expect("back in time", "a: at http://10.0.0.7:80/mcp")
		second := w.instance()
		if w.gone(second) || second.Same(first) {
			t.Error("the second run is not told from the first")
		}

		time.Sleep(2 * time.Second)
		f.remove(id)
		w.expect("removed", lingers)
		time.Sleep(10*time.Second - time.Millisecond)
		w.expect("within the linger", lingers)
		time.Sleep(time.Millisecond)
		w.expect("after the linger", "nothing")
	})
}

// The same address after a restart is another instance all the same.
func TestRestartAtTheSameAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w, id := watchOne(t)
		first := w.instance()
		time.Sleep(2 * time.Second)
		f.emit("container kill 15", id)
		w.expect("told to stop", "a: at http://10.0.0.2:80/mcp (draining)")
		f.die(id)
		time.Sleep(300 * time.Millisecond)
		f.start("a", "10.0.0.2")
		time.Sleep(250 * time.Millisecond)
		w.expect("restarted", "a: at http://10.0.0.2:80/mcp")
		if second := w.instance(); !w.gone(first) || w.gone(second) || second.Same(first) {
			t.Errorf("first gone %v, second gone %v", w.gone(first), w.gone(second))
		}
	})
}

// A server in another container's network is at that one's address, which is over when
// that one has ended. It may go on by itself, at no address.
func TestLenderOfANetworkEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		lender := f.put("lender", "10.0.0.2")
		f.set(func() { f.boxes[lender].labels = nil })
		guest := f.put("guest", "", "mcphub.port=90")
		f.set(func() { f.boxes[guest].mode = "container:" + lender })
		w := watch(t, f, nil)
		w.expect("at start", "guest: at http://10.0.0.2:90/mcp")
		first := w.instance()
		hold := make(chan struct{})
		f.set(func() { f.hold = hold }) // no list can tell
		f.die(lender)
		if !w.gone(first) {
			t.Error("the address is used although its container has ended")
		}
		f.set(func() { f.hold = nil })
		close(hold)
		f.set(func() { f.boxes[lender].state, f.boxes[lender].ip = running, "10.0.0.2" })
		f.emit("container start", lender)
		time.Sleep(time.Second)
		w.expect("it is back", "guest: at http://10.0.0.2:90/mcp")
		second := w.instance()
		if second.Same(first) || w.gone(second) {
			t.Errorf("first %+v, second %+v", first, second)
		}
	})
}

func TestSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w, id := watchOne(t)
		first := w.instance()
		time.Sleep(2 * time.Second)
		f.emit("container kill 1", id)
		w.quiet("a hangup")
		time.Sleep(2 * time.Second)
		f.emit("container kill 15", id)
		w.expect("told to stop", "a: at http://10.0.0.2:80/mcp (draining)")
		if w.gone(first) {
			t.Error("gone before it ended")
		}
		time.Sleep(15*time.Second - time.Millisecond)
		w.quiet("it takes its time")
		time.Sleep(time.Millisecond)
		w.expect("it has not stopped", "a: at http://10.0.0.2:80/mcp")
		time.Sleep(2 * time.Second)
		f.emit("container kill 9", id) // the engine's list has it running for a moment yet
		if !w.gone(first) {
			t.Error("not gone at kill 9")
		}
	})
}

// A list that was begun before a container died must not bring it back.
func TestListOlderThanADeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w, id := watchOne(t)
		time.Sleep(2 * time.Second)
		hold := make(chan struct{})
		f.set(func() { f.hold = hold })
		f.emit("container rename", id) // causes a list, which waits
		synctest.Wait()
		f.set(func() { f.hold = nil })
		f.die(id)
		synctest.Wait()
		close(hold)
		w.expect("the old list", "a: at; stopped: container a has ended; its server is withdrawn unless it comes back soon")
		time.Sleep(250 * time.Millisecond)
		w.quiet("the next list")
	})
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		id := f.put("a", "10.0.0.2")
		status := func(status string) {
			time.Sleep(2 * time.Second)
			f.set(func() { f.boxes[id].status = status })
			f.emit("container health_status: x", id)
		}
		f.boxes[id].status = "Up 1 second (health: starting)"
		w := watch(t, f, nil)
		w.expect("starting", "a: at; waiting: waiting for the health check of container a")
		status("Up 2 seconds (healthy)")
		w.expect("healthy", "a: at http://10.0.0.2:80/mcp")
		if w.instance().Booting {
			t.Error("what is healthy is not booting")
		}
		status("Up 4 seconds (unhealthy)")
		w.expect("unhealthy", "a: at http://10.0.0.2:80/mcp (draining)")
		time.Sleep(2 * time.Second)
		f.die(id)
		w.expect("dead", "a: at; stopped: container a has ended; its server is withdrawn unless it comes back soon")
		f.start("a", "10.0.0.2")
		f.set(func() { f.boxes[id].status = "Up 1 second (unhealthy)" })
		time.Sleep(250 * time.Millisecond)
		w.expect("unhealthy from the start", "a: at; waiting: the health check of container a says unhealthy; mend it, or set mcphub.health=ignore")
	})
}

func TestCrashLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w, id := watchOne(t)
		for range 5 {
			time.Sleep(2 * time.Second)
			f.start("a", "10.0.0.2")
			time.Sleep(2 * time.Second)
			f.die(id)
		}
		f.set(func() { f.boxes[id].state = restarting })
		time.Sleep(time.Second)
		w.expect("again and again", "a: at; crashing: container a ends again and again; its log says why")
		time.Sleep(2 * time.Minute)
		w.expect("the engine still tries", "a: at; stopped: container a is being restarted")
	})
}
