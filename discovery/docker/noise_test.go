package docker

import (
	"testing"
	"testing/synctest"
	"time"
)

// A container is put into its network before it starts: that must not make its start
// one of a bunch.
func TestNetworkEventsMakeNoBunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		w := watch(t, f, nil)
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

// On a busy engine something always happens. What does not concern the hub delays nothing
// that does, and is looked at all the same: a server may use the network of such a one.
func TestOtherContainersMakeNoBunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEngine(t)
		w := watch(t, f, func(o *Options) { o.Filter = "label=mine label=color=red" })
		w.expect("at start", "nothing")
		other := f.put("other", "10.0.0.9", "mine=", "color=blue")
		for range 20 {
			f.emit("container start", other)
			f.emit("container start", "of no label")
			time.Sleep(200 * time.Millisecond)
		}
		f.start("a", "10.0.0.2", "mine=", "color=red")
		w.expect("at once", "a: at http://10.0.0.2:80/mcp")
		time.Sleep(time.Second)
		f.put("a", "10.0.0.3", "mine=", "color=red")
		f.emit("container start", other)
		time.Sleep(250 * time.Millisecond)
		w.expect("an event of another alone", "a: at http://10.0.0.3:80/mcp")
	})
}
