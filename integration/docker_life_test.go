package integration

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// The cases of containers that come, go and come again. What happens to one of them never shows at its neighbour.

func TestCase01_StartedBeforeTheHub(t *testing.T) {
	l := newLab(t)
	n := l.network()
	first, second := l.run(ownServer("first").on(n)), l.run(ownServer("second").on(n))
	hub := l.containedHub(n)
	hub.until("first connected", "second connected")
	c := hub.open("/mcp")
	hub.serves(c, "first", first)
	hub.serves(c, "second", second)
	if got := hub.server("first"); got.Container != first.name || got.Source != "label" {
		t.Errorf("/health says %+v, want the container %s and the source label", got, first.name)
	}
}

func TestCase02_StartedAfterTheHub(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	hub.until()
	c := hub.open("/mcp")
	heard := c.listen(t)
	late := l.serve("late")
	awaitMethod(t, heard, toolsChanged, labLimit)
	hub.serves(c, "late", late)
	if _, err := c.call(t.Context(), "late__extra", map[string]any{"on": true}); err != nil {
		t.Fatal(err)
	}
	awaitMethod(t, heard, toolsChanged, labLimit)
	if names, err := c.tools(t.Context()); err != nil || !slices.Contains(names, "late__more") {
		t.Errorf("tools after the server added one: got %q, %v; want late__more among them", names, err)
	}
}

func TestCase03_Stopped(t *testing.T) {
	l := newLab(t)
	hub := l.hub(shortLinger)
	neighbour, server := l.serve("neighbour"), l.serve("server")
	hub.until("neighbour connected", "server connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	server.stop()
	hub.until("neighbour connected")
	awaitMethod(t, heard, toolsChanged, labLimit)
	if got := hub.asks(c, "server"); !strings.Contains(got, "server__whoami") {
		t.Errorf("a call of a stopped server's tool: got %s, want that it is not known", got)
	}
	hub.serves(c, "neighbour", neighbour)
	server.start()
	awaitMethod(t, heard, toolsChanged, labLimit)
	hub.serves(c, "server", server)
}

func TestCase04_Killed(t *testing.T) { endsInACall(t, (*box).kill) }

// endsInACall has a container end for good, in whatever way, while its server is called.
func endsInACall(t *testing.T, end func(*box)) {
	l := newLab(t)
	hub := l.hub(shortLinger)
	neighbour, server := l.serve("neighbour"), l.serve("server")
	hub.until("neighbour connected", "server connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	call := startSleep(t, c, "server")
	end(server)
	call.fails(t, "server")
	hub.serves(c, "neighbour", neighbour)
	awaitMethod(t, heard, toolsChanged, labLimit)
	hub.until("neighbour connected")
	expectServers(t, c, "neighbour")
}

func TestCase05_RestartedAtTheSameAddress(t *testing.T) {
	l := newLab(t)
	n := l.network()
	l.run(ownServer("neighbour").on(n))
	server := l.run(ownServer("server").on(n))
	hub := l.containedHub(n)
	hub.until("neighbour connected", "server connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	calls := startCaller(t, c, false, "server__add", "neighbour__add")
	before := l.address(server, n)
	restart := server.restart()
	if after := l.address(server, n); after != before {
		t.Fatalf("the address was %s and is %s: this is not the case", before, after)
	}
	calls.awaitServed(t, "server__add", restart.ended)
	calls.stop()
	calls.checkBut(t, restart.began, restart.died)
	hub.serves(c, "server", server)
	expectNothing(t, heard)
}

func TestCase06_RestartedWhileItsAddressIsTaken(t *testing.T) {
	l := newLab(t)
	n := l.subnet()
	server := l.run(ownServer("server").on(n))
	address := l.address(server, n)
	hub := l.hub()
	hub.until("server connected")
	c := hub.open("/mcp")
	calls := startCaller(t, c, false, "server__add")
	calls.awaitServed(t, "server__add", time.Now())
	stop := server.stop()
	taker := ownServer("taker").on(n)
	taker.Address = address
	thief := l.run(taker)
	hub.until("server stopped", "taker connected")
	server.start()
	if l.address(server, n) == address {
		t.Fatalf("the address is %s again: this is not the case", address)
	}
	calls.awaitServed(t, "server__add", time.Now())
	calls.stop()
	calls.checkBut(t, stop.began, stop.died)
	hub.serves(c, "server", server)
	hub.serves(c, "taker", thief)
	if got, err := c.call(t.Context(), "taker__strangers", map[string]any{}); got != "0" || err != nil {
		t.Errorf("requests for the server that reached the taker of its address: got %s, %v; want none", got, err)
	}
}

func TestCase07_PausedInACall(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	neighbour, server := l.serve("neighbour"), l.serve("server")
	hub.until("neighbour connected", "server connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	call := startSleepOf(t, c, "server", time.Second)
	server.pause()
	hub.until("neighbour connected", "server suspended")
	hub.serves(c, "neighbour", neighbour)
	late := startCaller(t, c, true, "server__add") // a call that begins meanwhile waits as well
	time.Sleep(2 * time.Second)
	call.waits(t)
	server.unpause()
	call.answers(t)
	late.awaitServed(t, "server__add", time.Now())
	late.stop()
	late.check(t, time.Time{})
	hub.until("neighbour connected", "server connected")
	hub.serves(c, "server", server)
	expectNothing(t, heard)
}

func TestCase08_PausedForLongerThanACallMayTake(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	neighbour, server := l.serve("neighbour"), l.serve("server", ".timeout=2s")
	hub.until("neighbour connected", "server connected")
	c := hub.open("/mcp")
	heard := c.listen(t)
	call := startSleep(t, c, "server")
	server.pause()
	call.fails(t, "server", "2s")
	hub.serves(c, "neighbour", neighbour)
	server.unpause()
	hub.until("neighbour connected", "server connected")
	hub.serves(c, "server", server)
	expectNothing(t, heard)
}
