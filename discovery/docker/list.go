package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"mcphub/discovery"
)

// list asks the engine for its containers and publishes what follows. It returns when
// to list again though no event may come; zero: never.
func (s *Source) list(ctx context.Context, e *engine) (wake time.Time, err error) {
	since := s.lives.moment()
	elements, err := e.list(ctx, s.filters)
	if err != nil {
		return wake, err
	}
	d := &draft{options: &s.options, lives: s.lives, since: since, alive: map[string]bool{}}
	d.list = discovery.List{Origin: discovery.Label, Groups: map[string][]string{}}
	all := d.decode(elements)
	own, err := s.own(ctx, e, all)
	if err != nil {
		return wake, err
	}
	if own == nil && s.me.contained {
		d.remarks = append(d.remarks, "the hub runs in a container and does not find it at this engine, so it cannot see which networks it shares with others; MCPHUB_DOCKER_SELF names it")
	}
	d.around = s.surroundings(ctx, own, all)
	d.consider(all)
	s.holders = d.award(s.holders)
	slices.SortStableFunc(d.list.Problems, func(a, b discovery.Problem) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Where, b.Where))
	})
	s.tell(d)
	s.publish(ctx, d.list)
	return d.wake, nil
}

// decode reads the engine's elements one by one. One that cannot be read hides no other.
func (d *draft) decode(elements []json.RawMessage) (all []container) {
	for _, raw := range elements {
		c, err := decode(raw)
		d.alive[c.id] = c.alive()
		switch ours := err != nil && len(split(d.options.LabelPrefix, c.labels)) > 0; {
		case err == nil:
			all = append(all, c)
		case ours:
			d.problem(c.defaultID(), "invalid", c, fmt.Sprintf("what the engine says of the container cannot be read: %v", err))
		default:
			d.remarks = append(d.remarks, printable(fmt.Sprintf("what the engine says of a container cannot be read: %v", err), maxText))
		}
	}
	return all
}

var hexID = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// own returns the hub's own container, or nil. A filter may have kept it from the list.
func (s *Source) own(ctx context.Context, e *engine, all []container) (*container, error) {
	if found := s.me.among(all); found != nil {
		return found, nil
	}
	if len(s.filters) == 0 {
		return nil, nil
	}
	for _, candidate := range s.me.candidates {
		by := "name"
		if hexID.MatchString(candidate) {
			by = "id"
		}
		elements, err := e.list(ctx, client.Filters{}.Add(by, candidate))
		if err != nil {
			return nil, err
		}
		var some []container
		for _, raw := range elements {
			if c, err := decode(raw); err == nil {
				some = append(some, c)
			}
		}
		if found := s.me.among(some); found != nil {
			return found, nil
		}
	}
	return nil, nil
}

// host is where the engine listens, as it was configured.
func (s *Source) host() string { return hostOr(s.options.Host) }

// hostOr returns the engine's address where MCPHUB_DOCKER_HOST says so much.
func hostOr(configured string) string {
	return cmp.Or(configured, os.Getenv("DOCKER_HOST"), client.DefaultDockerHost)
}

// remote returns the name of the engine's machine, if that is another than this one.
func remote(host string) string {
	u, err := url.Parse(host)
	if err != nil || u.Scheme == "unix" || u.Scheme == "npipe" || isLoopback(u.Hostname()) {
		return ""
	}
	return u.Hostname()
}

// routed reports whether this machine, from outside of containers, reaches the
// containers' own addresses: not where the engine runs in a machine or a network
// namespace of its own, as Docker Desktop and rootless Docker do.
func routed(host string) bool {
	socket, _ := strings.CutPrefix(host, "unix://")
	return runtime.GOOS == "linux" && remote(host) == "" &&
		!strings.Contains(socket, "/.docker/") && !strings.HasPrefix(socket, "/run/user/")
}

func (s *Source) surroundings(ctx context.Context, own *container, all []container) *surroundings {
	around := &surroundings{prefix: s.options.LabelPrefix, own: own, all: map[string]container{}, prefer: s.options.Network}
	for _, c := range all {
		around.all[c.id] = c
	}
	switch s.options.Address {
	case "auto":
		around.published = !s.me.contained && !routed(s.host())
	case "published":
		around.published = true
	}
	around.host = sync.OnceValue(func() string { return s.hostAddress(ctx, around) })
	return around
}

// hostAddress returns the address of the engine's host, as the hub reaches it.
func (s *Source) hostAddress(ctx context.Context, around *surroundings) string {
	own := around.own
	switch {
	case s.options.HostAddress != "":
		return s.options.HostAddress
	case !s.me.contained && remote(s.host()) != "":
		return remote(s.host())
	case !s.me.contained, own != nil && own.mode == "host":
		return "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, name := range []string{"host.docker.internal", "host.containers.internal"} {
		if found, err := s.lookup(ctx, name); err == nil && len(found) > 0 {
			return found[0]
		}
	}
	if own == nil {
		return ""
	}
	for _, n := range around.owner(*own).addresses() {
		if n.gateway != (netip.Addr{}) {
			return n.gateway.String()
		}
	}
	return ""
}

// tell logs what is new, once: servers with their containers, and what is odd about
// them. Whoever merges the lists logs their problems.
func (s *Source) tell(d *draft) {
	log := s.options.Log
	known, noted := map[string]bool{}, map[string]bool{}
	for _, server := range d.list.Servers {
		for _, i := range server.Instances {
			key := server.ID + " " + i.Container
			if known[key] = true; !s.known[key] {
				log.Info("server found by label", "server", server.ID, "container", i.Name, "image", i.Image)
			}
		}
		for _, warning := range server.Warnings {
			s.note(noted, warning, "server", server.ID, "container", server.Container)
		}
		if server.Absence.State == "unreachable" {
			s.note(noted, server.Absence.Reason, "server", server.ID)
		}
	}
	for _, remark := range d.remarks {
		s.note(noted, remark)
	}
	s.known, s.noted = known, noted
}

func (s *Source) note(noted map[string]bool, reason string, pairs ...any) {
	key := fmt.Sprint(append(pairs, reason)...)
	if noted[key] = true; !s.noted[key] {
		s.options.Log.Warn("Docker labels", append(pairs, "reason", reason)...)
	}
}
