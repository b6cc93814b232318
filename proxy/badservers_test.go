package proxy

import (
	"slices"
	"testing"
)

// badServer is one way in which a server can be bad.
type badServer struct {
	name   string
	beside wire // how the neighbour is reached
	alone  bool // the case looks at the whole process
	run    func(*trial)
}

// badServerNames are the ways that must not do harm to others.
var badServerNames = []string{
	"accepts connections and never reads",
	"answers 404 for its session",
	"answers 503 once when it is back",
	"answers a call after a minute",
	"answers a call with the response to another",
	"answers late to a call that was cancelled",
	"answers to ids nobody asked",
	"answers with JSON nested very deep",
	"answers with duplicate keys",
	"answers without a content type",
	"asks without end",
	"asks for sampling that the client has not declared",
	"capabilities that are no object",
	"closes each stream at once with a new id",
	"closes its GET stream again and again",
	"closes its stdout and lives on",
	"command not found",
	"compresses though nobody asked",
	"dies during a call, HTTP",
	"dies during a call, stdio",
	"exits at once again and again",
	"floods stderr",
	"host name that cannot be resolved",
	"HTML instead of an answer to initialize",
	"huge number of tools",
	"list of tools that is always an error",
	"lists that change a thousand times a second",
	"message of 64 MiB, HTTP body",
	"message of 64 MiB, SSE event",
	"message of 64 MiB, stdio",
	"never answers initialize",
	"noise on stdout",
	"progress without end, SSE",
	"progress without end, stdio",
	"protocol version nobody knows",
	"redirects to another origin",
	"refuses clients but not the hub",
	"repeats a cursor for ever",
	"returns while a call waits",
	"sends invalid UTF-8",
	"SSE endpoint at another origin",
	"TLS that fails",
	"tools without a schema, with long names, listed twice",
	"withdraws a question when it is answered",
}

var badServers = slices.Concat(badAtHello, badHTTP, badMessages, badProcesses, badStreams, badLists, bigMessages)

// TestBadServers has each bad server beside a good one that a client uses all the
// time, and looks whether anything is left when the hub has ended.
func TestBadServers(t *testing.T) {
	before := goroutines()
	for _, alone := range []bool{true, false} {
		t.Run(map[bool]string{true: "alone", false: "together"}[alone], func(t *testing.T) {
			for _, bad := range badServers {
				if bad.alone == alone {
					t.Run(bad.name, func(t *testing.T) { try(t, bad) })
				}
			}
		})
	}
	if left := lastOf(func() []string { return since(before) }); len(left) > 0 {
		t.Errorf("%d goroutines are left behind, the first is %s", len(left), left[0])
	}
}

func try(t *testing.T, bad badServer) {
	if !bad.alone {
		t.Parallel()
	}
	leavesNothing(t, func() {
		x := newTrial(t, bad.beside)
		defer x.close()
		bad.run(x)
	})
}

// TestBadServersAreAllThere compares the cases with their list.
func TestBadServersAreAllThere(t *testing.T) {
	var names []string
	for _, bad := range badServers {
		names = append(names, bad.name)
	}
	for _, bad := range badServersInTime {
		names = append(names, bad.name)
	}
	slices.Sort(names)
	want := slices.Sorted(slices.Values(badServerNames))
	for _, name := range names {
		if !slices.Contains(want, name) {
			t.Errorf("%q is not in the list", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(names, name) {
			t.Errorf("no case has a server that is bad in this way: %s", name)
		}
	}
	if len(slices.Compact(names)) != len(names) {
		t.Error("two cases have the same name")
	}
}
