package proxy

import (
	"context"
	"maps"
	"slices"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
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
	session     *mcpclient.Session         // the hub's own; nil unless connected
	features    *features                  // the last known; nil if there never were any
	variants    map[*declaration]*features // what it offers to clients with a declaration; never modified
	initialized jsonrpc.Raw                // the last answer to initialize; nil if there never was one
	version     string                     // of the protocol, while connected
	since       time.Time                  // of the phase
	err         error                      // why it is not connected; nil if it is
	attempts    int                        // tries since it was last connected
	next        time.Time                  // of the next try; zero while connected
}

// listed reports whether the server's features belong into lists.
func (s *state) listed() bool { return s.phase != failed }

// view is all that requests need to know. It is never modified.
type view struct {
	desired  discovery.Desired
	servers  map[string]*state
	ids      []string             // of servers, sorted
	catalogs map[string]*catalog  // by the endpoint's path
	variants map[variant]*catalog // where clients with a declaration see something else
	members  map[string][]string  // endpoint → ids of its servers, sorted
	restless map[string][]*link   // endpoint → links of its servers that are not connected
	replaced chan struct{}        // closed when a newer view is published

	desiredKnown bool // false until discovery has spoken
}

// variant is an endpoint as clients with a declaration see it.
type variant struct {
	endpoint string
	to       *declaration
}

// catalog returns what an endpoint shows to clients with a declaration.
func (v *view) catalog(endpoint string, to *declaration) *catalog {
	if c := v.variants[variant{endpoint, to}]; c != nil {
		return c
	}
	if c := v.catalogs[endpoint]; c != nil {
		return c
	}
	return emptyCatalog
}

var emptyCatalog = newCatalog(nil, prefixed, nil)

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
		catalogs: map[string]*catalog{}, variants: map[variant]*catalog{}, members: map[string][]string{}, restless: map[string][]*link{},
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
	v.members[endpoint] = ids
	for _, s := range v.scope(endpoint) {
		if s.phase != connected {
			v.restless[endpoint] = append(v.restless[endpoint], s.link)
		}
	}
	if before == nil {
		before = new(view)
	}
	all := v.offers(endpoint, nil)
	v.catalogs[endpoint] = catalogOf(all, n, before.catalogs[endpoint])
	for to := range v.declarations(endpoint) {
		if own := v.offers(endpoint, to); !slices.Equal(own, all) {
			v.variants[variant{endpoint, to}] = catalogOf(own, n, before.catalog(endpoint, to))
		}
	}
}

// catalogOf returns the catalog of the offers: the last one, if it still is.
func catalogOf(offers []offer, n naming, last *catalog) *catalog {
	if last != nil && slices.Equal(last.inputs, offers) && last != emptyCatalog {
		return last
	}
	return newCatalog(offers, n, last)
}

// offers returns what the servers of an endpoint offer to clients with a
// declaration.
func (v *view) offers(endpoint string, to *declaration) (offers []offer) {
	for _, s := range v.scope(endpoint) {
		if f := s.offered(to); f != nil {
			offers = append(offers, offer{s.server.ID, s.server.Origin, f, s.listed()})
		}
	}
	return offers
}

// declarations returns those that any server of an endpoint has been listed for.
func (v *view) declarations(endpoint string) map[*declaration]bool {
	all := map[*declaration]bool{}
	for _, s := range v.scope(endpoint) {
		for to := range s.variants {
			all[to] = true
		}
	}
	return all
}

// sameCatalogs reports whether v shows the same as before at every endpoint.
func (v *view) sameCatalogs(before *view) bool {
	return maps.Equal(v.catalogs, before.catalogs) && maps.Equal(v.variants, before.variants)
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
