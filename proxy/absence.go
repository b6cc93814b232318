package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// absenceLimit is how long the features of a server stay that has no instance, though
// its containers have not just ended: of those discovery keeps the declaration for a
// while, and takes it away itself.
const absenceLimit = 10 * time.Second

// missing says why there is no instance to use.
func (x *lineup) missing() error {
	for _, i := range x.all {
		if i.paused() && !i.gone() {
			return fmt.Errorf("%s is paused", i)
		}
	}
	for _, i := range x.all {
		return i.ended()
	}
	return errors.New(x.absence.Reason)
}

// passing reports whether the absence is over soon, one way or the other.
func (x *lineup) passing() bool { return len(x.all) > 0 || x.absence.State == "stopped" }

// sitOut waits, where the server has no instance to connect to, for a change of that.
// It reports the absence, and when it has lasted too long.
func (l *link) sitOut() {
	x := l.lineup.Load()
	var over <-chan time.Time // nil while the absence does no harm
	switch {
	case l.now.phase == failed:
		l.absent(x, failed)
	case x.passing():
		l.absent(x, away)
	case time.Since(l.lost) >= absenceLimit:
		l.absent(x, failed)
	default:
		l.absent(x, away)
		over = time.After(absenceLimit - time.Since(l.lost))
	}
	select {
	case <-l.moved:
		l.tries, l.caused = 0, false // what comes now is a beginning
	case <-over:
	case <-l.ctx.Done():
	}
}

// absent reports that the server has no instance.
func (l *link) absent(x *lineup, p phase) {
	reason := x.missing()
	level := slog.LevelInfo
	if p == failed && l.now.phase != failed {
		level = slog.LevelWarn
	}
	l.log.Log(l.ctx, level, "server has no instance", "reason", reason, "listed", p != failed)
	l.report(func(s *state) {
		if s.phase != p {
			s.phase, s.since = p, time.Now()
		}
		s.session, s.version, s.err = nil, "", reason
		s.attempts, s.next = 0, time.Time{}
	})
}
