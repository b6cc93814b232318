package docker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcphub/discovery"
)

// holder is who has an id, from one list to the next.
type holder struct {
	service    string
	containers []string // ids
	explicit   bool     // labels say the id
	server     discovery.Server
	groups     []string
	place      string
	ended      time.Time // when its last container was found to have ended; zero: it has one
}

// award gives each id to one service, and turns the claims of the others down. It
// returns who holds what now.
//
// An id that labels say beats one that follows from a name; then the one who has it
// keeps it; then the oldest container has it. One whose containers have ended keeps
// what it has for the linger, so that a restart or a recreation changes nothing.
func (d *draft) award(before map[string]holder) map[string]holder {
	slices.SortStableFunc(d.claims, func(a, b claim) int {
		return cmp.Or(number(a.container)-number(b.container), strings.Compare(a.container.name, b.container.name))
	})
	byID := map[string]map[string][]claim{} // id in lower case → service → claims
	for _, one := range d.claims {
		id := strings.ToLower(one.reading.id)
		if byID[id] == nil {
			byID[id] = map[string][]claim{}
		}
		service := one.container.service()
		byID[id][service] = append(byID[id][service], one)
	}
	ids := slices.Collect(maps.Keys(byID))
	ids = slices.AppendSeq(ids, maps.Keys(before))
	slices.Sort(ids)
	now := map[string]holder{}
	for _, id := range slices.Compact(ids) {
		var had *holder
		if h, held := before[id]; held {
			had = &h
		}
		h, holds := d.elect(byID[id], had)
		if !holds {
			continue
		}
		now[id] = h
		d.list.Servers = append(d.list.Servers, h.server)
		for _, group := range h.groups {
			d.list.Groups[group] = append(d.list.Groups[group], h.server.ID)
		}
		d.turnDown(byID[id], h)
	}
	return now
}

// number is the container's place among the replicas that Compose or Swarm made.
func number(c container) int {
	text := c.label(composeNumber)
	if parts := strings.Split(c.label(swarmTask), "."); len(parts) > 1 {
		text = parts[1]
	}
	n, _ := strconv.Atoi(text) // no number comes first
	return n
}

// elect returns who has an id that services claim and had held before, if anybody has.
func (d *draft) elect(services map[string][]claim, had *holder) (holder, bool) {
	best := ""
	for _, service := range slices.Sorted(maps.Keys(services)) {
		if best == "" || d.better(services[service], services[best], had) {
			best = service
		}
	}
	if had != nil && (best == "" || !had.back(services) && (had.explicit || !explicit(services[best]))) {
		if kept, still := d.linger(*had); still {
			return kept, true
		}
	}
	if best == "" {
		return holder{}, false
	}
	claims := services[best]
	h := holder{service: best, explicit: explicit(claims), server: d.server(claims)}
	for _, one := range claims {
		h.containers = append(h.containers, one.container.id)
		if one.container.where() == h.server.Where {
			h.groups, h.place = one.reading.groups, one.container.whose()
		}
	}
	return h, true
}

func explicit(claims []claim) bool {
	return slices.ContainsFunc(claims, func(one claim) bool { return one.reading.explicit })
}

// is reports whether the claims are those of h, or of its successor.
func (h *holder) is(claims []claim) bool {
	return slices.ContainsFunc(claims, func(one claim) bool {
		return one.container.service() == h.service || slices.Contains(h.containers, one.container.id)
	})
}

// back reports whether h, or its successor, is among the services.
func (h *holder) back(services map[string][]claim) bool {
	for _, claims := range services {
		if h.is(claims) {
			return true
		}
	}
	return false
}

func (d *draft) better(a, b []claim, had *holder) bool {
	if explicit(a) != explicit(b) {
		return explicit(a)
	}
	if had != nil && had.is(a) != had.is(b) {
		return had.is(a)
	}
	oldest := func(claims []claim) container {
		return slices.MinFunc(claims, func(x, y claim) int { return older(x.container, y.container) }).container
	}
	return older(oldest(a), oldest(b)) < 0
}

// linger keeps a server declared whose containers have ended, until it is too long ago.
func (d *draft) linger(h holder) (holder, bool) {
	now := time.Now()
	if h.ended.IsZero() {
		h.ended = now
	}
	until := h.ended.Add(d.options.Linger)
	if !now.Before(until) {
		return h, false
	}
	d.wakeAt(until)
	h.server.Instances = nil
	h.server.Absence = discovery.Absence{State: "stopped", Reason: h.server.Where + " has ended; its server is withdrawn unless it comes back soon"}
	return h, true
}

// turnDown reports the claims to an id that somebody else holds.
func (d *draft) turnDown(services map[string][]claim, h holder) {
	for _, service := range slices.Sorted(maps.Keys(services)) {
		if service == h.service && h.ended.IsZero() {
			continue
		}
		for _, one := range services[service] {
			reason := fmt.Sprintf("the id %q is taken by %s; set another %s.id", one.reading.id, h.place, d.options.LabelPrefix)
			if one.reading.id != h.server.ID {
				reason = fmt.Sprintf("the id %q differs from %q of %s by case alone; set another %s.id", one.reading.id, h.server.ID, h.place, d.options.LabelPrefix)
			}
			d.problem(one.reading.id, "conflict", one.container, reason)
		}
	}
}
