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
	server  string
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
// in the order of their ids. before is the endpoint's last catalog, or nil: a URI
// that two servers of the same origin list stays with the one that had it.
func newCatalog(offers []offer, n naming, before *catalog) *catalog {
	c := &catalog{
		inputs: offers, uris: map[string]string{}, templates: map[string]string{},
		places: map[string][]string{}, shadowed: map[string][]string{},
	}
	c.addNamed(tools, offers, n)
	c.addNamed(prompts, offers, n)
	c.addResources(offers, before)
	c.addTemplates(offers)
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

// addResources adds what is found by URI. URIs are not prefixed, so two servers
// may list the same: it goes to the first by origin, then to the one that had it
// before, then to the first by id.
func (c *catalog) addResources(offers []offer, before *catalog) {
	origins := map[string]discovery.Origin{}
	for _, o := range offers {
		for _, f := range o.features.lists[resources] {
			holder, taken := c.uris[f.key]
			if taken && !beats(o, origins[f.key], f.key, before) {
				c.shadowed[o.server] = append(c.shadowed[o.server], f.key)
				continue
			}
			if taken {
				c.shadowed[holder] = append(c.shadowed[holder], f.key)
			}
			c.uris[f.key], origins[f.key] = o.server, o.origin
		}
		c.addPlaces(o)
	}
	var keys []string
	var items []jsonrpc.Raw
	for _, o := range offers {
		for _, f := range o.features.lists[resources] {
			if o.listed && c.uris[f.key] == o.server {
				keys, items = append(keys, f.key), append(items, f.raw)
			}
		}
	}
	c.lists[resources] = newListing(resources, keys, items)
}

// beats reports whether o takes a URI from a server of the origin held.
func beats(o offer, held discovery.Origin, uri string, before *catalog) bool {
	if o.origin != held {
		return o.origin.Before(held)
	}
	return before != nil && before.uris[uri] == o.server
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

func (c *catalog) addTemplates(offers []offer) {
	var keys []string
	var items []jsonrpc.Raw
	for _, o := range offers {
		for i := range o.features.lists[templates] {
			f := &o.features.lists[templates][i]
			prefix, _, _ := strings.Cut(f.key, "{")
			c.patterns = append(c.patterns, pattern{prefix, f, o.server})
			if _, taken := c.templates[f.key]; taken {
				c.shadowed[o.server] = append(c.shadowed[o.server], f.key)
				continue
			}
			c.templates[f.key] = o.server
			if o.listed {
				keys, items = append(keys, f.key), append(items, f.raw)
			}
		}
	}
	slices.SortStableFunc(c.patterns, func(a, b pattern) int { return len(b.prefix) - len(a.prefix) })
	c.lists[templates] = newListing(templates, keys, items)
}

// servesURI returns the server that a URI leads to: the one that lists it, else
// the one whose template matches with the longest literal prefix.
func (c *catalog) servesURI(uri string) (server string, ok bool) {
	if server, ok := c.uris[uri]; ok {
		return server, true
	}
	for _, p := range c.patterns {
		if strings.HasPrefix(uri, p.prefix) && p.feature.pattern.MatchString(uri) {
			return p.server, true
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
