package docker

import (
	"cmp"
	"sync"
	"time"
)

// lives remembers the runs of containers between lists. Two goroutines use it: the
// reader of events tells it of ends, and the one that lists asks it. So it has a leaf
// mutex, held for the map operation only.
type lives struct {
	mu     sync.Mutex
	clock  int              // counts ends
	runs   map[string]*life // by container id
	latest int              // the number of the newest run
}

// life is what is known of one container.
type life struct {
	run     int
	gone    chan struct{} // of the run; nil: it has none now
	ready   bool          // an instance of the run has been declared
	lender  string        // the container whose network its servers are reached in; empty: its own
	ended   int           // the clock when it last ended
	endings []time.Time   // of the last minute, oldest first
	told    time.Time     // when the run was told to stop; zero: it was not
}

const (
	maxLives      = 4096             // containers remembered between two lists
	drainHint     = 15 * time.Second // how long it counts that a container was told to stop
	crashWindow   = time.Minute
	crashesInLoop = 5
)

func newLives() *lives { return &lives{runs: map[string]*life{}} }

// end notes that the container's process has ended, and lets go of whoever talks to it.
func (l *lives) end(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.runs[id]
	if one == nil {
		if len(l.runs) >= maxLives {
			return // the list that this event causes will know
		}
		one = &life{}
		l.runs[id] = one
	}
	l.clock++
	one.ended = l.clock
	one.stop(time.Now())
	l.strand(id)
}

// strand ends the runs of those who use the network of a container that has ended: the
// address was that one's, and whoever stays behind is not there any more. l.mu is held.
func (l *lives) strand(lender string) {
	for _, one := range l.runs {
		if one.lender == lender && one.gone != nil {
			one.ended = l.clock
			one.stop(time.Now())
		}
	}
}

// stop ends the present run.
func (one *life) stop(now time.Time) {
	if one.gone != nil {
		close(one.gone)
	}
	one.gone, one.ready, one.told = nil, false, time.Time{}
	one.endings = append(one.recent(now), now)
	if len(one.endings) > crashesInLoop {
		one.endings = one.endings[1:]
	}
}

// recent forgets the endings of long ago, and returns the others.
func (one *life) recent(now time.Time) []time.Time {
	for len(one.endings) > 0 && now.Sub(one.endings[0]) > crashWindow {
		one.endings = one.endings[1:]
	}
	return one.endings
}

// tell notes that the container was told to stop.
func (l *lives) tell(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.runs[id]; one != nil && one.gone != nil {
		one.told = time.Now()
	}
}

// moment is the time on the clock of ends, for a list that begins now.
func (l *lives) moment() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock
}

// present is what there is to know of a running container.
type present struct {
	run      int
	gone     <-chan struct{}
	ready    bool // an instance of this run has been declared before
	draining time.Time
}

// present returns the run of a container that a list begun at the moment since shows
// running. It returns false if the container has ended since: the list is too old.
func (l *lives) present(id string, since int) (present, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.runs[id]
	if one == nil {
		one = &life{}
		l.runs[id] = one
	}
	if one.ended > since {
		return present{}, false
	}
	if one.gone == nil {
		l.latest++
		one.run, one.gone = l.latest, make(chan struct{})
	}
	p := present{run: one.run, gone: one.gone, ready: one.ready}
	if !one.told.IsZero() && time.Since(one.told) < drainHint {
		p.draining = one.told.Add(drainHint)
	}
	return p, true
}

// declared notes that the container's run has an instance now, which is reached in the
// network of another container if there is a lender.
func (l *lives) declared(id, lender string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.runs[id]; one != nil && one.gone != nil {
		one.ready, one.lender = true, cmp.Or(lender, one.lender)
	}
}

// crashing reports whether the container has ended again and again of late.
func (l *lives) crashing(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.runs[id]
	return one != nil && len(one.recent(time.Now())) >= crashesInLoop
}

// settle ends the runs of the containers that are not among those that a list shows
// alive, or whose lender is not, and forgets what is long over.
func (l *lives) settle(alive map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for id, one := range l.runs {
		if alive[id] && (one.lender == "" || alive[one.lender]) {
			continue
		}
		if one.gone != nil {
			one.stop(now)
		}
		if !alive[id] && len(one.recent(now)) == 0 {
			delete(l.runs, id)
		}
	}
}
