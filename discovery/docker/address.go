package docker

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"mcphub/discovery"
)

// surroundings are what a server's address depends on beside its labels.
type surroundings struct {
	prefix    string               // of labels
	own       *container           // the hub's container; nil: none, or unknown
	all       map[string]container // by id
	published bool                 // containers are reached by published ports unless a label says otherwise
	prefer    string               // network
	host      func() string        // the address of the engine's host, as the hub reaches it; empty: unknown
}

// locate says at which URL the server in a running container is reached. An absence
// says that it is not now, and may be later; an error says that the labels or the
// container must be changed for it.
func (s *surroundings) locate(c container, r *reading) (string, discovery.Absence, error) {
	switch {
	case r.spec.Transport == discovery.Stdio:
		return "", discovery.Absence{}, nil
	case r.place.url != "":
		return r.place.url, discovery.Absence{}, nil
	}
	if c.mode == "none" {
		return "", discovery.Absence{}, errors.New("the container has no network (network_mode: none); give it one, or use the transport stdio")
	}
	if mode, _, joined := strings.Cut(c.mode, ":"); (joined || mode == "host") && r.place.port == 0 {
		return "", discovery.Absence{}, fmt.Errorf("in network mode %s nobody can see which ports it listens on; set %s.port", mode, s.prefix)
	}
	// The engine lists no ports of a container that is on no network just now, so what
	// that lacks is found out first.
	host, published, away := s.reach(c, r.place)
	if away.State != "" {
		return "", away, nil
	}
	port, err := s.choosePort(c, r.place.port)
	if err != nil {
		return "", away, err
	}
	if published {
		if host, port, away = s.publishedAt(c, host, port); away.State != "" {
			return "", away, nil
		}
	}
	return r.place.scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port)) + r.place.path, away, nil
}

// reach says at which host the container is reached, and whether that is by a port that
// is published there.
func (s *surroundings) reach(c container, p place) (host string, published bool, away discovery.Absence) {
	published = p.address == "published" || p.address != "internal" && s.published
	switch {
	case c.mode == "host":
		host, away = s.onHost(c)
		return host, false, away
	case published && len(s.owner(c).addresses()) > 0:
		host, away = s.hostOf(c)
		return host, true, away
	default:
		host, away = s.inNetwork(c, p.network)
		return host, false, away
	}
}

func (s *surroundings) choosePort(c container, said int) (int, error) {
	ports := c.exposed()
	switch {
	case said != 0:
		return said, nil
	case len(ports) == 0:
		return 0, fmt.Errorf("no EXPOSEd TCP port is listed; set %s.port, or expose one (on an internal network the engine lists none)", s.prefix)
	case len(ports) > 1:
		return 0, fmt.Errorf("several ports are exposed (%s); say which by %s.port", join(ports), s.prefix)
	}
	return ports[0], nil
}

func join(ports []int) string {
	var out []string
	for _, p := range ports {
		out = append(out, strconv.Itoa(p))
	}
	return strings.Join(out, ", ")
}

func unreachable(format string, args ...any) discovery.Absence {
	return discovery.Absence{State: "unreachable", Reason: fmt.Sprintf(format, args...)}
}

func (s *surroundings) onHost(c container) (string, discovery.Absence) {
	if host := s.host(); host != "" {
		return host, discovery.Absence{}
	}
	return "", unreachable("%s uses the host's network, and the hub does not know the host's address; set MCPHUB_DOCKER_HOST_ADDRESS, or give the hub extra_hosts: host.docker.internal:host-gateway", c.name)
}

func (s *surroundings) hostOf(c container) (string, discovery.Absence) {
	if host := s.host(); host != "" {
		return host, discovery.Absence{}
	}
	return "", unreachable("%s is reached by its published port, and the hub does not know the address of the engine's host; set MCPHUB_DOCKER_HOST_ADDRESS", c.name)
}

func (s *surroundings) publishedAt(c container, host string, private int) (string, int, discovery.Absence) {
	local := isLoopback(host)
	bound := false
	for _, p := range c.ports {
		if p.private != private || p.public == 0 {
			continue
		}
		ip := address(p.ip)
		switch {
		case !ip.IsValid() || ip.IsLoopback() && local:
			return host, p.public, discovery.Absence{}
		case ip.IsLoopback():
			bound = true
		default:
			return ip.String(), p.public, discovery.Absence{}
		}
	}
	if bound {
		return "", 0, unreachable("port %d of %s is published on the host's loopback only, which the hub cannot reach; publish it on another address", private, c.name)
	}
	return "", 0, unreachable("port %d of %s is not published; publish it, or put the hub on a network with it and set %s.address=internal", private, c.name, s.prefix)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// inNetwork returns the container's address in a network that the hub is on too. With
// none in common a connection would not be refused, it would time out; so the hub does
// not try, and says what is missing.
func (s *surroundings) inNetwork(c container, wanted string) (string, discovery.Absence) {
	networks := slices.DeleteFunc(s.owner(c).addresses(), func(n network) bool { return n.name == "ingress" })
	if wanted != "" {
		here := networks
		networks = slices.DeleteFunc(slices.Clone(here), func(n network) bool {
			return n.name != wanted && n.name != c.label(composeProject)+"_"+wanted
		})
		if len(networks) == 0 {
			return "", unreachable("%s is not on the network %s, but on %s", c.name, wanted, names(here))
		}
	}
	if s.own != nil && s.own.mode != "host" {
		here, mine := networks, s.owner(*s.own).addresses()
		if len(mine) == 0 && s.own.mode != "none" {
			// A hub that starts is faster than the engine's list. An event follows.
			return "", discovery.Absence{State: "waiting", Reason: "the engine does not say yet on which networks the hub is"}
		}
		networks = slices.DeleteFunc(slices.Clone(here), func(n network) bool {
			return !slices.ContainsFunc(mine, func(m network) bool { return m.id == n.id })
		})
		if len(networks) == 0 {
			return "", unreachable("%s is on %s, the hub on %s; put them on a network together", c.name, names(here), names(mine))
		}
	}
	if i := slices.IndexFunc(networks, func(n network) bool { return n.name == s.prefer }); i > 0 {
		networks[0], networks[i] = networks[i], networks[0]
	}
	if len(networks) == 0 {
		return "", unreachable("%s has no address on any network", c.name)
	}
	return networks[0].ip.String(), discovery.Absence{}
}

// owner returns the container whose networks c uses: its own, or those of another
// (network_mode: container:X). It follows a chain only so far, as it could be a loop.
func (s *surroundings) owner(c container) container {
	for range 8 {
		id, joined := strings.CutPrefix(c.mode, "container:")
		next, known := s.all[id]
		if !joined || !known {
			break
		}
		c = next
	}
	return c
}

// lender returns the id of the container whose network c uses, if a URL leads there and
// it is another one.
func (s *surroundings) lender(c container, url string) string {
	if owner := s.owner(c); url != "" && owner.id != c.id {
		return owner.id
	}
	return ""
}

// addresses lists the networks in which the container has an address now.
func (c container) addresses() (found []network) {
	for _, n := range c.networks {
		if n.ip.IsValid() {
			found = append(found, n)
		}
	}
	return found
}

func names(networks []network) string {
	var out []string
	for _, n := range networks {
		out = append(out, n.name)
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}
