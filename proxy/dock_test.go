package proxy

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/mcpserver"
)

// dock is a hub with one server that runs in containers, for tests in a bubble. Each
// container is a remote: its id is its address and the container's name.
type dock struct {
	t       *testing.T
	hub     *Hub
	server  discovery.Server
	desired chan discovery.Desired
	remotes map[string]*remote
	gone    map[string]chan struct{}
	runs    int
}

// newDock starts a hub, and containers that are up.
func newDock(t *testing.T, ids ...string) *dock {
	d := &dock{
		t: t, hub: idleHub(t, Reconnect{3, time.Second, 30 * time.Second}), desired: make(chan discovery.Desired),
		remotes: map[string]*remote{}, gone: map[string]chan struct{}{},
		server: discovery.Server{
			ID: "s", Origin: discovery.Label, Drain: 10 * time.Second,
			Spec: discovery.Spec{Transport: discovery.StreamableHTTP, InContainer: true},
		},
	}
	d.hub.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, _ := strings.Cut(address, ".test:")
		return d.remotes[host].dial(ctx, network, address)
	}
	ctx, stop := context.WithCancel(context.Background())
	beside(t, func() { d.hub.Run(ctx, d.desired) }, stop)
	for _, id := range ids {
		d.run(id, isUp)
	}
	if len(ids) > 0 {
		d.declare()
		time.Sleep(time.Second)
	}
	return d
}

// run adds a container that runs.
func (d *dock) run(id, state string) {
	if d.remotes[id] == nil {
		d.remotes[id] = newRemote(d.t, id, state)
	}
	d.remotes[id].set(state)
	d.runs++
	d.gone[id] = make(chan struct{})
	d.server.Instances = append(slices.Clone(d.server.Instances), discovery.Instance{
		Container: id, Name: id, Run: d.runs, URL: "http://" + id + ".test/mcp", Booting: true, Gone: d.gone[id],
	})
	d.server.Absence = discovery.Absence{}
}

// drop takes a container out of the declaration, though it runs.
func (d *dock) drop(id string) {
	d.server.Instances = slices.DeleteFunc(slices.Clone(d.server.Instances), func(i discovery.Instance) bool { return i.Name == id })
	if len(d.server.Instances) == 0 {
		d.server.Absence = discovery.Absence{State: "stopped", Reason: "container " + id + " has ended"}
	}
}

// die ends a container: first its connections break, then the hub hears of it.
func (d *dock) die(id string) {
	d.remotes[id].set(refuses)
	close(d.gone[id])
	d.drop(id)
	d.declare()
}

// edit changes what is declared of a container.
func (d *dock) edit(id string, change func(*discovery.Instance)) {
	d.server.Instances = slices.Clone(d.server.Instances)
	for n := range d.server.Instances {
		if d.server.Instances[n].Name == id {
			change(&d.server.Instances[n])
		}
	}
	d.declare()
}

// declare tells the hub how things are, and waits until it has taken that in.
func (d *dock) declare() {
	d.desired <- discovery.Desired{Servers: []discovery.Server{d.server}}
	synctest.Wait()
}

// goodbyes returns how many sessions have been ended at a container.
func (d *dock) goodbyes(id string) (n int) {
	for _, m := range seen(d.remotes[id], &d.remotes[id].got) {
		if m == "goodbye" {
			n++
		}
	}
	return n
}

// calls returns how many calls of tools a container has got.
func (d *dock) calls(id string) (n int) {
	for _, m := range seen(d.remotes[id], &d.remotes[id].got) {
		if strings.HasPrefix(m, "tools/call") {
			n++
		}
	}
	return n
}

// changes returns what clients at /mcp have been told of since a view.
func (d *dock) changes(since *view) mcpserver.Changes {
	return d.hub.view().catalogs[aggregatePath].changes(since.catalogs[aggregatePath])
}

// call calls the tool and returns the answer.
func (c *bubbleClient) call() string {
	return c.request("tools/call", `{"name":"s__echo"}`).Body.String()
}

// mustCall fails the test unless the call is answered well.
func (d *dock) mustCall(c *bubbleClient) {
	d.t.Helper()
	if got := c.call(); !strings.Contains(got, `"content"`) {
		d.t.Errorf("a call: %s", got)
	}
}
