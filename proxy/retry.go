package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"mcphub/proxy/mcpclient"
)

const (
	leastDelay = 10 * time.Millisecond // between two tries, whatever is configured
	minPause   = time.Second           // between two tries that clients cause
)

// delay returns how long to wait after so many failed tries (1 or more): a random
// time between the initial delay and one that doubles with each try.
func (r *Reconnect) delay(tries int) time.Duration {
	most := r.InitialDelay
	for range tries - 1 {
		if most *= 2; most >= r.MaxDelay {
			most = r.MaxDelay
			break
		}
	}
	if most <= r.InitialDelay {
		return r.InitialDelay
	}
	return r.InitialDelay + rand.N(most-r.InitialDelay)
}

// exhausted reports whether after so many failed tries the server has failed.
func (r *Reconnect) exhausted(tries int) bool { return r.MaxAttempts > 0 && tries > r.MaxAttempts }

// wait returns how long to wait after so many failed tries: one that has failed
// is tried at a steady pace.
func (r *Reconnect) wait(tries int) time.Duration {
	if r.exhausted(tries) {
		return max(leastDelay, r.MaxDelay)
	}
	return max(leastDelay, r.delay(tries))
}

// attempt is what is remembered of the last try to connect.
type attempt struct {
	ended time.Time
	took  time.Duration
	err   error
}

// pause returns for how long no client causes another try.
func (a *attempt) pause() time.Duration { return max(minPause, 2*a.took) }

// askedFor returns when the server wants to be tried again; the zero time if it
// has not said.
func (a *attempt) askedFor() time.Time {
	status, ok := errors.AsType[*mcpclient.StatusError](a.err)
	if !ok || status.RetryAfter == 0 {
		return time.Time{}
	}
	return a.ended.Add(status.RetryAfter)
}

// allowed returns from when on a client can cause the next try.
func (a *attempt) allowed() time.Time {
	at := a.ended.Add(a.pause())
	if asked := a.askedFor(); asked.After(at) {
		return asked
	}
	return at
}

// unreachable reports whether the try failed before anything answered. What
// speaks no TLS, or has a bad certificate, has answered.
func (a *attempt) unreachable() bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](a.err); ok {
		return false
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](a.err); ok {
		return false
	}
	if _, ok := errors.AsType[tls.AlertError](a.err); ok {
		return false
	}
	return errors.Is(a.err, mcpclient.ErrNotSent) || errors.Is(a.err, context.DeadlineExceeded)
}

// waitOut reports that the server is away and waits for the next try. A try that
// a client caused does not count, and leaves the others where they were.
func (l *link) waitOut(err error) {
	phase := l.reckon()
	l.logAway(err, phase)
	l.report(func(s *state) {
		if s.phase != phase {
			s.phase, s.since = phase, time.Now()
		}
		s.session, s.version, s.err = nil, "", err
		s.attempts, s.next = l.tries, l.due
	})
	l.caused = l.pause()
}

// reckon takes a failed try into account: it sets when the server is due, and returns
// its phase.
func (l *link) reckon() phase {
	r := l.hub.reconnect.Load()
	boot := l.booting()
	switch {
	case boot > 0:
		l.due = time.Now().Add(boot)
	case !l.caused:
		l.tries++
		l.due = time.Now().Add(r.wait(l.tries))
	}
	if at := l.last.askedFor(); at.After(l.due) {
		l.due = at
	}
	switch {
	case r.exhausted(l.tries) || l.now.phase == failed:
		return failed
	case boot > 0 && l.now.phase == starting:
		return starting
	default:
		return away
	}
}

// booting returns how long to wait before the next try if the server may be starting,
// else 0. One that answers is not asked as often as one that does not, and one that
// refuses the hub will go on doing so.
func (l *link) booting() time.Duration {
	pause := l.at.bootPause()
	status, answered := errors.AsType[*mcpclient.StatusError](l.last.err)
	switch {
	case pause == 0, answered && (status.Code == http.StatusUnauthorized || status.Code == http.StatusForbidden):
		return 0
	case !l.last.unreachable():
		return slowPace
	default:
		return pause
	}
}

// logAway says once when a server is lost and once when it is given up for now;
// the tries between are told for those who ask.
func (l *link) logAway(err error, phase phase) {
	level, text := slog.LevelDebug, "server still away"
	switch {
	case phase == failed && l.now.phase != failed:
		level, text = slog.LevelWarn, "server reported failed; its features leave the lists"
	case l.now.phase == connected || l.now.phase == starting && phase != starting:
		level, text = slog.LevelWarn, "server away"
	}
	l.log.Log(l.ctx, level, text, "err", err, "retry_in", time.Until(l.due).Round(time.Millisecond), "attempt", l.tries)
}

// wake is why a server that is away is to be tried before its time.
type wake int

const (
	nobody wake = iota
	nudge       // a client has asked for something in its scope
	need        // a request waits for it
)

// wakeUp asks for a try before its time. It never blocks.
func (l *link) wakeUp(why wake) {
	to := l.nudges
	if why == need {
		to = l.needs
	}
	select {
	case to <- struct{}{}:
	default: // one is waiting already
	}
}

// pause waits until the server is due, or until a client gives reason to try it
// earlier: caused reports whether that was so. A reason that comes too early is
// followed when it may be. As long as requests wait for a server on the network,
// there is one; to start a process it takes a new request each time.
func (l *link) pause() (caused bool) {
	due := time.NewTimer(time.Until(l.due))
	defer due.Stop()
	allowed, why := l.last.allowed(), nobody
	if l.overNetwork() && l.waiting.Load() > 0 {
		why = need
	}
	for l.ctx.Err() == nil && time.Now().Before(l.due) {
		early := time.Until(allowed)
		if why == need && early <= 0 {
			return true
		}
		sooner, nudges, probes := l.signals(why, early)
		select {
		case <-l.ctx.Done():
		case <-due.C:
		case <-sooner:
		case <-l.moved:
			return true // somewhere else, or in another state
		case <-l.needs:
			why = need
		case <-nudges:
			why = nudge
		case probes <- struct{}{}:
			if l.probe() {
				return true
			}
			allowed, why = time.Now().Add(l.last.pause()), nobody
		}
	}
	return false
}

// signals returns what to wait for: the time when why may be followed, a nudge
// while there is nothing better, or a place for the dial that a nudge is worth.
func (l *link) signals(why wake, early time.Duration) (sooner <-chan time.Time, nudges <-chan struct{}, probes chan<- struct{}) {
	switch {
	case why == nobody && l.canBeNudged():
		return nil, l.nudges, nil
	case why == nobody:
		return nil, nil, nil
	case early > 0:
		return time.After(early), nil, nil
	default:
		return nil, nil, l.hub.probes
	}
}

// canBeNudged reports whether a nudge can do anything for the server: a process is
// started, and one that has answered is asked again, only for those who need it.
func (l *link) canBeNudged() bool { return l.overNetwork() && l.last.unreachable() }

// probe looks whether a try makes sense, in a place for it, which it gives back.
func (l *link) probe() bool {
	defer func() { <-l.hub.probes }()
	return l.at.listening()
}
