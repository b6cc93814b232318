package discovery

import (
	"fmt"
	"log/slog"
)

// Gaps says of every member that a group lacks what is wrong, for people, in order.
func (d Desired) Gaps() (gaps []string) {
	var ids []string
	for _, server := range d.Servers {
		ids = append(ids, server.ID)
	}
	for _, group := range sortedKeys(d.Missing) {
		for _, id := range d.Missing[group] {
			gap := fmt.Sprintf("group %s: there is no server %q", group, id)
			if near := Nearest(id, ids); near != "" {
				gap += fmt.Sprintf("; did you mean %q?", near)
			}
			gaps = append(gaps, gap)
		}
	}
	return gaps
}

// told is what the log has been told of, so that it is told once.
type told map[string]bool

// tell logs what is wrong with d and was not wrong before. It returns what is wrong now.
func (t told) tell(log *slog.Logger, d Desired) told {
	now := told{}
	warn := func(message string, pairs ...any) {
		key := fmt.Sprintf("%s %q", message, pairs)
		if now[key] = true; !t[key] {
			log.Warn(message, pairs...)
		}
	}
	for _, p := range d.Problems {
		warn("declaration cannot be followed", "server", p.ID, "state", p.State, "where", p.Where, "reason", p.Reason)
	}
	for _, gap := range d.Gaps() {
		warn("group incomplete", "reason", gap)
	}
	return now
}
