package discovery

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// ServerPrefix begins the names of the variables that speak of one server.
const ServerPrefix = "MCPHUB_SERVER_"

// Variables are the names of the other variables that ParseEnvironment reads.
var Variables = []string{"MCPHUB_SERVERS", "MCPHUB_SERVERS_FILE", "MCPHUB_GROUPS"}

// ParseEnvironment reads the servers and groups that environ, name → value,
// declares:
//
//	MCPHUB_SERVERS            JSON as in the file, or the compact form id=target
//	MCPHUB_SERVER_<ID>_URL    one server, see variables.go
//	MCPHUB_GROUPS             JSON as in the file, or dev=github,files;ops=k8s
//
// It returns every error there is, joined; each is one line that begins with
// the variable's name and shows no value that may be secret.
func ParseEnvironment(environ map[string]string) (List, error) {
	lookup := func(name string) (string, bool) { s, ok := environ[name]; return s, ok }
	list := List{Origin: Environment, Groups: map[string][]string{}}
	var errs []error
	read := func(name string, parse func(d *decoder, s string)) {
		s, from, err := ReadVariable(environ, name)
		d := &decoder{name: from, lookup: lookup}
		if err != nil {
			errs = append(errs, err)
		} else if strings.TrimSpace(s) != "" {
			parse(d, s)
		}
		errs = append(errs, d.errs...)
	}
	read("MCPHUB_SERVERS", func(d *decoder, s string) {
		list.Servers = either(d, s, func(v value) []Server { return d.servers("", v, Environment) },
			func(s string) []Server { return d.compact(s, Environment) })
	})
	read("MCPHUB_GROUPS", func(d *decoder, s string) {
		list.Groups = either(d, s, func(v value) map[string][]string { return d.groups("", v) }, d.compactGroups)
	})
	b := newBuilder(environ, &list)
	b.run()
	if errs = append(errs, b.errs...); len(errs) > 0 {
		return List{}, errors.Join(errs...)
	}
	return list, nil
}

// either reads s as JSON if it looks like an object, else in its compact form.
func either[T any](d *decoder, s string, fromJSON func(value) T, compact func(string) T) (result T) {
	if !strings.HasPrefix(strings.TrimSpace(s), "{") {
		return compact(s)
	}
	v, err := parseJSON(d.name, []byte(s))
	if err != nil {
		d.errs = append(d.errs, err)
		return result
	}
	return fromJSON(v)
}

// ReadVariable returns the value of the variable name, or the content, less one
// newline at its end, of the file that the variable name_FILE names. Of the two
// it says which it was. A variable that is set to nothing counts as not set, as
// Compose files cannot leave one out.
func ReadVariable(environ map[string]string, name string) (value, from string, err error) {
	file := name + "_FILE"
	path := environ[file]
	switch value = environ[name]; {
	case path == "":
		return value, name, nil
	case value != "":
		return "", name, fmt.Errorf("%s: set together with %s; keep one of them", name, file)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", file, fmt.Errorf("%s: %w", file, err)
	}
	value = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		return "", file, fmt.Errorf("%s: %s is empty", file, path)
	}
	if err := checkText(value); err != nil {
		return "", file, fmt.Errorf("%s: %s %w", file, path, err)
	}
	return value, file, nil
}

// sortedKeys makes errors come in the same order each time.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
