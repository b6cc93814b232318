package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	"mcphub/proxy/mcpclient"
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

// wake is why a server that is away is to be tried before its time.
type wake int

const (
	nudge wake = iota // a client has asked for something in its scope
	need              // a request waits for it
)

// minPause is the least time between two tries that clients cause.
const minPause = time.Second

// attempt is what is remembered of the last try to connect.
type attempt struct {
	ended time.Time
	took  time.Duration
	err   error
}

// early returns when the next try may be made that clients cause.
func (a *attempt) early() time.Time {
	at := a.ended.Add(max(minPause, 2*a.took))
	if status, ok := errors.AsType[*mcpclient.StatusError](a.err); ok {
		if after := a.ended.Add(status.RetryAfter); after.After(at) {
			return after
		}
	}
	return at
}

// unreachable reports whether the try failed before anything answered.
func (a *attempt) unreachable() bool {
	return errors.Is(a.err, mcpclient.ErrNotSent) || errors.Is(a.err, context.DeadlineExceeded)
}

// pause waits for the next try of a server that is away: for delay, or until a
// client gives reason to try earlier. It reports whether that was so.
func (l *link) pause(delay time.Duration) (woken bool) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	var sooner <-chan time.Time // when a wake may be followed that came too early
	var why wake
	for {
		select {
		case <-l.ctx.Done():
			return false
		case <-timer.C:
			return false
		case why = <-l.wakes:
			if sooner == nil {
				sooner = time.After(time.Until(l.last.early()))
			}
		case <-sooner:
			sooner = nil
			if l.worthTrying(why) {
				return true
			}
			l.last.ended = time.Now() // the next one waits its turn
		}
	}
}

// worthTrying reports whether a try makes sense that a client has caused. A
// server on the network is dialled first, which costs it nothing.
func (l *link) worthTrying(why wake) bool {
	switch {
	case !l.overNetwork():
		return why == need
	case l.last.unreachable():
		return l.listening()
	default:
		return why == need
	}
}

// listening reports whether something accepts connections at the server's
// address.
func (l *link) listening() bool {
	select {
	case l.hub.probes <- struct{}{}:
		defer func() { <-l.hub.probes }()
	default:
		return false
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(l.ctx, "tcp", hostPort(l.server.Spec.URL))
	if err != nil {
		return false
	}
	_ = conn.Close() // it was opened to see that it can be
	return true
}

// hostPort returns the address that a URL leads to.
func hostPort(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	if port := u.Port(); port != "" {
		return net.JoinHostPort(u.Hostname(), port)
	}
	return net.JoinHostPort(u.Hostname(), u.Scheme)
}

// wakeUp asks for a try before its time. It never blocks.
func (l *link) wakeUp(why wake) {
	select {
	case l.wakes <- why:
	default: // one is waiting already
	}
}
