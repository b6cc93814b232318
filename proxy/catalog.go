package proxy

import (
	"slices"
	"strings"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpserver"
)

// route is where a public name leads.
type route struct {
	server string
	name   jsonrpc.Raw // the server's own name, quoted
}

// catalog is what one endpoint shows, and where each of its names and URIs
// leads. It is a pure function of what the servers offer, and never modified.
type catalog struct {
	lists     [kinds]*listing
	names     [kinds]map[string]route // of tools and prompts
	uris      map[string]string       // resource URI → server
	patterns  []pattern               // of templates, the longest literal prefix first
	templates map[string]string       // URI template → server
	places    map[string][]string     // scheme and authority → servers, in order
	shadowed  map[string][]string     // server → URIs that another server has got
	inputs    []offer                 // what it was made from
}

// pattern is one resource template's way to a server.
type pattern struct {
	prefix  string
	feature *feature
	offer   *offer
}

// offer is what one server brings into a catalog.
type offer struct {
	server   string
	origin   discovery.Origin
	features *features
	listed   bool // false: its features are reachable but in no list
}

// naming is how an endpoint calls tools and prompts.
type naming int

const (
	prefixed naming = iota // serverId__name
	bare                   // the server's own names; prefixed ones are understood
)

// newCatalog returns the catalog of an endpoint that shows the offers, which are
// in the order of their ids. before is the endpoint's last catalog, or nil: a URI or
// template that two servers of the same origin list stays with the one that had it.
func newCatalog(offers []offer, n naming, before *catalog) *catalog {
	c := &catalog{
		inputs: offers, uris: map[string]string{}, templates: map[string]string{},
		places: map[string][]string{}, shadowed: map[string][]string{},
	}
	c.addNamed(tools, offers, n)
	c.addNamed(prompts, offers, n)
	c.addLocated(resources, offers, before)
	c.addLocated(templates, offers, before)
	slices.SortStableFunc(c.patterns, byPrefix)
	for _, o := range offers {
		c.addPlaces(o)
	}
	return c
}

// addNamed adds what is found by name.
func (c *catalog) addNamed(k kind, offers []offer, n naming) {
	var keys []string
	var items []jsonrpc.Raw
	c.names[k] = map[string]route{}
	for _, o := range offers {
		for _, f := range o.features.lists[k] {
			public, raw := publicName(o.server, f.key), f.raw
			c.names[k][public] = route{o.server, jsonrpc.Quote(f.key)}
			if n == bare {
				public = f.key
			} else {
				raw = jsonrpc.Set(raw, "name", jsonrpc.Quote(public))
			}
			if o.listed {
				keys, items = append(keys, public), append(items, raw)
			}
		}
	}
	if n == bare { // own names win over prefixed ones
		for _, o := range offers {
			for _, f := range o.features.lists[k] {
				c.names[k][f.key] = route{o.server, jsonrpc.Quote(f.key)}
			}
		}
	}
	c.lists[k] = newListing(k, keys, items)
}

// addLocated adds what is found by URI or template. These are not prefixed, so two
// servers may list the same: one of them holds it.
func (c *catalog) addLocated(k kind, offers []offer, before *catalog) {
	holders, last := c.holders(k), map[string]string(nil)
	if before != nil {
		last = before.holders(k)
	}
	c.hold(k, offers, holders, last)
	var keys []string
	var items []jsonrpc.Raw
	for i := range offers {
		o := &offers[i]
		for j := range o.features.lists[k] {
			f := &o.features.lists[k][j]
			if holders[f.key] != o.server {
				continue
			}
			if o.listed {
				keys, items = append(keys, f.key), append(items, f.raw)
			}
			if k == templates {
				prefix, _, _ := strings.Cut(f.key, "{")
				c.patterns = append(c.patterns, pattern{prefix, f, o})
			}
		}
	}
	c.lists[k] = newListing(k, keys, items)
}

// holders returns the server of each URI or template.
func (c *catalog) holders(k kind) map[string]string {
	if k == templates {
		return c.templates
	}
	return c.uris
}

// hold finds the holder of each URI or template; last says who held it before.
func (c *catalog) hold(k kind, offers []offer, holders, last map[string]string) {
	taken := map[string]*offer{}
	for i := range offers {
		o := &offers[i]
		for _, f := range o.features.lists[k] {
			holder := taken[f.key]
			if holder != nil && !beats(o, holder, last[f.key]) {
				c.shadowed[o.server] = append(c.shadowed[o.server], f.key)
				continue
			}
			if holder != nil {
				c.shadowed[holder.server] = append(c.shadowed[holder.server], f.key)
			}
			holders[f.key], taken[f.key] = o.server, o
		}
	}
}

// beats reports whether o takes from holder what both have: one that is listed
// from one that is not, then by origin, then the one that held it before.
func beats(o, holder *offer, before string) bool {
	switch {
	case o.listed != holder.listed:
		return o.listed
	case o.origin != holder.origin:
		return o.origin.Before(holder.origin)
	default:
		return before == o.server
	}
}

// byPrefix orders patterns: the longest literal prefix first.
func byPrefix(a, b pattern) int {
	switch {
	case len(a.prefix) != len(b.prefix):
		return len(b.prefix) - len(a.prefix)
	case beats(a.offer, b.offer, ""):
		return -1
	case beats(b.offer, a.offer, ""):
		return 1
	default:
		return 0
	}
}

// addPlaces notes at which schemes and authorities a server has resources.
func (c *catalog) addPlaces(o offer) {
	for _, k := range []kind{resources, templates} {
		for _, f := range o.features.lists[k] {
			if place := placeOf(f.key); !slices.Contains(c.places[place], o.server) {
				c.places[place] = append(c.places[place], o.server)
			}
		}
	}
}

// placeOf returns the scheme and the authority of a URI (RFC 3986, section 3).
func placeOf(uri string) string {
	scheme, rest, _ := strings.Cut(uri, ":")
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		authority, _, _ := strings.Cut(after, "/")
		return strings.ToLower(scheme + "://" + authority)
	}
	return strings.ToLower(scheme)
}

// servesURI returns the server that a URI leads to: the one that lists it, else
// the one whose template matches with the longest literal prefix.
func (c *catalog) servesURI(uri string) (server string, ok bool) {
	if server, ok := c.uris[uri]; ok {
		return server, true
	}
	for _, p := range c.patterns {
		if strings.HasPrefix(uri, p.prefix) && p.feature.pattern.MatchString(uri) {
			return p.offer.server, true
		}
	}
	return "", false
}

// servesTemplate returns the server that a completion's ref/resource leads to.
func (c *catalog) servesTemplate(uri string) (server string, ok bool) {
	if server, ok := c.templates[uri]; ok {
		return server, true
	}
	return c.servesURI(uri)
}

// changes returns which lists clients see differently in c than in before.
func (c *catalog) changes(before *catalog) (changed mcpserver.Changes) {
	for k, bit := range map[kind]mcpserver.Changes{
		tools: mcpserver.ToolsChanged, prompts: mcpserver.PromptsChanged,
		resources: mcpserver.ResourcesChanged, templates: mcpserver.ResourcesChanged,
	} {
		if !c.lists[k].equal(before.lists[k]) {
			changed |= bit
		}
	}
	return changed
}
