package proxy

import (
	"slices"
	"testing"
)

// badClient is what a client does that it should not, on real wires.
type badClient struct {
	name string
	run  func(t *testing.T, y *yard)
}

// badClientNames are the cases that there have to be.
var badClientNames = []string{
	"sessions that are never deleted",
	"a hundred initializes at once",
	"an own stream that nobody reads",
	"a call's stream that nobody reads",
	"large results that nobody reads",
	"connections that say nothing",
	"headers half sent",
	"bodies half sent",
	"bodies up to the bound and beyond",
	"a flood of calls to a server that is away",
	"calls without end",
	"garbage in headers",
	"lies about the length",
	"old and odd HTTP",
	"headers that are there twice",
	"event ids that are made up",
	"two resumptions at once",
	"a resumption beside the first connection",
	"one request id twice at once",
	"answers to questions never asked",
	"answers to another session's question",
	"another session's call cancelled",
	"a flood of notifications",
	"deep nesting",
	"names without measure",
	"a thousand own streams at once",
	"disconnects at every stage",
}

// TestBadClients runs each case at a hub of its own, beside a client that behaves
// well: what that one gets stays right. Afterwards all is as it was before.
func TestBadClients(t *testing.T) {
	cases := slices.Concat(badFloods, badReaders, badSenders, badHeaders, badListeners, badSpeakers, badLeavers)
	var names []string
	for _, c := range cases {
		names = append(names, c.name)
		t.Run(c.name, func(t *testing.T) {
			y := newYard(t)
			base := y.measure()
			n := y.neighbour()
			c.run(t, y)
			n.stop()
			y.expectBase(base)
		})
	}
	sameNames(t, names, badClientNames)
}

// sameNames checks that no case is missing, and none is of unknown name.
func sameNames(t *testing.T, got, want []string) {
	t.Helper()
	slices.Sort(got)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		t.Errorf("cases:\n got %q\nwant %q", got, want)
	}
}
