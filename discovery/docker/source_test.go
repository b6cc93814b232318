package docker

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEventsAfterQuietAreFollowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w, _ := watchOne(t)
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

// Engines tell of some changes, a pause for one, before their lists show them.
func TestListsThatAreBehindEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w, id := watchOne(t)
		time.Sleep(2 * time.Second)
		f.emit("container pause", id)
		time.Sleep(100 * time.Millisecond)
		f.put("a", "10.0.0.3")
		time.Sleep(150 * time.Millisecond)
		w.expect("in the second list", "a: at http://10.0.0.3:80/mcp")
	})
}

func TestCase46_LostEventsAreMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		w := watch(t, f, nil)
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

// While a list takes its time, events are read all the same: a reader that stalled would
// lose some, and slow the engine down.
func TestReaderNeverStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, id := watchOne(t)
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

// A container that the engine cannot describe for once still runs.
func TestUnreadableIsNotDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w, id := watchOne(t)
		before := w.instance()
		time.Sleep(2 * time.Second)
		f.set(func() {
			delete(f.boxes, id)
			f.raw = []string{fmt.Sprintf(`{"Id":%q,"Names":["/a"],"State":"running","Labels":{"mcphub.enable":"true"},"Ports":7}`, id)}
		})
		f.send("container rename", id, map[string]string{"mcphub.enable": "true"})
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

func TestCase20_UnreadableContainersHideNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		f.put("a", "10.0.0.2")
		f.raw = []string{
			`{"Id":"1","Names":["/odd"],"State":"running","Labels":{"mcphub.port":"80"},"NetworkSettings":{"Networks":{"b":{"IPAddress":"invalid IP","MacAddress":"zz"}}},"Health":"healthy"}`,
			`{"Id":"2","Names":["/bad"],"State":"running","Labels":{"mcphub.port":"80"},"Ports":"none"}`,
			`{"Id":3,"Names":"x"}`, `"text"`, `null`,
			`{"Id":"4","Names":["/length"],"State":"running","Labels":{"mcphub.port":"80"},"NetworkSettings":{"Networks":{"b":{"IPAddress":"10.88.0.5/16"}}}}`,
		}
		w := watch(t, f, nil)
		w.expect("beside odd ones", "a: at http://10.0.0.2:80/mcp; length: at http://10.88.0.5:80/mcp; "+
			"odd: at; unreachable: odd has no address on any network; "+
			"bad, of container bad, is invalid: what the engine says of the container cannot be read: its Ports is a string")
	})
}

func TestSelfBehindAFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		hub := f.put("hub", "10.0.0.9")
		delete(f.boxes[hub].labels, "mcphub.enable")
		f.put("a", "10.0.0.2")
		w := watch(t, f, func(o *Options) { o.RequireEnable, o.Self = true, hub })
		w.expect("the hub's networks are known", "a: at http://10.0.0.2:80/mcp")
		if w.source.options.Self != hub || f.count("list") != 2 {
			t.Errorf("%d lists, want one beside that of servers", f.count("list"))
		}
	})
}

// versions are an engine's, and whether a proxy lets the hub know them.
type versions struct {
	name, min, max string
	silent         bool // the ping tells none
	ping           int  // the status of the ping, if it is refused
}

// What engines speak, and proxies let through, is found out.
func TestCase50_Versions(t *testing.T) {
	all := []versions{
		{name: "20.10", min: "1.12", max: "1.41"},
		{name: "29.0", min: "1.44", max: "1.52"},
		{name: "29.3", min: "1.40", max: "1.56"},
		{name: "one to come", min: "1.58", max: "1.60"},
		{name: "no version told", min: "1.12", max: "1.41", silent: true},
		{name: "no ping", min: "1.12", max: "1.41", ping: 403},
		{name: "no ping, newest", min: "1.40", max: "1.56", ping: 403},
	}
	for minor := 40; minor <= 56; minor++ {
		only := fmt.Sprintf("1.%d", minor)
		all = append(all, versions{name: "only " + only, min: only, max: only}, versions{name: "no ping, only " + only, min: only, max: only, ping: 403})
	}
	for _, v := range all {
		t.Run(v.name, func(t *testing.T) { synctest.Test(t, v.check) })
	}
}

func (v versions) check(t *testing.T) {
	f := newFakeEngine(t)
	f.min, f.max, f.silent = v.min, v.max, v.silent
	if v.ping != 0 {
		f.refuse["ping"] = v.ping
	}
	f.put("a", "10.0.0.2")
	w := watch(t, f, nil)
	w.expect("at start", "a: at http://10.0.0.2:80/mcp")
	f.start("b", "10.0.0.3")
	w.expect("an event", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp")
}

func TestEngineTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		f.max = "1.39"
		w := watch(t, f, nil)
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
		w := watch(t, f, nil)
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
