package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/mcpclient"
)

// Status is what is known of all servers at one moment.
type Status struct {
	Servers []ServerStatus
	Missing map[string][]string // group → members that nobody declares
}

// ServerStatus is what is known of one server, or of a declaration that cannot be
// followed.
type ServerStatus struct {
	ID              string
	Connected       bool
	Tools           int // listed ones, as the next three
	Prompts         int
	Resources       int
	Templates       int
	State           string // starting, connected, away, failed, suspended, an Absence's, or a Problem's
	Transport       string
	Source          string
	Groups          []string
	ProtocolVersion string // empty unless connected
	Since           time.Time
	Error           string // why it is not connected
	Attempts        int
	NextAttempt     time.Time // zero if there is none to come
	Strays          int64     // messages that nobody waited for, since it was declared
	Problems        []string  // what is odd about its declaration; features repaired, left out, or shadowed by another server's
	Container       string    // those it runs in, by name with commas; else the one that declares it
	Title           string
	Description     string
}

// Status returns what is known now. It never waits.
func (h *Hub) Status() Status {
	v := h.view()
	status := Status{Missing: v.desired.Missing}
	for _, id := range v.ids {
		status.Servers = append(status.Servers, v.status(v.servers[id]))
	}
	for _, p := range v.desired.Problems {
		status.Servers = append(status.Servers, ServerStatus{
			ID: p.ID, State: p.State, Source: string(p.Origin), Error: p.Reason, Container: p.Container,
		})
	}
	slices.SortStableFunc(status.Servers, func(a, b ServerStatus) int { return strings.Compare(a.ID, b.ID) })
	return status
}

func (v *view) status(s *state) ServerStatus {
	out := ServerStatus{
		ID: s.server.ID, Connected: s.phase == connected && !s.frozen(), State: s.word(),
		Transport: string(s.server.Spec.Transport), Source: string(s.server.Origin), Groups: v.groupsOf(s.server.ID),
		ProtocolVersion: s.version, Since: s.since, Attempts: s.attempts, NextAttempt: s.next, Strays: s.link.strays.Load(),
		Container: containers(s.server), Title: s.server.Title, Description: s.server.Description,
		Problems: slices.Clone(s.server.Warnings),
	}
	switch absence := s.server.Absence; {
	case absence.State != "" && s.phase != connected:
		out.Error = absence.Reason
	case s.err != nil:
		out.Error = s.err.Error()
	case s.phase == starting:
		out.Error = "the first try to connect is under way"
	}
	if f := s.features; f != nil && s.listed() {
		out.Tools, out.Prompts = len(f.lists[tools]), len(f.lists[prompts])
		out.Resources, out.Templates = len(f.lists[resources]), len(f.lists[templates])
		out.Problems = append(out.Problems, f.problems...)
	}
	if shadowed := v.catalogs[aggregatePath].shadowed[s.server.ID]; len(shadowed) > 0 {
		out.Problems = append(out.Problems, fmt.Sprintf("%d resources or templates are listed by another server too, which has got them at %s; the first is %.200s", len(shadowed), aggregatePath, shadowed[0]))
	}
	return out
}

// containers names the containers that a server runs in, or, while it runs nowhere,
// the one whose labels declare it.
func containers(s discovery.Server) string {
	var names []string
	for _, i := range s.Instances {
		names = append(names, i.Name)
	}
	return cmp.Or(strings.Join(names, ", "), s.Container)
}

// frozen reports whether the server runs nowhere but in paused containers.
func (s *state) frozen() bool {
	all := s.server.Live()
	return len(all) > 0 && !slices.ContainsFunc(all, func(i discovery.Instance) bool { return !i.Paused })
}

// word says how the server is, in one word.
func (s *state) word() string {
	switch {
	case s.frozen():
		return "suspended"
	case s.phase != connected && s.server.Absence.State != "":
		return s.server.Absence.State
	case errors.Is(s.err, mcpclient.ErrOutOfReach):
		return "unreachable"
	default:
		return string(s.phase)
	}
}

func (v *view) groupsOf(server string) (groups []string) {
	for group, members := range v.desired.Groups {
		if slices.Contains(members, server) {
			groups = append(groups, group)
		}
	}
	slices.Sort(groups)
	return groups
}
