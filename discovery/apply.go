package discovery

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// apply sets what v says in the declaration of its server. What is set already
// stays: two places that speak of one thing are a mistake, not a precedence.
func (b *builder) apply(v variable, from, value string) error {
	i := b.ids[v.id][0]
	s := &b.list.Servers[i].Spec
	field := strings.ToLower(v.field)
	switch v.field {
	case "URL":
		return b.address(i, func() error { s.URL = value; return CheckURL(value) })
	case "COMMAND":
		return b.address(i, func() (err error) { s.Command, err = CommandLine(value); return err })
	case "GROUP":
		return b.join(b.list.Servers[i].ID, value)
	case "TIMEOUT":
		return once(&s.Timeout, field, value, ParseDuration)
	case "ISOLATION":
		return once(&s.Isolation, field, value, parseIsolation)
	case "TRANSPORT":
		b.setBy[setting{i, field}] = from
		return once(&s.Transport, field, value, parseTransport)
	case "CWD":
		b.setBy[setting{i, field}] = from
		return once(&s.Dir, field, value, checked(checkPath))
	case "ENV":
		b.setBy[setting{i, field}] = from
		return put(&s.Env, v.key, value, CheckVariable)
	case "HEADER":
		b.setBy[setting{i, "headers"}] = from
		return put(&s.Headers, http.CanonicalHeaderKey(strings.ReplaceAll(v.key, "_", "-")), value, checkSecretHeader)
	default: // TOKEN
		b.setBy[setting{i, "headers"}] = from
		if err := CheckToken(value); err != nil {
			return err
		}
		return put(&s.Headers, "Authorization", "Bearer "+value, CheckHeader)
	}
}

// address sets where the server is, once.
func (b *builder) address(server int, set func() error) error {
	s := b.list.Servers[server]
	if s.Spec.URL != "" || s.Spec.Command != nil {
		return fmt.Errorf("%s is declared by %s already; keep one of them", s.ID, s.Where)
	}
	return set()
}

func (b *builder) join(id, list string) error {
	for group := range strings.SplitSeq(list, ",") {
		if group = strings.TrimSpace(group); group == "" {
			continue
		}
		if err := CheckGroup(group); err != nil {
			return err
		}
		b.list.Groups[group] = append(b.list.Groups[group], id)
	}
	return nil
}

func once[T comparable](field *T, name, value string, parse func(string) (T, error)) (err error) {
	var unset T
	if *field != unset {
		return fmt.Errorf("the server's %s is set already; keep one", name)
	}
	*field, err = parse(value)
	return err
}

func put(table *map[string]string, key, value string, check func(key, value string) error) error {
	if _, set := (*table)[key]; set {
		return fmt.Errorf("%s is set already; keep one", key)
	}
	if *table == nil {
		*table = map[string]string{}
	}
	(*table)[key] = value
	return check(key, value)
}

func checkSecretHeader(name, value string) error {
	if value == "" {
		return errors.New("the value is empty")
	}
	return CheckHeader(name, value)
}

// settle checks the servers that variables spoke of as a whole.
func (b *builder) settle() {
	for i := range b.list.Servers {
		for _, f := range b.list.Servers[i].Spec.settle() {
			if name := b.setBy[setting{i, f.field}]; name != "" {
				b.fail(name, "%s", f.reason)
			}
		}
	}
}

// unknown reports a variable that can be read in no way.
func (b *builder) unknown(name, rest string) {
	var known []string
	ids := sortedKeys(b.ids)
	if i := strings.LastIndexByte(rest, '_'); i > 0 {
		ids = append(ids, upper(rest[:i]))
	}
	for _, id := range ids {
		for _, field := range plainFields {
			known = append(known, id+"_"+field)
		}
		tail, _ := strings.CutPrefix(rest, id+"_")
		if _, key, ok := strings.Cut(tail, "_"); ok {
			known = append(known, id+"_HEADER_"+key, id+"_ENV_"+key)
		}
	}
	if near := Nearest(rest, known); near != "" {
		b.fail(name, "unknown variable; did you mean %s%s?", ServerPrefix, near)
		return
	}
	b.fail(name, "unknown variable; those of a server are %s<ID>_%s, _HEADER_<NAME> and _ENV_<NAME>", ServerPrefix, strings.Join(plainFields, ", _"))
}
