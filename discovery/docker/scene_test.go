package docker

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mcphub/discovery"
)

var update = flag.Bool("update", false, "write what was got into the golden files")

// goldens runs the cases of a file: each begins with a line "# title" and has what goes
// in, dashes, and what comes out.
func goldens(t *testing.T, path string, run func(t *testing.T, in string) string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cases := strings.Split("\n"+string(content), "\n# ")
	fmt.Fprint(&out, strings.TrimPrefix(cases[0], "\n"))
	for _, text := range cases[1:] {
		title, body, _ := strings.Cut(text, "\n")
		in, want, _ := strings.Cut(body, "---\n")
		t.Run(title, func(t *testing.T) {
			got := strings.TrimSpace(run(t, in))
			if want = strings.TrimSpace(want); got != want && !*update {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			fmt.Fprintf(&out, "\n# %s\n%s---\n%s\n", title, in, got)
		})
	}
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// scene is an engine's containers and the hub's options, written down in lines:
//
//	@container shop-files-1     begins another container
//	@service files              of Compose; also @project, @number, @oneoff
//	@expose 8080 9090/udp 7000->17000 7001->127.0.0.1:17001
//	@network mcp 10.0.0.2       @mode host, @state paused, @health starting, @created 5
//	@self hub                   the hub's container; also @published, @stdio off, @url on, …
//	@secret FILES=value@a,b     for the servers a and b
//	mcphub.port=8080            a label; \n is a new line
type scene struct {
	options Options
	all     []container
	me      self
	host    string
	public  bool
}

func parseScene(t *testing.T, text string) *scene {
	t.Helper()
	s := &scene{options: Options{Stdio: true, Secrets: Secrets{}, Log: slog.New(slog.DiscardHandler)}.withDefaults()}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		directive, isDirective := strings.CutPrefix(line, "@")
		key, rest, _ := strings.Cut(directive, " ")
		switch {
		case line == "":
		case isDirective && key == "container":
			s.add(rest)
		case isDirective && s.option(key, rest):
		case isDirective:
			s.current().fact(t, key, rest)
		default:
			key, value, _ := strings.Cut(line, "=")
			s.current().labels[key] = strings.ReplaceAll(value, `\n`, "\n")
		}
	}
	for i := range s.all {
		if c := &s.all[i]; len(c.networks) == 0 && c.mode == "" {
			c.networks = []network{{name: "bridge", id: "bridge-id", ip: address("10.0.0.2")}}
		}
	}
	return s
}

func (s *scene) add(name string) {
	id := fmt.Sprintf("%s-%012x", name, len(s.all))
	s.all = append(s.all, container{id: id, name: name, image: "image", state: running, labels: map[string]string{}, created: int64(len(s.all))})
}

func (s *scene) current() *container {
	if len(s.all) == 0 {
		s.add("box")
	}
	return &s.all[len(s.all)-1]
}

func (s *scene) option(key, rest string) bool {
	switch key {
	case "self":
		s.me = self{candidates: []string{rest}, contained: true}
	case "published":
		s.public, s.host = true, rest
	case "host":
		s.host = rest
	case "prefer":
		s.options.Network = rest
	case "stdio":
		s.options.Stdio = rest == "on"
	case "url":
		s.options.AllowURL = rest == "on"
	case "prefix":
		s.options.LabelPrefix = rest
	case "hub":
		s.options.Instance = rest
	case "require":
		s.options.RequireEnable = true
	case "secret":
		name, value, _ := strings.Cut(rest, "=")
		value, servers, bound := strings.Cut(value, "@")
		secret := Secret{Value: strings.ReplaceAll(value, `\n`, "\n")}
		if bound {
			secret.Servers = strings.Split(servers, ",")
		}
		s.options.Secrets[name] = secret
	default:
		return false
	}
	return true
}

func (c *container) fact(t *testing.T, key, rest string) {
	t.Helper()
	switch key {
	case "service":
		c.labels[composeService] = rest
	case "project":
		c.labels[composeProject] = rest
	case "number":
		c.labels[composeNumber] = rest
	case "oneoff":
		c.labels[composeOneOff] = "True"
	case "swarm":
		c.labels[swarmService] = rest
	case "mode":
		c.mode = rest
	case "id":
		c.id = rest
	case "state":
		c.state = rest
	case "health":
		c.health = rest
	case "created":
		c.created, _ = strconv.ParseInt(rest, 10, 64)
	case "label": // a long value: key, size
		key, size, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(size)
		c.labels[key] = strings.Repeat("x", n)
	case "network":
		name, ip, _ := strings.Cut(rest, " ")
		c.networks = append(c.networks, network{name: name, id: name + "-id", ip: address(ip), gateway: address("10.0.0.1")})
		slices.SortFunc(c.networks, func(a, b network) int { return strings.Compare(a.name, b.name) })
	case "expose":
		c.ports = ports(rest)
	default:
		t.Fatalf("no such fact: %s", key)
	}
}

// ports goes the way of the engine's answer, to test that too.
func ports(text string) []port {
	type entry struct {
		IP                      string
		PrivatePort, PublicPort int
		Type                    string
	}
	var list []entry
	for one := range strings.FieldsSeq(text) {
		one, kind, _ := strings.Cut(one, "/")
		private, public, published := strings.Cut(one, "->")
		e := entry{Type: kind}
		if kind == "" {
			e.Type = "tcp"
		}
		e.PrivatePort, _ = strconv.Atoi(private)
		if ip, p, bound := strings.Cut(public, ":"); bound {
			e.IP, public = ip, p
		} else if published {
			e.IP = "0.0.0.0"
		}
		e.PublicPort, _ = strconv.Atoi(public)
		list = append(list, e)
		if e.IP == "0.0.0.0" {
			e.IP = "::"
			list = append(list, e)
		}
	}
	raw, _ := json.Marshal(map[string]any{"Id": "x", "Ports": list})
	c, _ := decode(raw)
	return c.ports
}

// draft makes a list of the scene, beside what lives and was held before.
func (s *scene) draft(l *lives, before map[string]holder) (*draft, map[string]holder) {
	around := &surroundings{prefix: s.options.LabelPrefix, all: map[string]container{}, prefer: s.options.Network, published: s.public, host: func() string { return s.host }}
	for _, c := range s.all {
		around.all[c.id] = c
	}
	around.own = s.me.among(s.all)
	d := &draft{options: &s.options, lives: l, around: around, since: l.moment(), alive: map[string]bool{}}
	d.list = discovery.List{Origin: discovery.Label, Groups: map[string][]string{}}
	for _, c := range s.all {
		d.alive[c.id] = c.alive()
	}
	d.consider(s.all)
	return d, d.award(before)
}
