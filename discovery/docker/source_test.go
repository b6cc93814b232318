package docker

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/events"
)

func TestEventsAfterQuietAreFollowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp")
		f.start("b", "10.0.0.3")
		w.expect("the first event", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp")

		// A bunch of events waits for a pause.
		time.Sleep(500 * time.Millisecond)
		f.start("c", "10.0.0.4")
		time.Sleep(249 * time.Millisecond)
		w.quiet("an event within a second of another")
		time.Sleep(time.Millisecond)
		w.expect("a pause", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp; c: at http://10.0.0.4:80/mcp")

		// But not for ever.
		time.Sleep(100 * time.Millisecond)
		id := f.put("c", "10.0.0.5")
		before := f.count("list")
		for range 11 {
			f.emit("container rename", id)
			time.Sleep(200 * time.Millisecond)
		}
		if n := f.count("list") - before; n != 1 {
			t.Errorf("%d lists in 2.2 s of events, want 1", n)
		}
		w.expect("two seconds of events", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp; c: at http://10.0.0.5:80/mcp")
	})
}

// A container is put into its network before it starts: that must not make its start
// one of a bunch.
func TestNetworkEventsMakeNoBunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "nothing")
		time.Sleep(2 * time.Second)
		f.emit("network connect", "n")
		time.Sleep(100 * time.Millisecond)
		f.start("a", "10.0.0.2")
		w.expect("at the start", "a: at http://10.0.0.2:80/mcp")
		f.put("a", "10.0.0.3")
		f.emit("network connect", "n")
		time.Sleep(250 * time.Millisecond)
		w.expect("a network event alone", "a: at http://10.0.0.3:80/mcp")
	})
}

func TestLostEventsAreMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "nothing")
		f.put("a", "10.0.0.2")
		time.Sleep(time.Minute - time.Millisecond)
		w.quiet("before the minute")
		time.Sleep(time.Millisecond)
		w.expect("after a minute", "a: at http://10.0.0.2:80/mcp")
		time.Sleep(time.Hour)
		w.quiet("nothing has changed")
	})
}

func TestDeathAndLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		id := f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp")
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
		f := newFakeEngine(t)
		id := f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp")
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

func TestSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		id := f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp")
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
		f := newFakeEngine(t)
		id := f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp")
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

// While a list takes its time, events are read all the same: a reader that stalled would
// lose some, and slow the engine down.
func TestReaderNeverStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		id := f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp")
		hold := make(chan struct{})
		f.set(func() { f.hold = hold })
		for range 2000 {
			f.emit("container rename", id)
		}
		synctest.Wait()
		f.mu.Lock()
		for stream := range f.streams {
			if len(stream) > 0 {
				t.Errorf("%d events were not read", len(stream))
			}
		}
		f.mu.Unlock()
		close(hold)
	})
}

func TestEngineAwayAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		f.down = true
		w, stop := watch(t, f, nil)
		defer stop()
		synctest.Wait()
		select {
		case w.last = <-w.lists:
		default:
			t.Error("the other sources have to wait")
		}
		if err := w.source.LastError(); err == nil || !strings.Contains(err.Error(), "there is no socket at /nowhere/docker.sock") {
			t.Errorf("LastError: %v", err)
		}
		f.put("a", "10.0.0.2")
		time.Sleep(25 * time.Hour)
		w.quiet("a day later")
		f.set(func() { f.down = false })
		time.Sleep(37 * time.Second) // the longest delay, and its jitter
		w.expect("there it is", "a: at http://10.0.0.2:80/mcp")
		if err := w.source.LastError(); err != nil {
			t.Errorf("LastError: %v", err)
		}
	})
}

func TestEngineGoesAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		a := f.put("a", "10.0.0.2")
		f.put("b", "10.0.0.3")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp")
		before := w.last.Servers
		f.cut(true)
		time.Sleep(time.Hour)
		w.quiet("the last list stays")
		if w.source.LastError() == nil || w.gone(before[0].Instances[0]) {
			t.Error("an engine that is away is news, and no reason to give up what runs")
		}
		f.set(func() {
			f.down = false
			f.boxes[a].state = "exited"
		})
		time.Sleep(37 * time.Second)
		w.expect("it is back", "b: at http://10.0.0.3:80/mcp")
		if !w.gone(before[0].Instances[0]) || w.gone(before[1].Instances[0]) || !w.last.Servers[0].Instances[0].Same(before[1].Instances[0]) {
			t.Error("what still runs must stay what it was, and what does not be gone")
		}
	})
}

// What happened while the stream of events was cut is asked for again; what was heard
// before is not taken for news.
func TestEventsAreCaughtUpWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		a, b := f.put("a", "10.0.0.2"), f.put("b", "10.0.0.3")
		w, stop := watch(t, f, nil)
		defer stop()
		synctest.Wait()
		time.Sleep(2 * time.Second)
		f.die(b)
		time.Sleep(2 * time.Second)
		f.start("b", "10.0.0.3")
		w.expect("before", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp")
		before := w.last.Servers
		f.cut(false)
		time.Sleep(time.Millisecond)
		f.emit("container die", a)
		f.emit("container start", a) // at the same address
		time.Sleep(2 * time.Second)
		w.expect("after", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp")
		after := w.last.Servers
		if !w.gone(before[0].Instances[0]) || after[0].Instances[0].Same(before[0].Instances[0]) {
			t.Error("a restart was missed")
		}
		if w.gone(before[1].Instances[0]) || !after[1].Instances[0].Same(before[1].Instances[0]) {
			t.Error("an old death was taken for a new one")
		}
	})
}

// An event that was heard before, and comes again after a list, ends nothing.
func TestEventsHeardAgain(t *testing.T) {
	s := &Source{lives: newLives(), flag: make(chan struct{}, 1), later: make(chan struct{}, 1)}
	run, _ := s.lives.present("a", 0)
	s.hear(events.Message{Type: "container", Action: "die", Actor: events.Actor{ID: "a"}}, true)
	select {
	case <-run.gone:
		t.Error("an old death was taken for a new one")
	case <-s.flag:
	}
}

// A container that the engine cannot describe for once still runs.
func TestUnreadableIsNotDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		id := f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp")
		before := w.instance()
		time.Sleep(2 * time.Second)
		f.set(func() {
			delete(f.boxes, id)
			f.raw = []string{fmt.Sprintf(`{"Id":%q,"Names":["/a"],"State":"running","Labels":{"mcphub.enable":"true"},"Ports":7}`, id)}
		})
		f.emit("container rename", id)
		w.expect("unreadable", "a: at; stopped: container a has ended; its server is withdrawn unless it comes back soon; "+
			"a, of container a, is invalid: what the engine says of the container cannot be read: its Ports is a number")
		if w.gone(before) {
			t.Error("gone while it runs")
		}
		f.put("a", "10.0.0.2")
		f.set(func() { f.raw = nil })
		time.Sleep(2 * time.Second)
		f.emit("container rename", id)
		w.expect("readable again", "a: at http://10.0.0.2:80/mcp")
		if !w.instance().Same(before) {
			t.Error("it is not what it was")
		}
	})
}

// A list that fails changes nothing, and is tried again.
func TestListFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp")
		time.Sleep(2 * time.Second)
		f.set(func() { f.refuse["list"] = 500 })
		f.start("b", "10.0.0.3")
		w.quiet("an error")
		if err := w.source.LastError(); err == nil || err.Error() != "list containers: status 500: refused" {
			t.Errorf("LastError: %v", err)
		}
		f.set(func() { delete(f.refuse, "list") })
		time.Sleep(time.Minute)
		w.expect("well again", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp")
	})
}

// Where a proxy in front of the engine allows no events, lists have to do.
func TestEventsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		f.refuse["events"] = 403
		f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp")
		if err := w.source.LastError(); err == nil || !strings.HasPrefix(err.Error(), "events: ") {
			t.Errorf("LastError: %v", err)
		}
		time.Sleep(5 * time.Minute)
		if n := f.count("list"); n < 5*60/12 {
			t.Errorf("%d lists in five minutes", n)
		}
		f.put("b", "10.0.0.3")
		time.Sleep(12 * time.Second)
		w.expect("soon", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp")
	})
}

// podman sends no headers before the first event.
func TestStreamWithoutHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		f.late = true
		f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		time.Sleep(2 * time.Second)
		w.expect("after two seconds", "a: at http://10.0.0.2:80/mcp")
		f.start("b", "10.0.0.3")
		w.expect("the first event", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp")
	})
}

func TestUnreadableContainersHideNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		f.put("a", "10.0.0.2")
		f.raw = []string{
			`{"Id":"1","Names":["/odd"],"State":"running","Labels":{"mcphub.port":"80"},"NetworkSettings":{"Networks":{"b":{"IPAddress":"invalid IP","MacAddress":"zz"}}},"Health":"healthy"}`,
			`{"Id":"2","Names":["/bad"],"State":"running","Labels":{"mcphub.port":"80"},"Ports":"none"}`,
			`{"Id":3,"Names":"x"}`, `"text"`, `null`,
			`{"Id":"4","Names":["/length"],"State":"running","Labels":{"mcphub.port":"80"},"NetworkSettings":{"Networks":{"b":{"IPAddress":"10.88.0.5/16"}}}}`,
		}
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("beside odd ones", "a: at http://10.0.0.2:80/mcp; length: at http://10.88.0.5:80/mcp; "+
			"odd: at; unreachable: odd has no address on any network; "+
			"bad, of container bad, is invalid: what the engine says of the container cannot be read: its Ports is a string")
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
		w, stop := watch(t, f, nil)
		defer stop()
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
		f := newFakeEngine(t)
		id := f.put("a", "10.0.0.2")
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "a: at http://10.0.0.2:80/mcp")
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

func TestSelfBehindAFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		hub := f.put("hub", "10.0.0.9")
		delete(f.boxes[hub].labels, "mcphub.enable")
		f.put("a", "10.0.0.2")
		w, stop := watch(t, f, func(o *Options) { o.RequireEnable, o.Self = true, hub })
		defer stop()
		w.expect("the hub's networks are known", "a: at http://10.0.0.2:80/mcp")
		if w.source.options.Self != hub || f.count("list") != 2 {
			t.Errorf("%d lists, want one beside that of servers", f.count("list"))
		}
	})
}

// What engines speak, and proxies let through, is found out.
func TestVersions(t *testing.T) {
	for _, test := range []struct {
		name, min, max string
		silent         bool
		ping           int
	}{
		{name: "20.10", min: "1.12", max: "1.41"},
		{name: "29.0", min: "1.44", max: "1.52"},
		{name: "29.3", min: "1.40", max: "1.56"},
		{name: "one to come", min: "1.58", max: "1.60"},
		{name: "no version told", min: "1.12", max: "1.41", silent: true},
		{name: "no ping", min: "1.12", max: "1.41", ping: 403},
		{name: "no ping, newest", min: "1.40", max: "1.56", ping: 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeEngine(t)
				f.min, f.max, f.silent = test.min, test.max, test.silent
				if test.ping != 0 {
					f.refuse["ping"] = test.ping
				}
				f.put("a", "10.0.0.2")
				w, stop := watch(t, f, nil)
				defer stop()
				w.expect("at start", "a: at http://10.0.0.2:80/mcp")
				f.start("b", "10.0.0.3")
				w.expect("an event", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp")
			})
		})
	}
}

func TestEngineTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		f.max = "1.39"
		w, stop := watch(t, f, nil)
		defer stop()
		w.expect("at start", "nothing")
		if err := w.source.LastError(); err == nil || !strings.Contains(err.Error(), "minimum supported API version is 1.40") {
			t.Errorf("LastError: %v", err)
		}
	})
}

func TestManyContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		for i := range 100 {
			f.put(fmt.Sprintf("c%02d", i), fmt.Sprintf("10.0.1.%d", i+1))
		}
		w, stop := watch(t, f, nil)
		defer stop()
		synctest.Wait()
		w.last = <-w.lists
		if len(w.last.Servers) != 100 || len(w.last.Problems) != 0 {
			t.Fatalf("%d servers, problems %v", len(w.last.Servers), w.last.Problems)
		}
		time.Sleep(2 * time.Second)
		f.set(func() { clear(f.boxes) })
		f.emit("container destroy", "x")
		time.Sleep(11 * time.Second)
		w.expect("all removed", "nothing")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := len(w.source.lives.runs); n != 0 {
			t.Errorf("%d containers are remembered", n)
		}
	})
}
