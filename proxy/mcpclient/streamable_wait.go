package mcpclient

import (
	"context"
	"math/rand/v2"
	"time"
)

// How long a stream that ended is left alone before it is asked for again: as the
// server wishes, but longer after attempts in vain, and when streams bring nothing.
const (
	firstDelay = 250 * time.Millisecond
	maxDelay   = 30 * time.Second
	// settled is how long a stream must have lived for the next attempt to be
	// prompt again.
	settled = 10 * time.Second
	// From one request for a stream to the next it takes restStep at least, and as
	// much again for each stream before that has brought no message, up to maxRest:
	// a server that ends all streams at once, each with a new id, may ask to be asked
	// again after a millisecond.
	restStep = 10 * time.Millisecond
	maxRest  = time.Second
)

// streamEnd is where a stream broke off.
type streamEnd struct {
	lastID  string
	retry   time.Duration // what the server asks to wait
	polls   bool          // it has asked: it means to be asked again and again
	reached bool          // the last attempt got a stream
	asked   time.Time     // when the last attempt was made
	vain    int           // how many streams in a row have brought no message
}

// note takes from a stream's reader where the stream broke off.
func (at *streamEnd) note(r *eventReader) {
	at.lastID, at.retry, at.polls = r.lastID, r.retry, r.retried
	if at.vain++; r.heard {
		at.vain = 0
	}
}

// wait returns how long to wait before the attempt that follows tries vain ones.
func (at *streamEnd) wait(tries int) time.Duration {
	return max(at.rest(), backoff(at.retry, tries))
}

// wish returns what the server asks to wait, as far as it is granted; 0 if it does
// not ask.
func (at *streamEnd) wish() time.Duration {
	if at.retry == 0 {
		return 0
	}
	return max(at.rest(), at.retry)
}

func (at *streamEnd) rest() time.Duration {
	return min(maxRest, restStep*time.Duration(1+at.vain)) - time.Since(at.asked)
}

// backoff returns how long to wait before the attempt that follows tries vain
// ones: random, so that many sessions do not come back at the same moment, and
// not less than what the server asked for.
func backoff(retry time.Duration, tries int) time.Duration {
	if tries == 0 && retry > 0 {
		return retry
	}
	bound := min(maxDelay, firstDelay<<min(tries, 10))
	return max(retry, bound/2+rand.N(bound/2))
}

// sleep waits, unless ctx ends. A value on enough, which may be nil, ends it early.
func sleep(ctx context.Context, d time.Duration, enough <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	case <-enough:
		return nil
	}
}
