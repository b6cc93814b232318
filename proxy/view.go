package proxy

import (
	"context"
	"maps"
	"slices"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

// phase is where a server's connection stands.
type phase string

const (
	starting  phase = "starting"  // the first try is not over
	connected phase = "connected" // its features are known and it answers
	away      phase = "away"      // lost or not reached; it is being tried
	failed    phase = "failed"    // tried often enough to take its features off the lists; still tried
)

// state is what is known of one server. A link makes it; it is never modified.
type state struct {
	link        *link
	server      discovery.Server
	phase       phase
	session     *mcpclient.Session // the hub's own; nil unless connected
	features    *features          // the last known; nil if there never were any
	initialized jsonrpc.Raw        // the last answer to initialize; nil if there never was one
	version     string             // of the protocol, while connected
	since       time.Time          // of the phase
	err         error              // why it is not connected; nil if it is
	attempts    int                // tries since it was last connected
	next        time.Time          // of the next try; zero while connected
}

// listed reports whether the server's features belong into lists.
func (s *state) listed() bool { return s.phase != failed }

// view is all that requests need to know. It is never modified.
type view struct {
	desired  discovery.Desired
	servers  map[string]*state
	ids      []string            // of servers, sorted
	catalogs map[string]*catalog // by the endpoint's path
	members  map[string][]string // endpoint → ids of its servers, sorted
	restless map[string][]*link  // endpoint → links of its servers that are not connected
	replaced chan struct{}       // closed when a newer view is published

	desiredKnown bool // false until discovery has spoken
}

// The endpoints' paths.
const (
	aggregatePath = "/mcp"
	groupPath     = "/mcp/group/"
	serverPath    = "/mcp/server/"
)

// newView computes a view. Catalogs of before are kept where nothing has changed.
func newView(d discovery.Desired, servers map[string]*state, before *view) *view {
	v := &view{
		desired: d, servers: maps.Clone(servers), ids: slices.Sorted(maps.Keys(servers)),
		catalogs: map[string]*catalog{}, members: map[string][]string{}, restless: map[string][]*link{},
		replaced: make(chan struct{}), desiredKnown: before != nil,
	}
	v.show(aggregatePath, v.ids, prefixed, before)
	for group, members := range d.Groups {
		v.show(groupPath+group, members, prefixed, before)
	}
	for _, id := range v.ids {
		v.show(serverPath+id, []string{id}, bare, before)
	}
	return v
}

// show adds an endpoint that shows the servers with these ids, which are sorted.
func (v *view) show(endpoint string, ids []string, n naming, before *view) {
	var offers []offer
	for _, id := range ids {
		if s := v.servers[id]; s != nil && s.features != nil {
			offers = append(offers, offer{id, s.server.Origin, s.features, s.listed()})
		}
	}
	var last *catalog
	if before != nil {
		last = before.catalogs[endpoint]
	}
	v.members[endpoint] = ids
	for _, s := range v.scope(endpoint) {
		if s.phase != connected {
			v.restless[endpoint] = append(v.restless[endpoint], s.link)
		}
	}
	if last != nil && slices.Equal(last.inputs, offers) {
		v.catalogs[endpoint] = last
		return
	}
	v.catalogs[endpoint] = newCatalog(offers, n, last)
}

// changes returns the endpoints of before whose lists clients see differently in
// v. Those that are gone have no sessions to tell.
func (v *view) changes(before *view) map[string]mcpserver.Changes {
	changed := map[string]mcpserver.Changes{}
	for endpoint, now := range v.catalogs {
		if last := before.catalogs[endpoint]; last != nil && last != now {
			if lists := now.changes(last); lists != 0 {
				changed[endpoint] = lists
			}
		}
	}
	return changed
}

// scope returns the states of an endpoint's servers, by id.
func (v *view) scope(endpoint string) []*state {
	states := make([]*state, 0, len(v.members[endpoint]))
	for _, id := range v.members[endpoint] {
		if s := v.servers[id]; s != nil {
			states = append(states, s)
		}
	}
	return states
}

// await waits until ready accepts a view, or ctx ends, and returns the last view
// seen.
func (h *Hub) await(ctx context.Context, ready func(*view) bool) *view {
	for {
		v := h.view()
		if ready(v) {
			return v
		}
		select {
		case <-v.replaced:
		case <-ctx.Done():
			return v
		}
	}
}
