package integration

import (
	"sync"
	"testing"
)

// seats are how many of the real clients' subtests are under way at a time. They mostly wait for processes to start, so more
// than there are processors.
var seats = make(chan struct{}, 6)

// seated runs subtests that share nothing.
type seated struct {
	t     *testing.T
	group sync.WaitGroup
}

func (s *seated) run(name string, test func(*testing.T)) {
	s.group.Go(func() {
		s.t.Run(name, func(t *testing.T) {
			seats <- struct{}{}
			defer func() { <-seats }()
			test(t)
		})
	})
}

// seat lets use add subtests, and returns when they are over.
func seat(t *testing.T, use func(*seated)) {
	s := &seated{t: t}
	defer s.group.Wait()
	use(s)
}
