package docker

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// The states of a container that matter here.
const (
	running    = "running"
	paused     = "paused"
	restarting = "restarting"
)

// container is what the engine's list says of one container.
type container struct {
	id       string
	name     string // without the slash
	image    string
	created  int64
	labels   map[string]string
	state    string
	health   string    // starting, healthy or unhealthy; empty: it has no health check
	mode     string    // its network mode
	ports    []port    // of TCP, by private port
	networks []network // by name
}

// port is a port that a container exposes, and where it is published, if it is.
type port struct {
	private, public int
	ip              string
}

// network is a container's place in one network.
type network struct {
	name, id string
	ip       netip.Addr // not valid if it has none there now
	gateway  netip.Addr // not valid if it has none
}

// alive reports whether the container has a process.
func (c container) alive() bool { return c.state == running || c.state == paused }

// label returns the value of a label that is not ours.
func (c container) label(key string) string { return c.labels[key] }

// entry is one element of the engine's answer, as far as it is read. It is decoded
// by us and not by the engine's library, which takes a single odd address for the
// failure of the whole list; podman writes such addresses.
type entry struct {
	ID         string `json:"Id"`
	Names      []string
	Image      string
	Created    int64
	Labels     map[string]string
	State      string
	Status     string
	Health     json.RawMessage // an object from API 1.52 on; podman has written a string
	HostConfig struct{ NetworkMode string }
	Ports      []struct {
		IP          string
		PrivatePort int
		PublicPort  int
		Type        string
	}
	NetworkSettings struct {
		Networks map[string]struct{ NetworkID, IPAddress, GlobalIPv6Address, Gateway string }
	}
}

// decode reads one element. If it cannot, what it returns beside the error has at
// least the name and the labels, if these could be read.
func decode(raw json.RawMessage) (container, error) {
	var e entry
	err := json.Unmarshal(raw, &e)
	if err != nil {
		var least struct {
			ID     string `json:"Id"`
			Names  []string
			Image  string
			Labels map[string]string
			State  string
		}
		_ = json.Unmarshal(raw, &least) // err says already what is wrong
		if odd, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = fmt.Errorf("its %s is a %s", cmp.Or(odd.Field, "description"), odd.Value)
		}
		e = entry{ID: least.ID, Names: least.Names, Image: least.Image, Labels: least.Labels, State: least.State}
	} else if e.ID == "" {
		err = errors.New("it has no id")
	}
	c := container{
		id: e.ID, name: ownName(e.Names), image: e.Image, created: e.Created, labels: e.Labels,
		state: strings.ToLower(e.State), health: health(e.Health, e.Status), mode: e.HostConfig.NetworkMode,
	}
	for _, p := range e.Ports {
		if p.Type == "tcp" || p.Type == "" {
			c.ports = append(c.ports, port{private: p.PrivatePort, public: p.PublicPort, ip: p.IP})
		}
	}
	slices.SortStableFunc(c.ports, func(a, b port) int { return a.private - b.private })
	for name, n := range e.NetworkSettings.Networks {
		ip := address(n.IPAddress)
		if !ip.IsValid() {
			ip = address(n.GlobalIPv6Address)
		}
		c.networks = append(c.networks, network{name: name, id: n.NetworkID, ip: ip, gateway: address(n.Gateway)})
	}
	slices.SortFunc(c.networks, func(a, b network) int { return strings.Compare(a.name, b.name) })
	return c, err
}

// ownName picks the container's own name among those that links have given it.
func ownName(names []string) string {
	for _, name := range names {
		if name = strings.TrimPrefix(name, "/"); !strings.Contains(name, "/") {
			return name
		}
	}
	return ""
}

// address reads an address with or without the length of its prefix. What is no
// address is none.
func address(s string) netip.Addr {
	s, _, _ = strings.Cut(s, "/")
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.IsUnspecified() {
		return netip.Addr{}
	}
	return ip
}

// health finds out how the health check goes. Engines before API 1.52 tell it in
// the text of the status only.
func health(raw json.RawMessage, status string) string {
	var object struct{ Status string }
	var text string
	if json.Unmarshal(raw, &object) != nil {
		_ = json.Unmarshal(raw, &text) // else it stays unknown
	}
	switch said := strings.ToLower(object.Status + text); said {
	case "healthy", "unhealthy", "starting":
		return said
	case "none":
		return ""
	}
	switch {
	case strings.Contains(status, "(healthy)"):
		return "healthy"
	case strings.Contains(status, "(unhealthy)"):
		return "unhealthy"
	case strings.Contains(status, "(health: starting)"):
		return "starting"
	default:
		return ""
	}
}

// exposed lists the TCP ports of the container, each once, however often it is
// published.
func (c container) exposed() (ports []int) {
	for _, p := range c.ports {
		ports = append(ports, p.private)
	}
	return slices.Compact(ports)
}

// The labels by which Compose and Swarm tell what a container belongs to.
const (
	composeProject = "com.docker.compose.project"
	composeService = "com.docker.compose.service"
	composeNumber  = "com.docker.compose.container-number"
	composeOneOff  = "com.docker.compose.oneoff"
	swarmService   = "com.docker.swarm.service.name"
	swarmTask      = "com.docker.swarm.task.name"
)
