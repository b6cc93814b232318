package docker

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/events"
)

func TestCase44_AwayFor25Hours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		f.down = true
		w := watch(t, f, nil)
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
		w := watch(t, f, nil)
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
		time.Sleep((37 + 10 + 1) * time.Second) // the longest delay, and what is gone lingers
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
		w := watch(t, f, nil)
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
	s := &Source{options: Options{LabelPrefix: "mcphub"}, lives: newLives(), flag: make(chan struct{}, 1), later: make(chan struct{}, 1)}
	run, _ := s.lives.present("a", 0)
	s.hear(events.Message{Type: "container", Action: "die", Actor: events.Actor{ID: "a", Attributes: map[string]string{"mcphub.enable": "true"}}}, true)
	select {
	case <-run.gone:
		t.Error("an old death was taken for a new one")
	case <-s.flag:
	}
}

// A list that fails changes nothing, and is tried again.
func TestListFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w, _ := watchOne(t)
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
		w := watch(t, f, nil)
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
		w := watch(t, f, nil)
		time.Sleep(2 * time.Second)
		w.expect("after two seconds", "a: at http://10.0.0.2:80/mcp")
		f.start("b", "10.0.0.3")
		w.expect("the first event", "a: at http://10.0.0.2:80/mcp; b: at http://10.0.0.3:80/mcp")
	})
}
