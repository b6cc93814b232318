package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcphub/discovery"
)

// trial is a bad server beside a good one: a hub that has been running for a
// while, and a client that lists tools and uses the good one all the time.
type trial struct {
	*fleet
	t       *testing.T
	said    logbook
	good    *fake
	servers []discovery.Server
	watched func() // ends the watching and says what was wrong
}

// newTrial starts all but the bad server.
func newTrial(t *testing.T, w wire) *trial {
	x := &trial{t: t, said: newLogbook(t), good: offering("neighbour", w, "fine")}
	x.good.forget = true
	x.good.answer = func(e *exchange) { e.respond(`{"content":[],"for":` + string(e.Params) + `}`) }
	x.good.start(t)
	x.fleet = newLoggingHub(t, slog.New(x.said))
	x.hub.started = time.Now().Add(-time.Hour) // lists wait for nobody any more
	x.serve("neighbour", x.good.spec())
	x.awaitPhase("neighbour", connected)
	x.watched = x.watch(x.connect("/mcp", "watcher", `{}`))
	return x
}

// serve declares one more server.
func (x *trial) serve(id string, spec discovery.Spec) {
	x.t.Helper()
	x.servers = append(x.servers, discovery.Server{ID: id, Origin: discovery.File, Spec: spec})
	slices.SortFunc(x.servers, func(a, b discovery.Server) int { return strings.Compare(a.ID, b.ID) })
	x.desired <- discovery.Desired{Servers: slices.Clone(x.servers)}
}

// close ends the hub while the servers are still there.
func (x *trial) close() {
	if x.watched != nil {
		x.watched()
	}
	x.stop()
}

// expect waits until the status of a server has a state and says what is wrong in
// these words.
func (x *trial) expect(id string, p phase, words ...string) {
	x.t.Helper()
	x.await(fmt.Sprintf("%s %s with %q", id, p, words), func(v *view) bool {
		if v.servers[id] == nil {
			return false
		}
		s := v.status(v.servers[id])
		return s.State == string(p) && containsAll(s.Error+"\n"+strings.Join(s.Problems, "\n"), words)
	})
}

func containsAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// works has a client use the server's tool "do".
func (x *trial) works(id string) {
	x.t.Helper()
	x.expect(id, connected)
	c := x.connect("/mcp", "user", `{}`)
	equal(x.t, id+" is used", c.result(`tools/call {"name":"%s__do"}`, id), `{"content":[]}`)
}

// fails checks that an answer is an error which says these words.
func (x *trial) fails(what string, got []string, words ...string) {
	x.t.Helper()
	last := got[len(got)-1]
	if !strings.Contains(last, `"error":`) || !containsAll(last, words) {
		x.t.Errorf("%s: got %.1000s, want an error that says %q", what, last, words)
	}
}

// watch begins to use the good server. ended stops that, and fails the test if
// anything was wrong.
func (x *trial) watch(c *client) (ended func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var rounds int
	var wrong error
	group.Go(func() {
		for ; (ctx.Err() == nil || rounds < 3) && wrong == nil; rounds++ {
			wrong = useGood(c, rounds)
			time.Sleep(5 * time.Millisecond)
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		group.Wait()
		if wrong != nil {
			x.t.Errorf("the neighbour suffers, in round %d: %v", rounds, wrong)
		}
	})
}

// useGood lists all tools and calls the good server's.
func useGood(c *client, round int) error {
	var names []string
	for cursor := `{}`; cursor != ""; {
		var page struct {
			Tools      []struct{ Name string }
			NextCursor string
		}
		if err := obtain(c, "tools/list", cursor, &page); err != nil {
			return err
		}
		for _, tool := range page.Tools {
			names = append(names, tool.Name)
		}
		if cursor = ""; page.NextCursor != "" {
			cursor = fmt.Sprintf(`{"cursor":%q}`, page.NextCursor)
		}
	}
	if !slices.Contains(names, "neighbour__fine") {
		return fmt.Errorf("its tool is not among the %d listed", len(names))
	}
	var answer struct {
		For struct{ Arguments struct{ Round int } }
	}
	params := fmt.Sprintf(`{"name":"neighbour__fine","arguments":{"round":%d}}`, round)
	if err := obtain(c, "tools/call", params, &answer); err != nil {
		return err
	}
	if got := answer.For.Arguments.Round; got != round {
		return fmt.Errorf("the answer is that of round %d", got)
	}
	return nil
}

// obtain makes a request and reads its result, on any goroutine.
func obtain(c *client, method, params string, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience/2)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(request("%s %s", method, params)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Mcp-Session-Id", c.session)
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var message struct{ Result, Error json.RawMessage }
	if err := json.Unmarshal(body, &message); err != nil || message.Result == nil {
		return fmt.Errorf("%s: HTTP %d: %.1000s", method, resp.StatusCode, body)
	}
	return json.Unmarshal(message.Result, result)
}
