package docker

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"mcphub/discovery"
)

// The grammar of labels, with the prefix mcphub:
//
//	mcphub.<field>               describes the server of the container
//	mcphub.server.<id>.<field>   describes one of several; mcphub.<field> then holds for all of them
//
// The fields are those of plainFields, and header.<Name> and env.<NAME>. Keys are read
// without regard to case, but for the names of headers and variables. Values are
// trimmed; one that is empty says nothing, as Compose files cannot leave one out.

// Bounds of what labels may say.
const (
	maxLabel   = 64 << 10 // bytes of a value
	maxServers = 64       // in one container
	maxText    = 500      // bytes of a text for people
	maxNear    = 100      // bytes of a key that it is tried to make sense of
	maxRemarks = 32       // mistakes that are told of one server
	maxReason  = 4 * maxText
)

// value is what one label says.
type value struct {
	label     string // its key as it was written
	text      string
	inherited bool // it was said for all servers of the container
}

// declared is what the labels of a container say of one server, taken apart and not
// yet judged.
type declared struct {
	id       string // of a server among several; else empty
	plain    map[string]value
	headers  map[string]value // by canonical name
	env      map[string]value
	errs     []string
	warnings []string
}

func newDeclared(id string) *declared {
	return &declared{id: id, plain: map[string]value{}, headers: map[string]value{}, env: map[string]value{}}
}

// split takes the labels apart: one declared for the container's server, or one for
// each of several, by id. Without any label of ours there is none.
func split(prefix string, labels map[string]string) []*declared {
	all := newDeclared("")
	several := map[string]*declared{}
	found := false
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		rest, ours := cutPrefixFold(key, prefix+".")
		if !ours {
			continue
		}
		found = true
		one, field := all, rest
		if id, of, ok := ofServer(rest); ok {
			field = of
			if one = several[strings.ToLower(id)]; one == nil {
				one = newDeclared(id)
				several[strings.ToLower(id)] = one
			}
		}
		one.add(prefix, key, field, labels[key])
	}
	if !found {
		return nil
	}
	if len(several) == 0 {
		return []*declared{all}
	}
	if v, set := all.plain["id"]; set {
		all.warn(v.label, "means nothing beside %s.server.<id> labels", prefix)
		delete(all.plain, "id")
	}
	var out []*declared
	for _, id := range slices.Sorted(maps.Keys(several)) {
		out = append(out, several[id].inherit(all))
	}
	return out
}

func cutPrefixFold(s, prefix string) (rest string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// ofServer splits server.<id>.<field>.
func ofServer(rest string) (id, field string, ok bool) {
	rest, ok = cutPrefixFold(rest, "server.")
	if !ok {
		return "", "", false
	}
	id, field, ok = strings.Cut(rest, ".")
	return id, field, ok && id != ""
}

// add files what a label says under its field.
func (d *declared) add(prefix, key, field, text string) {
	if text = strings.TrimSpace(text); len(text) > maxLabel {
		d.fail(key, "is %d bytes long; %d is the most", len(text), maxLabel)
		return
	}
	v := value{label: key, text: text}
	folded := strings.ToLower(field)
	if name, ok := cutPrefixFold(field, "header."); ok {
		d.put(d.headers, http.CanonicalHeaderKey(name), v)
		return
	}
	if name, ok := cutPrefixFold(field, "env."); ok {
		d.put(d.env, name, v)
		return
	}
	if slices.Contains(plainFields, folded) {
		if text != "" {
			d.put(d.plain, folded, v)
		}
		return
	}
	if near := nearestField(field); near != "" {
		d.warn(key, "is unknown and ignored; did you mean %s%s?", key[:len(key)-len(field)], near)
		return
	}
	d.warn(key, "is unknown and ignored; known are %s.%s, header.<Name> and env.<NAME>", prefix, strings.Join(plainFields, ", "))
}

// nearestField returns the field that an unknown one is a slip for, if any.
func nearestField(field string) string {
	head, name, named := strings.Cut(field, ".")
	switch {
	case len(field) > maxNear:
		return ""
	case strings.EqualFold(head, "server"):
		return "server.<id>." + cmp.Or(name, "<field>")
	case named && discovery.Nearest(head, []string{"header", "env"}) != "":
		return discovery.Nearest(head, []string{"header", "env"}) + "." + name
	}
	return discovery.Nearest(field, plainFields)
}

func (d *declared) put(table map[string]value, name string, v value) {
	if earlier, taken := table[name]; taken {
		d.fail(v.label, "says the same as %s; keep one", earlier.label)
		return
	}
	table[name] = v
}

// inherit adds what is said for all servers of the container.
func (d *declared) inherit(all *declared) *declared {
	add := func(own, common map[string]value) {
		for name, v := range common {
			if _, set := own[name]; !set {
				v.inherited = true
				own[name] = v
			}
		}
	}
	add(d.plain, all.plain)
	add(d.headers, all.headers)
	add(d.env, all.env)
	for _, text := range all.errs {
		d.errs = remark(d.errs, text)
	}
	for _, text := range all.warnings {
		d.warnings = remark(d.warnings, text)
	}
	return d
}

func (d *declared) fail(label, format string, args ...any) {
	d.errs = remark(d.errs, printable(label+": "+fmt.Sprintf(format, args...), maxText))
}

func (d *declared) warn(label, format string, args ...any) {
	d.warnings = remark(d.warnings, printable(label+": "+fmt.Sprintf(format, args...), maxText))
}

// remark adds to what is told, within bounds.
func remark(told []string, text string) []string {
	if len(told) == maxRemarks {
		return append(told, "and more")
	}
	return append(told, text)[:min(len(told)+1, maxRemarks+1)]
}

// printable takes out what could confuse a log or a terminal, and cuts the rest after
// so many bytes. Labels are written by anybody.
func printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
