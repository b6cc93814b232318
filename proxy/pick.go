package proxy

import (
	"fmt"
	"time"

	"mcphub/proxy/mcpclient"
)

// avoided is for how long no new session goes where the last one could not be opened,
// if there is another instance.
const avoided = 5 * time.Second

// What is against an instance, from the least to the worst.
const (
	isDraining = 1 << iota // it has been told to stop, or is unhealthy
	hasFailed              // the last try to connect was in vain
	isUnproven             // nobody has been connected to it
)

// against returns what is against beginning something at an instance; 0: nothing.
func (i *instance) against() (rank int) {
	if i.said.Load().Draining {
		rank |= isDraining
	}
	if at := i.failed.Load(); at != 0 && time.Since(time.Unix(0, at)) < avoided {
		rank |= hasFailed
	}
	if !i.ready.Load() {
		rank |= isUnproven
	}
	return rank
}

// pick returns where a new session of a client goes: to the instance that has the
// fewest, of those against which there is least. With standby it is the first of these.
func (l *link) pick() (*instance, error) {
	x := l.lineup.Load()
	var best *instance
	for _, i := range x.all {
		if i.gone() || i.paused() {
			continue
		}
		if best == nil || i.against() < best.against() ||
			i.against() == best.against() && !x.standby && i.sessions.Load() < best.sessions.Load() {
			best = i
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%w: %w", mcpclient.ErrNotSent, x.missing())
	}
	return best, nil
}

// choose returns where the hub's own session goes: to the first instance that can
// serve, but not to one that has failed while there is another. It is nil if there is
// none.
func (l *link) choose() (best *instance) {
	for _, i := range l.lineup.Load().all {
		if i.gone() || i.paused() {
			continue
		}
		if best == nil || i.ill() < best.ill() || i.ill() == best.ill() && i.failed.Load() < best.failed.Load() {
			best = i
		}
	}
	return best
}

// ill is what is against an instance but that it may be starting.
func (i *instance) ill() int { return i.against() &^ isUnproven }
