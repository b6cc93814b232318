package discovery

import (
	"fmt"
	"slices"
	"strings"
)

// The variables of one server are MCPHUB_SERVER_<ID>_<FIELD>, where <ID> is its
// id in upper case with _ for -. They add to a server that MCPHUB_SERVERS
// declares, or declare one if _URL or _COMMAND is among them. Each may end in
// _FILE, and then names a file with the value.
var (
	plainFields = []string{"URL", "COMMAND", "TRANSPORT", "GROUP", "TIMEOUT", "ISOLATION", "TOKEN", "CWD"}
	namedFields = []string{"HEADER", "ENV"} // followed by _<NAME>
)

// variable is one way to read the name of such a variable.
type variable struct{ id, field, key string }

// readings returns the ways to read rest, which is a name without its prefix.
// There may be several: MY_ENV_API_URL is the variable API_URL of MY, or the
// URL of MY_ENV_API.
func readings(rest string) (found []variable) {
	for _, field := range plainFields {
		if id, ok := strings.CutSuffix(rest, "_"+field); ok && id != "" && id == upper(id) {
			found = append(found, variable{id: id, field: field})
		}
	}
	for _, field := range namedFields {
		infix := "_" + field + "_"
		for i := 1; i+len(infix) < len(rest); i++ {
			if strings.HasPrefix(rest[i:], infix) && rest[:i] == upper(rest[:i]) {
				found = append(found, variable{rest[:i], field, rest[i+len(infix):]})
			}
		}
	}
	return found
}

// setting is a field, named as in the file, of the server at an index.
type setting struct {
	server int
	field  string
}

// builder adds the variables of single servers to a list.
type builder struct {
	environ map[string]string
	list    *List
	errs    []error
	ids     map[string][]int   // id as in variables → the servers it means, by index
	setBy   map[setting]string // → the variable that it came from
}

func newBuilder(environ map[string]string, list *List) *builder {
	b := &builder{environ: environ, list: list, ids: map[string][]int{}, setBy: map[setting]string{}}
	for i, s := range list.Servers {
		b.ids[upper(s.ID)] = append(b.ids[upper(s.ID)], i)
	}
	return b
}

func upper(id string) string { return strings.ToUpper(strings.ReplaceAll(id, "-", "_")) }

func (b *builder) fail(name, format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("%s: %w", name, fmt.Errorf(format, args...)))
}

func (b *builder) run() {
	names := b.names()
	b.declare(names)
	for _, name := range names {
		v, ok := b.resolve(name)
		if !ok {
			continue
		}
		value, from, err := ReadVariable(b.environ, name)
		if err != nil {
			b.errs = append(b.errs, err)
			continue
		}
		if err := b.apply(v, from, value); err != nil {
			b.fail(from, "%w", err)
		}
	}
	b.settle()
}

// names returns the names of the variables of servers, without _FILE.
func (b *builder) names() []string {
	names := map[string]bool{}
	for name, value := range b.environ {
		rest, ours := strings.CutPrefix(name, ServerPrefix)
		if !ours {
			continue
		}
		plain := strings.TrimSuffix(rest, "_FILE")
		found := readings(plain)
		// Nothing as a value says nothing, but for a server's own variable, and
		// for a secret, whose lack must not go unnoticed.
		speaks := func(v variable) bool { return v.field == "ENV" || v.field == "TOKEN" || v.field == "HEADER" }
		if value != "" || len(found) == 0 || plain == rest && slices.ContainsFunc(found, speaks) {
			names[ServerPrefix+plain] = true
		}
	}
	return sortedKeys(names)
}

// declare adds the servers that a _URL or _COMMAND declares. The names that can
// be read in one way only come first, as they settle how to read the others.
func (b *builder) declare(names []string) {
	for _, ambiguous := range []bool{false, true} {
		for _, name := range names {
			found := readings(strings.TrimPrefix(name, ServerPrefix))
			if len(found) == 0 || len(found) > 1 != ambiguous || b.known(found) != nil {
				continue
			}
			if v := found[0]; v.field == "URL" || v.field == "COMMAND" {
				b.ids[v.id] = []int{len(b.list.Servers)}
				id := strings.ToLower(strings.ReplaceAll(v.id, "_", "-"))
				b.list.Servers = append(b.list.Servers, Server{ID: id, Origin: Environment, Where: name})
				if err := CheckID(id); err != nil {
					b.fail(name, "%w", err)
				}
			}
		}
	}
}

// known returns the reading whose server is declared, the longest id first.
func (b *builder) known(found []variable) *variable {
	var best *variable
	for i, v := range found {
		if len(b.ids[v.id]) > 0 && (best == nil || len(v.id) > len(best.id)) {
			best = &found[i]
		}
	}
	return best
}

func (b *builder) resolve(name string) (v variable, ok bool) {
	rest := strings.TrimPrefix(name, ServerPrefix)
	found := readings(rest)
	best := b.known(found)
	switch {
	case best != nil && len(b.ids[best.id]) > 1:
		servers := b.ids[best.id]
		b.fail(name, "means both %q and %q; set it in MCPHUB_SERVERS", b.list.Servers[servers[0]].ID, b.list.Servers[servers[1]].ID)
		return v, false
	case best != nil:
		return *best, true
	case len(found) > 0:
		b.fail(name, "there is no server %s; declare it by %s%[1]s_URL or %[2]s%[1]s_COMMAND", found[0].id, ServerPrefix)
	default:
		b.unknown(name, rest)
	}
	return v, false
}
