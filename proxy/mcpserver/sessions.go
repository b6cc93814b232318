package mcpserver

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	maxTombstones = 100_000 // deleted sessions that are remembered
	maxUnsealed   = 1_000   // states that fit into no id
)

// sessions is the table of the sessions in memory, and of those deleted before
// their time. Its mutex is held for the map operations only.
type sessions struct {
	mu           sync.Mutex
	byID         map[string]*Session
	perPrincipal map[Principal]int
	tombstones   map[[16]byte]time.Time // of deleted ids, until they expire
	unsealed     map[string]*State      // by ids that do not seal them, until they expire
	closed       bool                   // no more are taken
}

func (t *sessions) init() {
	t.byID = make(map[string]*Session)
	t.perPrincipal = make(map[Principal]int)
	t.tombstones = make(map[[16]byte]time.Time)
	t.unsealed = make(map[string]*State)
}

func tombstone(id string) (key [16]byte) {
	sum := sha256.Sum256([]byte(id))
	copy(key[:], sum[:])
	return key
}

func (t *sessions) get(id string) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

// deleted reports whether id was deleted by its client.
func (t *sessions) deleted(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, dead := t.tombstones[tombstone(id)]
	return dead
}

// errFull says that a session more would be over a bound.
var errFull = errors.New("the table of sessions is full")

// add puts s into the table and returns the session that is there for its id:
// s, or one that another request has added before.
func (t *sessions) add(s *Session, o *Options) (*Session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	there := t.byID[s.id]
	_, dead := t.tombstones[tombstone(s.id)]
	switch {
	case t.closed:
		return nil, errDraining
	case dead:
		return nil, errNoSession
	case there != nil:
		return there, nil
	case t.isFull(s.State.Principal, o):
		return nil, errFull
	}
	t.byID[s.id] = s
	t.perPrincipal[s.State.Principal]++
	return s, nil
}

// close takes no more sessions and returns those that are there.
func (t *sessions) close() []*Session {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	return t.all()
}

// remove takes s out of the table, if it is there.
func (t *sessions) remove(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[s.id] == s {
		t.drop(s)
	}
}

// drop takes s out of the table. t.mu is held.
func (t *sessions) drop(s *Session) {
	delete(t.byID, s.id)
	if t.perPrincipal[s.State.Principal]--; t.perPrincipal[s.State.Principal] == 0 {
		delete(t.perPrincipal, s.State.Principal)
	}
}

// bury remembers that s was deleted, and takes out of the table what is there
// for its id, which it returns. At the bound, those that would expire first are
// forgotten.
func (t *sessions) bury(s *Session) (there *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.tombstones) >= maxTombstones {
		t.forgetOldest(maxTombstones / 10)
	}
	t.tombstones[tombstone(s.id)] = s.State.Expires()
	delete(t.unsealed, s.id)
	if there = t.byID[s.id]; there != nil {
		t.drop(there)
	}
	return there
}

func (t *sessions) forgetOldest(n int) {
	ids := make([][16]byte, 0, len(t.tombstones))
	for id := range t.tombstones {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b [16]byte) int { return t.tombstones[a].Compare(t.tombstones[b]) })
	for _, id := range ids[:n] {
		delete(t.tombstones, id)
	}
}

// keep remembers the state of a session whose id does not seal it. At the bound,
// the one that would expire first is forgotten.
func (t *sessions) keep(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.unsealed) >= maxUnsealed {
		delete(t.unsealed, slices.MinFunc(slices.Collect(maps.Keys(t.unsealed)), func(a, b string) int {
			return t.unsealed[a].Issued.Compare(t.unsealed[b].Issued)
		}))
	}
	t.unsealed[s.id] = &s.State
}

// kept returns what keep remembers for an id, or nil.
func (t *sessions) kept(id string) *State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unsealed[id]
}

func (t *sessions) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}

func (t *sessions) all() []*Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.byID))
}

// idleSince returns the sessions that nobody has used since then.
func (t *sessions) idleSince(then time.Time) (idle []*Session) {
	for _, s := range t.all() {
		if !s.busy() && s.lastUsed().Before(then) {
			idle = append(idle, s)
		}
	}
	return idle
}

// expire forgets what has expired.
func (t *sessions) expire(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.tombstones, func(_ [16]byte, expires time.Time) bool { return now.After(expires) })
	maps.DeleteFunc(t.unsealed, func(_ string, s *State) bool { return now.After(s.Expires()) })
}

// full reports whether one more session of principal p would be over a bound.
func (t *sessions) full(p Principal, o *Options) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.isFull(p, o)
}

func (t *sessions) isFull(p Principal, o *Options) bool {
	return len(t.byID) >= o.MaxSessions || t.perPrincipal[p] >= o.MaxPerPrincipal
}

// longestIdle returns a share of the sessions of p (of all, if the table itself
// is full) that are not in use, those first that were used longest ago. More
// than one, so that the search pays off.
func (t *sessions) longestIdle(p Principal, o *Options) []*Session {
	everyone := t.count() >= o.MaxSessions
	idle := slices.DeleteFunc(t.all(), func(s *Session) bool {
		return s.busy() || !everyone && s.State.Principal != p
	})
	slices.SortFunc(idle, func(a, b *Session) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	return idle[:min(len(idle), 1+len(idle)/64)]
}
