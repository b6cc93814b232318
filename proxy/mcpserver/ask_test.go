package mcpserver

import (
	"context"
	"errors"
	"net/http"
	"strings"
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

// askAndWait asks the client for its roots.
func askAndWait(ctx context.Context, s *Session, c *Call, params jsonrpc.Raw) (*jsonrpc.Message, error) {
	q, err := s.Ask(c, "roots/list", params)
	if err != nil {
		return nil, err
	}
	return q.Await(ctx)
}
