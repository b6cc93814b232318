package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// neighbour is a client that behaves well.
type neighbour struct {
	y       *yard
	session string
	list    string // as it has to be
	stream  *answer
	over    chan struct{}
	running sync.WaitGroup
	rounds  int
}

// neighbour has a client list and call all the time until it is stopped.
func (y *yard) neighbour() *neighbour {
	y.t.Helper()
	n := &neighbour{y: y, session: y.open("neighbour", everything), over: make(chan struct{})}
	n.list = y.mustPost(n.session, request("tools/list")).body
	if !strings.Contains(n.list, "good__echo") || !strings.Contains(n.list, "srv__ask") {
		y.t.Fatalf("the neighbour's list: %s", n.list)
	}
	n.stream = y.stream(http.MethodGet, n.session, "")
	if err := n.round(); err != nil {
		y.t.Fatal(err)
	}
	n.running.Go(func() {
		for {
			select {
			case <-n.over:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if err := n.round(); err != nil {
				y.t.Errorf("the neighbour, after %d rounds: %v", n.rounds, err)
				return
			}
		}
	})
	return n
}

// round is a list and a call of each server.
func (n *neighbour) round() error {
	n.rounds++
	if got, err := n.y.post(n.session, request("tools/list")); err != nil || got.body != n.list && !(n.y.away.Load() && strings.Contains(got.body, "good__echo")) {
		return fmt.Errorf("list: %d %.300s %w", got.status, got.body, err)
	}
	text := fmt.Sprintf(`{"round":%d}`, n.rounds)
	got, err := n.y.post(n.session, request(`tools/call {"name":"good__echo","arguments":%s}`, text))
	if want := `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":` + text + `}}`; err != nil || got.body != want {
		return fmt.Errorf("call: %d %.300s %w, want %s", got.status, got.body, err, want)
	}
	if n.y.away.Load() {
		return nil
	}
	got, err = n.y.post(n.session, toolCall("1", "do"))
	if err != nil || got.body != `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}` {
		return fmt.Errorf("call at the other server: %d %.300s %w", got.status, got.body, err)
	}
	return nil
}

// stop has a last round, and a word on the neighbour's own stream, and ends its
// session.
func (n *neighbour) stop() {
	t := n.y.t
	t.Helper()
	close(n.over)
	n.running.Wait()
	if err := n.round(); err != nil {
		t.Errorf("the neighbour, afterwards: %v", err)
	}
	n.y.good.sessionOf("neighbour").say <- `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"for the neighbour"}}`
	n.stream.expect("for the neighbour")
	n.stream.close()
	n.y.delete(n.session)
}
