package docker

import (
	"context"
	"math/rand/v2"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/moby/client"

	"mcphub/discovery"
)

// Source is the discovery.Source of what labels declare.
type Source struct {
	options Options
	filters client.Filters
	me      self
	dial    dialer // nil but in tests
	lookup  func(ctx context.Context, host string) ([]string, error)
	lives   *lives
	err     atomic.Pointer[error]
	flag    chan struct{} // an event has come since the last list, of a container that may declare servers
	later   chan struct{} // of another container, or a network

	// Owned by Run:
	news      chan discovery.List
	sent      *discovery.List // nil: none yet
	holders   map[string]holder
	version   string    // that the engine has asked for; empty: negotiate
	newest    time.Time // the engine's time of the newest event; owned by the reader while it runs
	lastEvent time.Time // of a container; the clock is ours
	noted     map[string]bool
	known     map[string]bool // instances that the log has been told of, by container and id
}

// LastError returns why the engine cannot be followed now, or nil. The last list stays in
// force meanwhile.
func (s *Source) LastError() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

const (
	firstRetry  = 250 * time.Millisecond
	lastRetry   = 30 * time.Second
	listedRetry = 10 * time.Second // where lists work, and only events do not
	stable      = 10 * time.Second // a stream of events that lasted so long was a good one
)

// Run implements discovery.Source. It must be called once.
func (s *Source) Run(ctx context.Context, lists chan<- discovery.List) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.send(ctx, lists) })
	delay := firstRetry
	for ctx.Err() == nil {
		began := time.Now()
		listed, err := s.follow(ctx)
		if ctx.Err() != nil {
			break
		}
		if s.adopt(err) {
			continue
		}
		if s.sent == nil {
			// Nothing is known, and the other sources need not wait for it.
			s.publish(ctx, discovery.List{Origin: discovery.Label})
		}
		s.fail(err)
		if time.Since(began) > stable {
			delay = firstRetry
		}
		if listed {
			delay = min(delay, listedRetry)
		}
		pause(ctx, jitter(delay))
		delay = min(2*delay, lastRetry)
	}
	return nil
}

// adopt takes the API version that the engine has asked for. It reports whether that is
// worth another try at once.
func (s *Source) adopt(err error) bool {
	wanted := wantedVersion.FindStringSubmatch(err.Error())
	if wanted == nil || s.version != "" || os.Getenv("DOCKER_API_VERSION") != "" {
		s.version = "" // it may be another engine next time
		return false
	}
	s.version = wanted[1]
	s.options.Log.Info("Docker engine asked for an API version", "api", s.version)
	return true
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// jitter keeps several hubs from asking at the same time.
func jitter(d time.Duration) time.Duration {
	return d*4/5 + rand.N(d*2/5+1)
}

// fail says once why the engine cannot be followed.
func (s *Source) fail(err error) {
	if last := s.LastError(); last == nil || last.Error() != err.Error() {
		s.options.Log.Warn("Docker engine cannot be followed, the last list of containers stays in force", "err", err)
	}
	s.err.Store(&err)
}

func (s *Source) recovered(version string) {
	if s.err.Swap(nil) != nil || s.sent == nil {
		s.options.Log.Info("Docker engine is followed", "api", version)
	}
}

// send hands the newest list to a receiver that may be slow.
func (s *Source) send(ctx context.Context, lists chan<- discovery.List) {
	var out chan<- discovery.List // nil while there is nothing new to send
	var list discovery.List
	for {
		select {
		case list = <-s.news:
			out = lists
		case out <- list:
			out = nil
		case <-ctx.Done():
			return
		}
	}
}

// publish sends a list that differs from the last one.
func (s *Source) publish(ctx context.Context, list discovery.List) {
	if s.sent != nil && reflect.DeepEqual(*s.sent, list) {
		return
	}
	s.sent = &list
	select {
	case s.news <- list:
	case <-ctx.Done():
	}
}
