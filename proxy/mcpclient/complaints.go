package mcpclient

import (
	"sync"
	"time"
)

// complaints are what goes to the log of what a server does wrong. However often
// it does, the log gets what it has room for.
type complaints struct {
	mu     sync.Mutex // leaf
	rate   allowance
	missed int
}

// take reports whether there is room for one more, and how many there was none for
// since the last.
func (c *complaints) take(now time.Time) (room bool, missed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.rate.take(now) {
		c.missed++
		return false, 0
	}
	missed, c.missed = c.missed, 0
	return true, missed
}

// complain logs that the server has done something wrong.
func (s *Session) complain(text string, args ...any) {
	room, missed := s.amiss.take(time.Now())
	if missed > 0 {
		s.options.Log.Warn("more that was wrong is left out", "times", missed)
	}
	if room {
		s.options.Log.Warn(text, args...)
	}
}
