package docker

import (
	"maps"
	"slices"
	"strings"
	"time"

	"mcphub/discovery"
)

// reading is what the labels of a container say of one server, judged.
type reading struct {
	id       string
	explicit bool // the labels say the id
	spec     discovery.Spec
	groups   []string
	place    place

	title, description string
	ignoreHealth       bool
	standby            bool
	drain              time.Duration

	errs     []string // why there can be no such server
	warnings []string
}

// place is what the labels say of where a server listens.
type place struct {
	port    int // 0: the only one that is exposed
	path    string
	scheme  string
	network string
	address string // auto, internal, published; empty: as the hub has it
	url     string // instead of all that
}

// read judges the labels of a container: for each server that this hub is to know, a
// reading.
func read(c container, o *Options) (readings []reading) {
	all := split(o.LabelPrefix, c.labels)
	for i, d := range all {
		if i == maxServers {
			d.fail(o.LabelPrefix+".server.*", "the container declares %d servers; %d is the most", len(all), maxServers)
			return append(readings, reading{id: c.defaultID(), errs: d.errs[len(d.errs)-1:]})
		}
		if !d.mine(o.Instance) {
			continue
		}
		if r, on := d.read(c, o); on {
			readings = append(readings, r)
		}
	}
	return readings
}

// mine reports whether the server is for the hub of that name.
func (d *declared) mine(hub string) bool {
	v, set := d.plain["instance"]
	for name := range strings.SplitSeq(v.text, ",") {
		if strings.TrimSpace(name) == hub {
			return true
		}
	}
	return !set
}

// read returns false if the server is switched off.
func (d *declared) read(c container, o *Options) (r reading, on bool) {
	r = reading{drain: defaultDrain, spec: discovery.Spec{InContainer: true}}
	r.place = place{scheme: "http"}
	v, set := d.plain["enable"]
	on, err := discovery.ParseBool(v.text)
	switch {
	case !set && o.RequireEnable, set && err == nil && !on:
		return r, false
	case set && err != nil:
		d.fail(v.label, "%v", err)
	}
	d.readID(&r, c, o)
	for _, field := range slices.Sorted(maps.Keys(d.plain)) {
		parse := parsers[field]
		if v := d.plain[field]; parse != nil {
			if err := parse(&r, v.text); err != nil {
				d.fail(v.label, "%v", err)
			}
		}
	}
	d.readGroups(&r)
	d.settle(&r, o)
	d.readHeaders(&r, o)
	d.readEnv(&r, o)
	r.errs, r.warnings = d.errs, d.warnings
	return r, true
}

func (d *declared) readID(r *reading, c container, o *Options) {
	v, said := d.plain["id"]
	r.id, r.explicit = v.text, said || d.id != ""
	switch {
	case !r.explicit:
		r.id = c.defaultID()
		return
	case d.id != "":
		if said {
			d.warn(v.label, "means nothing; the id is %q already", d.id)
		}
		r.id, v.label = d.id, o.LabelPrefix+".server."+d.id
	}
	if err := discovery.CheckID(r.id); err != nil {
		d.fail(v.label, "%v; %q would do", err, slug(r.id))
		r.id = slug(r.id)
	}
}

func (d *declared) readGroups(r *reading) {
	v := d.plain["group"]
	for group := range strings.SplitSeq(v.text, ",") {
		if group = strings.TrimSpace(group); group == "" {
			continue
		}
		if err := discovery.CheckGroup(group); err != nil {
			d.warn(v.label, "%v; the server is not in it", err)
		} else if !slices.Contains(r.groups, group) {
			r.groups = append(r.groups, group)
		}
	}
}

// What goes with which transport.
var (
	overHTTP  = []string{"port", "path", "scheme", "network", "address", "url"}
	overStdio = []string{"command", "user", "workdir"}
)

// settle judges the server as a whole, and fills in what follows from the rest.
func (d *declared) settle(r *reading, o *Options) {
	s := &r.spec
	_, command := d.plain["command"]
	switch _, said := d.plain["transport"]; {
	case said:
	case command:
		s.Transport = discovery.Stdio
	default:
		s.Transport = discovery.StreamableHTTP
	}
	if s.Transport == discovery.Stdio {
		d.settleStdio(r, o)
		return
	}
	d.refuse(d.plain, overStdio, "goes with the transport stdio, not with %s", s.Transport)
	d.refuse(d.env, slices.Sorted(maps.Keys(d.env)), "goes with the transport stdio, not with %s; set it on the container itself", s.Transport)
	s.Command, s.User, s.Dir = nil, "", ""
	if r.place.path == "" {
		r.place.path = "/mcp"
		if s.Transport == discovery.SSE {
			r.place.path = "/sse"
		}
	}
	if v, set := d.plain["url"]; set {
		d.refuse(d.plain, overHTTP[:5], "means nothing beside %s, which says all of it", v.label)
		if !o.AllowURL {
			d.fail(v.label, "a label may name a URL only if MCPHUB_DOCKER_ALLOW_URL=true is set on the hub")
		}
	}
}

func (d *declared) settleStdio(r *reading, o *Options) {
	s := &r.spec
	d.refuse(d.plain, overHTTP, "goes with the transports streamable-http and sse, not with stdio")
	d.refuse(d.headers, slices.Sorted(maps.Keys(d.headers)), "goes with the transports streamable-http and sse, not with stdio")
	r.place = place{}
	if !o.Stdio {
		d.fail(d.stdioLabel(), "stdio in containers is switched off on the hub by MCPHUB_DOCKER_STDIO")
	}
	if _, command := d.plain["command"]; command {
		return
	}
	d.refuse(d.plain, overStdio[1:], "goes with the command label; without that the hub attaches to the container's own process")
	d.refuse(d.env, slices.Sorted(maps.Keys(d.env)), "goes with the command label; without that the hub attaches to the container's own process")
	if s.Isolation == discovery.IsolationSession {
		d.fail(d.plain["isolation"].label, "a session each needs a process each; add the command label, or take shared")
	}
	s.User, s.Dir = "", ""
}

// stdioLabel is the label by which the server has become one over stdio.
func (d *declared) stdioLabel() string {
	if v, set := d.plain["transport"]; set {
		return v.label
	}
	return d.plain["command"].label
}

// refuse fails those of the fields that were said of this very server.
func (d *declared) refuse(table map[string]value, fields []string, format string, args ...any) {
	for _, field := range fields {
		if v, set := table[field]; set && !v.inherited {
			d.fail(v.label, format, args...)
		}
	}
}
