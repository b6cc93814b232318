package mcpserver

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"sync"
	"time"
)

// maxTombstones bounds how many deleted sessions are remembered.
const maxTombstones = 100_000

// sessions is the table of the sessions in memory, and of those deleted before
// their time. Its mutex is held for the map operations only.
type sessions struct {
	mu           sync.Mutex
	byID         map[string]*Session
	perPrincipal map[Principal]int
	tombstones   map[[16]byte]time.Time // of deleted ids, until they expire
}

func (t *sessions) init() {
	t.byID = make(map[string]*Session)
	t.perPrincipal = make(map[Principal]int)
	t.tombstones = make(map[[16]byte]time.Time)
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

// add puts s into the table and returns the session that is there for its id:
// s, or one that another request has added before.
func (t *sessions) add(s *Session) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	if there := t.byID[s.id]; there != nil {
		return there
	}
	t.byID[s.id] = s
	t.perPrincipal[s.State.Principal]++
	return s
}

// remove takes s out of the table; it reports whether s was there.
func (t *sessions) remove(s *Session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[s.id] != s {
		return false
	}
	delete(t.byID, s.id)
	if t.perPrincipal[s.State.Principal]--; t.perPrincipal[s.State.Principal] == 0 {
		delete(t.perPrincipal, s.State.Principal)
	}
	return true
}

// bury remembers that s was deleted. At the bound, those that would expire first
// are forgotten.
func (t *sessions) bury(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.tombstones) >= maxTombstones {
		t.forgetOldest(maxTombstones / 10)
	}
	t.tombstones[tombstone(s.id)] = s.State.Expires()
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

func (t *sessions) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}

func (t *sessions) all() []*Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*Session, 0, len(t.byID))
	for _, s := range t.byID {
		out = append(out, s)
	}
	return out
}

// idleSince returns the sessions that nobody has used since then. Tombstones
// that have expired are forgotten on the way.
func (t *sessions) idleSince(then time.Time) (idle []*Session) {
	for _, s := range t.all() {
		if !s.busy() && s.lastUsed().Before(then) {
			idle = append(idle, s)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, expires := range t.tombstones {
		if time.Now().After(expires) {
			delete(t.tombstones, id)
		}
	}
	return idle
}

// full reports whether one more session of principal p would be over a bound.
func (t *sessions) full(p Principal, o *Options) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
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
