package discovery

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The compact form of a list of servers is entries of id=target, separated by
// newlines, semicolons or commas:
//
//	github=https://api.example.com/mcp
//	files=stdio:npx -y @example/fs /data
//
// Commands and URLs contain commas and semicolons of their own, so one of these
// separates only where a next entry can be seen behind it, or nothing more.

var (
	entryStart = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_-]*)[ \t]*=[ \t]*(https?://|sse\+https?://|stdio:)`)
	anyEntry   = regexp.MustCompile(`^([^\s=,;]+)[ \t]*=`)
)

const (
	blanks     = " \t\r"
	separators = blanks + ",;"
)

// endsEntry reports whether an entry ends where rest begins.
func endsEntry(rest string) bool {
	switch rest[0] {
	case '\n':
		return true
	case ',', ';':
		next := strings.TrimLeft(rest, separators)
		return next == "" || next[0] == '\n' || entryStart.MatchString(next)
	}
	return false
}

// compact reads servers in the compact form.
func (d *decoder) compact(s string, origin Origin) (servers []Server) {
	ids := distinct{}
	for entry := 1; ; entry++ {
		s = strings.TrimLeft(s, separators+"\n")
		if s == "" {
			return servers
		}
		match := entryStart.FindStringSubmatch(s)
		if match == nil {
			d.refuse(fmt.Sprintf("entry %d", entry), noEntry(s))
			_, s, _ = strings.Cut(s, "\n")
			continue
		}
		id, scheme := match[1], match[2]
		spec, rest, err := target(scheme, s[len(match[0]):])
		if err != nil {
			_, rest, _ = strings.Cut(s, "\n")
		}
		s = rest
		if d.refuse(id, CheckID(id)) && d.refuse(id, ids.add(id)) && d.refuse(id, err) {
			servers = append(servers, Server{ID: id, Spec: spec, Origin: origin, Where: d.name})
		}
	}
}

// noEntry says what is wrong with s as an entry. Of s it shows the id alone:
// what follows may hold secrets.
func noEntry(s string) error {
	const mend = "stdio:, http://, https://, sse+http:// or sse+https://"
	if match := anyEntry.FindStringSubmatch(s); match == nil {
		return errors.New("no id=target; start it with an id, = and " + mend)
	} else if err := CheckID(match[1]); err != nil {
		return err
	} else {
		return fmt.Errorf("%s= is not followed by a known scheme; take %s", match[1], mend)
	}
}

// target reads what follows the scheme, up to the end of the entry.
func target(scheme, s string) (spec Spec, rest string, err error) {
	if scheme == "stdio:" {
		spec.Transport = Stdio
		if spec.Command, rest, err = splitWords(s, endsEntry); err != nil {
			return spec, rest, err
		}
		return spec, rest, checkWords(spec.Command)
	}
	end := 0
	for end < len(s) && !endsEntry(s[end:]) {
		end++
	}
	plain, isSSE := strings.CutPrefix(scheme, "sse+")
	spec.Transport, spec.URL = StreamableHTTP, plain+strings.Trim(s[:end], blanks)
	if isSSE {
		spec.Transport = SSE
	}
	path, _, _ := strings.Cut(spec.URL, "?")
	if i := strings.IndexAny(path, ",;"); i >= 0 {
		return spec, s[end:], fmt.Errorf("the URL contains a %q before its query; percent-encode it, or start the next entry with id= and a known scheme", path[i])
	}
	return spec, s[end:], CheckURL(spec.URL)
}

// compactGroups reads groups of the form dev=github,files;ops=k8s.
func (d *decoder) compactGroups(s string) map[string][]string {
	groups := map[string][]string{}
	ids := distinct{}
	for entry := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == ';' || c == '\n' }) {
		group, list, found := strings.Cut(entry, "=")
		if group = strings.TrimSpace(group); group == "" && !found {
			continue
		}
		if !found {
			d.fail("", "%q is no group; write e.g. dev=github,files;ops=k8s", group)
			continue
		}
		if d.refuse(group, CheckGroup(group)) && d.refuse(group, ids.add(group)) {
			groups[group] = d.names(group, list, CheckID)
		}
	}
	return groups
}

// names reads ids separated by commas.
func (d *decoder) names(path, list string, check func(string) error) []string {
	names := []string{}
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" && d.refuse(path, check(name)) {
			names = append(names, name)
		}
	}
	return names
}
