package discovery

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Config is what a configuration file says.
type Config struct {
	Servers []Server // in the order of the file
	Groups  map[string][]string
	Hub     HubConfig
}

// HubConfig is the file's word on the hub itself; nil where it says nothing,
// because a flag or a variable may, and there are defaults.
type HubConfig struct {
	Port         *int
	Auth         *Auth
	MaxAttempts  *int
	InitialDelay *time.Duration
	MaxDelay     *time.Duration
}

// List is what the file declares, as a Source sends it.
func (c *Config) List() List {
	return List{Origin: File, Servers: c.Servers, Groups: c.Groups}
}

// ParseConfig reads a configuration file. The name stands for it in errors;
// lookup finds the variables that its strings refer to as ${NAME}. It returns
// every error there is, joined; each is one line that says where it stands and
// what mends it, and shows no value that may be secret.
func ParseConfig(name string, data []byte, lookup func(string) (string, bool)) (*Config, error) {
	v, err := parseJSON(name, data)
	if err != nil {
		return nil, err
	}
	c, d := &Config{}, &decoder{name: name, lookup: lookup}
	d.object("", v, fields{
		"servers": func(path string, v value) { c.Servers = d.servers(path, v, File) },
		"groups":  func(path string, v value) { c.Groups = d.groups(path, v) },
		"hub":     func(path string, v value) { c.Hub = d.hub(path, v) },
	})
	if len(d.errs) > 0 {
		return nil, errors.Join(d.errs...)
	}
	return c, nil
}

func (d *decoder) servers(path string, v value, origin Origin) []Server {
	var servers []Server
	ids := distinct{}
	for id, item := range d.members(path, v) {
		here := at(path, id)
		if d.refuse(here, CheckID(id)) {
			d.refuse(here, ids.add(id))
		}
		servers = append(servers, Server{ID: id, Spec: d.spec(here, item), Origin: origin, Where: d.name})
	}
	return servers
}

func (d *decoder) spec(path string, v value) (s Spec) {
	known := len(d.errs)
	var args []string
	d.object(path, v, fields{
		"transport": func(path string, v value) { s.Transport = decode(d, path, v, parseTransport) },
		"command":   func(path string, v value) { s.Command = []string{decode(d, path, v, checked(checkPath))} },
		"args":      func(path string, v value) { args = d.list(path, v) },
		"env":       func(path string, v value) { s.Env = d.table(path, v, CheckVariable) },
		"cwd":       func(path string, v value) { s.Dir = decode(d, path, v, checked(checkPath)) },
		"url":       func(path string, v value) { s.URL = decode(d, path, v, checked(CheckURL)) },
		"headers":   func(path string, v value) { s.Headers = d.headers(path, v) },
		"isolation": func(path string, v value) { s.Isolation = decode(d, path, v, parseIsolation) },
		"timeout":   func(path string, v value) { s.Timeout = decode(d, path, v, ParseDuration) },
	})
	if len(args) > 0 && s.Command == nil {
		d.fail(at(path, "args"), "goes with a command; add one")
	}
	s.Command = append(s.Command, args...)
	// What is missing may be what an unknown key was meant to be.
	if incomplete := s.Command == nil && s.URL == ""; !incomplete || len(d.errs) == known {
		for _, f := range s.settle() {
			d.fail(fieldPath(path, f.field), "%s", f.reason)
		}
	}
	return s
}

func fieldPath(path, field string) string {
	if field == "" {
		return path
	}
	return at(path, field)
}

// decode reads a string by parse, which is not asked if the string cannot be
// read.
func decode[T any](d *decoder, path string, v value, parse func(string) (T, error)) (result T) {
	known := len(d.errs)
	s := d.text(path, v)
	if len(d.errs) == known {
		var err error
		result, err = parse(s)
		d.refuse(path, err)
	}
	return result
}

// checked is a parse for decode that takes the string as it is.
func checked(check func(string) error) func(string) (string, error) {
	return func(s string) (string, error) { return s, check(s) }
}

func (d *decoder) headers(path string, v value) map[string]string {
	headers := d.table(path, v, CheckHeader)
	if len(canonical(headers)) != len(headers) {
		names := map[string]bool{}
		for _, key := range v.keys {
			if name := http.CanonicalHeaderKey(key); names[name] {
				d.fail(at(path, key), "the header is repeated in another case; keep one")
			} else {
				names[name] = true
			}
		}
	}
	return canonical(headers)
}

func (d *decoder) groups(path string, v value) map[string][]string {
	groups := map[string][]string{}
	ids := distinct{}
	for id, item := range d.members(path, v) {
		here := at(path, id)
		if d.refuse(here, CheckGroup(id)) {
			d.refuse(here, ids.add(id))
		}
		groups[id] = d.list(here, item)
		for i, member := range groups[id] {
			if slices.Index(groups[id], member) == i {
				d.refuse(fmt.Sprintf("%s[%d]", here, i), CheckID(member))
			}
		}
	}
	return groups
}

func (d *decoder) hub(path string, v value) (hub HubConfig) {
	d.object(path, v, fields{
		"port": func(path string, v value) { hub.Port = d.integer(path, v, 0, 65535) },
		"auth": func(path string, v value) { hub.Auth = d.auth(path, v) },
		"reconnect": func(path string, v value) {
			d.object(path, v, fields{
				"maxAttempts":    func(path string, v value) { hub.MaxAttempts = d.integer(path, v, 0, 1_000_000) },
				"initialDelayMs": func(path string, v value) { hub.InitialDelay = d.milliseconds(path, v) },
				"maxDelayMs":     func(path string, v value) { hub.MaxDelay = d.milliseconds(path, v) },
			})
		},
	})
	return hub
}
