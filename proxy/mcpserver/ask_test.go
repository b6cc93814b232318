package mcpserver

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

// asked is what came of a question.
type asked struct {
	answer string
	err    error
	took   time.Duration
}

// ask asks in the background.
func (h *host) ask(ctx context.Context, s *Session, c *Call) <-chan asked {
	out := make(chan asked, 1)
	go func() {
		began := time.Now()
		m, err := askAndWait(ctx, s, c, jsonrpc.Raw(`{"q":1}`))
		a := asked{err: err, took: time.Since(began)}
		if m != nil {
			a.answer = string(m.Result)
		}
		out <- a
	}()
	return out
}

// questionOf returns the id of the question that comes next on a stream.
func questionOf(r *reply) string {
	r.t.Helper()
	text := r.event()
	m, err := jsonrpc.Parse([]byte(text))
	if err != nil || m.Method != "roots/list" || string(m.Params) != `{"q":1}` {
		r.t.Fatalf("got %q, want a question", text)
	}
	return string(m.ID)
}

func (h *host) respond(session, id, result string) {
	h.t.Helper()
	got := h.do("POST", "/mcp", session, `{"jsonrpc":"2.0","id":`+id+`,"result":`+result+`}`)
	check(h.t, "answer", got.StatusCode, http.StatusAccepted)
}

// A question goes on the stream of its call, though the client's own is open.
func TestAskOnACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			got := <-h.ask(ctx, c.Session, c)
			return jsonrpc.Raw(got.answer), got.err
		}
		own := h.open(id)
		stream := h.send(h.request("POST", "/mcp", id, call(1, `{}`)))
		question := questionOf(stream)
		h.respond(id, "1", `"nobody asked this"`)
		h.respond(id, `"`+question+`"`, `"nor this"`)
		h.respond(h.initialize("/mcp"), question, `"nor in this session"`)
		h.respond(id, question, `"yes"`)
		h.respond(id, question, `"twice"`)
		stream.expect(`"id":1,"result":"yes"`, "end")
		own.expect(": alive") // and nothing before it
		own.Body.Close()
	})
}

// Without a call, or when its client is gone or it has been answered, the question
// goes on the client's own stream; it is held until there is one.
func TestAskOnTheOwnStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		session := h.last().session
		var over, gone *Call
		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			if string(c.Message.ID) == "1" {
				over = c
				return jsonrpc.Raw(`{}`), nil
			}
			gone = c
			c.Send([]byte(note))
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		h.do("POST", "/mcp", id, call(1, `{}`))
		lost := h.send(h.request("POST", "/mcp", id, call(2, `{}`)))
		lost.expect(note)
		lost.Body.Close()
		synctest.Wait()
		for what, c := range map[string]*Call{"no call": nil, "a call that is over": over, "a call whose client is gone": gone} {
			stream := h.open(id)
			synctest.Wait()
			got := h.ask(context.Background(), session, c)
			h.respond(id, questionOf(stream), `"now"`)
			check(t, what+", with a stream", (<-got).answer, `"now"`)
			stream.Body.Close()
			synctest.Wait()

			got = h.ask(context.Background(), session, c)
			time.Sleep(holdQuestion - time.Second)
			stream = h.open(id)
			h.respond(id, questionOf(stream), `"late"`)
			check(t, what+", held", (<-got).answer, `"late"`)
			stream.Body.Close()
			synctest.Wait()

			a := <-h.ask(context.Background(), session, c)
			check(t, what+", never a stream", a.err, ErrNoStream)
			check(t, what+", held for", a.took, holdQuestion)
		}
		check(t, "questions left", len(session.asks), 0)
	})
}

// A question that a stream has no room for is held for the next one.
func TestAskAtAStuckStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		session := h.last().session
		conn := h.stuck(h.request("GET", "/mcp", id, ""))
		defer conn.Close()
		synctest.Wait()
		for _, size := range []int{100_000, 1} {
			for session.Send([]byte(`"` + strings.Repeat("x", size) + `"`)) {
			}
		}
		got := h.ask(context.Background(), session, nil)
		synctest.Wait()
		stream := h.open(id)
		h.respond(id, questionOf(stream), `"yes"`)
		check(t, "answer", (<-got).answer, `"yes"`)
		stream.Body.Close()
	})
}

// A question that is given up is withdrawn, where it was put.
func TestAskWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		session := h.last().session
		stream := h.open(id)
		why := errors.New("no longer of interest")
		ctx, cancel := context.WithCancelCause(context.Background())
		got := h.ask(ctx, session, nil)
		question := questionOf(stream)
		cancel(why)
		check(t, "error", (<-got).err, why)
		stream.expect(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + question + `,"reason":"no longer of interest"}}`)
		h.respond(id, question, `"late"`) // is dropped
		stream.Body.Close()
		synctest.Wait()

		ctx, cancel = context.WithCancelCause(context.Background())
		got = h.ask(ctx, session, nil) // held, never put
		synctest.Wait()
		cancel(why)
		check(t, "error of one that was held", (<-got).err, why)
	})
}

// The questions that wait for answers have a bound; each answer makes room.
func TestAsksHaveABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		session := h.last().session
		stream := h.open(id)
		ctx, cancel := context.WithCancel(context.Background())
		var all []<-chan asked
		for range maxAsks {
			all = append(all, h.ask(ctx, session, nil))
		}
		question := questionOf(stream)
		synctest.Wait()
		if a := <-h.ask(ctx, session, nil); !errors.Is(a.err, errTooManyAsks) {
			t.Errorf("one more: %+v", a)
		}
		h.respond(id, question, `{}`)
		synctest.Wait()
		more := h.ask(ctx, session, nil)
		synctest.Wait()
		select {
		case a := <-more:
			t.Errorf("after an answer: %+v", a)
		default:
		}
		cancel()
		for _, a := range append(all, more) {
			<-a
		}
		check(t, "questions left", len(session.asks), 0)
		stream.Body.Close()
	})
}

// Nobody waits for the answer of a session that has ended.
func TestAskWhenTheSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		session := h.last().session
		held := h.ask(context.Background(), session, nil)
		synctest.Wait()
		h.do("DELETE", "/mcp", id, "")
		check(t, "held", (<-held).err, errEnded)

		id = h.initialize("/mcp")
		session = h.last().session
		stream := h.open(id)
		put := h.ask(context.Background(), session, nil)
		questionOf(stream)
		h.do("DELETE", "/mcp", id, "")
		a := <-put
		check(t, "put", a.err, errEnded)
		check(t, "after", a.took, 0)
		check(t, "afterwards", (<-h.ask(context.Background(), session, nil)).err, errEnded)
		stream.Body.Close()
	})
}

// An answer to a question from before a restart is not taken for one to a question
// after it.
func TestLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeys(t, keyOne)
		seen := map[string]bool{}
		id := ""
		for range 3 {
			h := newHost(t, Options{Keys: keys}, Access{})
			if id == "" {
				id = h.initialize("/mcp")
			} else {
				h.works("/mcp", id)
			}
			stream := h.open(id)
			ctx, cancel := context.WithCancel(context.Background())
			got := h.ask(ctx, h.last().session, nil)
			text := stream.event()
			for !strings.Contains(text, "roots/list") {
				text = stream.event()
			}
			m, err := jsonrpc.Parse([]byte(text))
			if err != nil || seen[string(m.ID)] {
				t.Errorf("the id of %s was used before", text)
			}
			seen[string(m.ID)] = true
			cancel()
			<-got
			stream.Body.Close()
			synctest.Wait()
		}
	})
}

// Drain waits for calls in flight and takes no new ones; answers and notifications
// go on.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		stream := h.open(id)
		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			time.Sleep(5 * time.Second)
			got := <-h.ask(ctx, c.Session, nil)
			return jsonrpc.Raw(got.answer), got.err
		}
		answered := make(chan string, 1)
		go func() { answered <- h.do("POST", "/mcp", id, call(1, `{}`)).body }()
		time.Sleep(time.Second)
		drained := make(chan time.Duration, 1)
		go func() {
			began := time.Now()
			h.server.Drain(context.Background())
			drained <- time.Since(began)
		}()
		synctest.Wait()
		for what, body := range map[string]string{"call": call(2, `{}`), "initialize": hello(`{}`, `{}`)} {
			got := h.do("POST", "/mcp", id, body)
			if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(got.body, "shutting down") || strings.Contains(got.body, `"id":null`) {
				t.Errorf("%s while draining: %d %s", what, got.StatusCode, got.body)
			}
		}
		check(t, "notification", h.do("POST", "/mcp", id, `{"jsonrpc":"2.0","method":"notifications/x"}`).StatusCode, 202)
		h.respond(id, questionOf(stream), `"kept"`)
		if got := <-answered; !strings.Contains(got, "kept") {
			t.Errorf("the call in flight: %s", got)
		}
		if took := <-drained; took < 4*time.Second || took > 4100*time.Millisecond {
			t.Errorf("drained after %v", took)
		}
		stream.Body.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initialize("/mcp")
		h.answer = func(ctx context.Context, _ *Call) (jsonrpc.Raw, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		go func() {
			if resp, err := h.client.Do(h.request("POST", "/mcp", id, call(1, `{}`))); err == nil {
				resp.Body.Close()
			}
		}()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		began := time.Now()
		h.server.Drain(ctx)
		check(t, "patience with a call that does not end", time.Since(began), 8*time.Second)
	})
}

// A token that is taken away ends the calls and streams of its sessions, at once,
// and of no others.
func TestRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := func(token string) Access {
			return Access{Endpoints: map[string]Rule{"/mcp": {true, token}, "/mcp/server/x": {true, "x"}}}
		}
		h := newHost(t, Options{}, rules("a"))
		a, x := "Authorization: Bearer a", "Authorization: Bearer x"
		id, other := h.initialize("/mcp", a), h.initialize("/mcp/server/x", x)
		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			if string(c.Message.Params) == `{"x":1}` {
				return c.Message.Params, nil
			}
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		revoked, kept := h.send(h.request("GET", "/mcp", id, "", a)), h.send(h.request("GET", "/mcp/server/x", other, "", x))
		var group sync.WaitGroup
		group.Go(func() {
			if got := h.do("POST", "/mcp", id, call(1, `{}`), a); !strings.Contains(got.body, "error") {
				t.Errorf("the call: %s", got.body)
			}
		})
		synctest.Wait()
		began := time.Now()
		h.guard.Set(rules("b"))
		h.server.Revoke(h.guard.Admits)
		group.Wait()
		revoked.expect("end")
		check(t, "took", time.Since(began), 0)
		check(t, "sessions in memory", h.server.Sessions(), 1)
		check(t, "with the old token", h.do("POST", "/mcp", id, call(2, `{}`), a).StatusCode, 401)
		check(t, "with the new token", h.do("POST", "/mcp", id, call(2, `{}`), "Authorization: Bearer b").StatusCode, 404)
		check(t, "the other works", h.works("/mcp/server/x", other, x), true)
		kept.expect(": alive")
		kept.Body.Close()
	})
}

// When the server ends, so do streams and calls, each peer is closed once, and no
// session comes afterwards.
func TestServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		ended := make(chan struct{})
		ctx, stop := context.WithCancel(context.Background())
		go func() {
			defer close(ended)
			h.server.Run(ctx)
		}()
		id := h.initialize("/mcp")
		stream := h.open(id)
		stop()
		<-ended
		stream.expect("end")
		check(t, "sessions", h.server.Sessions(), 0)
		check(t, "closed", h.last().closed.Load(), 1)
		got := h.do("GET", "/mcp", id, "")
		if got.StatusCode != 503 || !strings.Contains(got.body, "shutting down") {
			t.Errorf("revival afterwards: %d %s", got.StatusCode, got.body)
		}
		for _, p := range h.peers {
			check(t, "closed", p.closed.Load(), 1)
		}
	})
}

// askAndWait asks the client for its roots.
func askAndWait(ctx context.Context, s *Session, c *Call, params jsonrpc.Raw) (*jsonrpc.Message, error) {
	q, err := s.Ask(c, "roots/list", params)
	if err != nil {
		return nil, err
	}
	return q.Await(ctx)
}
