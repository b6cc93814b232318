package mcpserver

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

func cancelled(id string) string {
	return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `}}`
}

// afterID answers a call after as many seconds as its id, sending a note before if
// its params say so.
func afterID(_ context.Context, c *Call) (jsonrpc.Raw, error) {
	wait, err := time.ParseDuration(string(c.Message.ID) + "s")
	time.Sleep(wait)
	if strings.Contains(string(c.Message.Params), "note") {
		c.Send([]byte(note))
	}
	return c.Message.Params, err
}

// What comes before the last response makes an event stream of the answer: first the
// responses that have waited, then what came, then each response when it is there.
func TestBatchBecomesAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initializeOld(batchVersion)
		h.answer = afterID
		began := time.Now()
		got := h.send(h.request("POST", "/mcp", id, batchOf(call(1, `{"n":1}`), call(2, `{"note":1}`), call(4, `{"n":4}`))))
		check(t, "headers after", time.Since(began), 2*time.Second)
		check(t, "type", got.Header.Get("Content-Type"), "text/event-stream")
		got.expect(result(1), note, `"id":2`)
		check(t, "so far", time.Since(began), 2*time.Second)
		got.expect(result(4), "end")

		began = time.Now()
		got = h.send(h.request("POST", "/mcp", id, batchOf(call(5, `{"n":5}`), call(20, `{"n":20}`))))
		check(t, "headers of a slow batch after", time.Since(began), 15*time.Second)
		got.expect(": alive", result(5))
		check(t, "what had waited, after", time.Since(began), 15*time.Second)
		got.expect(result(20), "end")
		check(t, "all", time.Since(began), 20*time.Second)

		began = time.Now()
		got = h.send(h.request("POST", "/mcp", id, batchOf(call(1, `{"n":1}`), call(2, `{"n":2}`)), "Accept: text/event-stream, application/json"))
		check(t, "headers for who prefers events after", time.Since(began), time.Second)
		got.expect(result(1), result(2), "end")
	})
}

// A server's question goes on the batch's stream, and its answer may come in another
// batch.
func TestBatchAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initializeOld(batchVersion)
		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			if string(c.Message.ID) == "1" {
				return c.Message.Params, nil
			}
			m, err := askAndWait(ctx, c.Session, c, nil)
			if err != nil {
				return nil, err
			}
			return m.Result, nil
		}
		got := h.send(h.request("POST", "/mcp", id, batchOf(calls(2)...)))
		got.expect(result(1))
		question, err := jsonrpc.Parse([]byte(got.event()))
		if err != nil || question.Method != "roots/list" {
			t.Fatalf("the question: %v, %v", question, err)
		}
		answer := string(jsonrpc.AppendResult(nil, question.ID, jsonrpc.Raw(`{"roots":[]}`)))
		check(t, "answer", h.do("POST", "/mcp", id, batchOf(answer)).StatusCode, 202)
		got.expect(`{"jsonrpc":"2.0","id":2,"result":{"roots":[]}}`, "end")
	})
}

// A call that has its response puts nothing on the stream that others still use.
func TestBatchNothingAfterTheResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initializeOld(batchVersion)
		first := make(chan *Call, 1)
		h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
			if string(c.Message.ID) == "1" {
				first <- c
			} else {
				time.Sleep(time.Second)
				check(t, "sent after the response", (<-first).Send([]byte(note)), false)
			}
			return c.Message.Params, nil
		}
		check(t, "answer", h.do("POST", "/mcp", id, batchOf(calls(2)...)).body, batchOf(result(1), result(2)))
	})
}

// A client that lost its connection in a batch gets the rest of the stream; where the
// stream is lost, it hears of each call whose response it may not have.
func TestResumeABatch(t *testing.T) {
	for _, away := range []time.Duration{500 * time.Millisecond, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			keys := newKeys(t, keyOne)
			h := newHost(t, Options{Keys: keys}, Access{})
			id := h.initializeOld(batchVersion)
			h.answer = afterID
			half := strings.Replace(call(0, `{}`), `"id":0`, `"id":0.5`, 1)
			messages := batchOf(half, cancelled("0.5"), call(1, `{"n":1}`), call(2, `{"note":1}`), call(3, `{"n":3}`), strings.Replace(call(4, `{"n":4}`), `"id":4`, `"id":4.0`, 1))
			got := h.send(h.request("POST", "/mcp", id, messages))
			got.expect(result(1), note)
			got.Body.Close()
			time.Sleep(away)
			h.send(h.request("GET", "/mcp", id, "", "Last-Event-ID: "+got.lastID)).
				expect(`"id":2`, result(3), `"id":4.0,"result"`, "end")

			restarted := newHost(t, Options{Keys: keys}, Access{})
			const unknown = `"error":{"code":-32603,"message":"the hub restarted; outcome unknown"}`
			lost := restarted.send(restarted.request("GET", "/mcp", id, "", "Last-Event-ID: "+got.lastID))
			lost.expect(`"id":2,`+unknown, `"id":3,`+unknown)
			again := lost.lastID
			lost.expect(`"id":4.0,`+unknown, "end")
			restarted.send(restarted.request("GET", "/mcp", id, "", "Last-Event-ID: "+again)).expect(`"id":4.0,`+unknown, "end")
			restarted.send(restarted.request("GET", "/mcp", id, "", "Last-Event-ID: "+lost.lastID)).expect("end")

			for _, ids := range []string{"[" + strings.Repeat("1,", jsonrpc.MaxBatch) + "1]", `["` + strings.Repeat("x", 2*maxBatchIDs) + `"]`, "[{}]", "[1", `1,"id":2`} {
				forged := eventID{"boot", 1, 1, jsonrpc.Raw(ids)}.String()
				check(t, ids[:2], restarted.do("GET", "/mcp", id, "", "Last-Event-ID: "+forged).StatusCode, 400)
			}
		})
	}
}

// A client that loses its connection has cancelled none of the calls.
func TestBatchDisconnectDoesNotCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initializeOld(batchVersion)
		ended := make(chan error, 3)
		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			result, err := afterID(ctx, c)
			ended <- ctx.Err()
			return result, err
		}
		got := h.send(h.request("POST", "/mcp", id, batchOf(call(1, `{"note":1}`), call(2, `{}`), call(3, `{}`))))
		got.expect(note)
		got.Body.Close()
		for range 3 {
			check(t, "the call's context", <-ended, nil)
		}
	})
}

// While a client does not read, no more of its batch is run than fills the bound, nor
// when it is gone for good; one that reads gets all of it.
func TestBatchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{MaxBody: 100_000}, Access{})
		id := h.initializeOld(batchVersion)
		ran := make(chan bool, 200)
		big := `"` + strings.Repeat("x", 10_000) + `"`
		h.answer = func(context.Context, *Call) (jsonrpc.Raw, error) {
			ran <- true
			time.Sleep(time.Millisecond)
			return jsonrpc.Raw(big), nil
		}
		slow := h.send(h.request("POST", "/mcp", id, batchOf(calls(100)...)))
		time.Sleep(10 * time.Second)
		if n := len(ran); n < 10 || n > 60 {
			t.Errorf("%d calls have run while nobody read", n)
		}
		body, err := io.ReadAll(slow.Body)
		check(t, "responses to who read late", strings.Count(string(body), big), 100)
		check(t, "read error", err, nil)

		for len(ran) > 0 {
			<-ran
		}
		gone := h.stuck(h.request("POST", "/mcp", id, batchOf(calls(100)...)))
		time.Sleep(time.Second)
		gone.Close()
		time.Sleep(time.Minute)
		if n := len(ran); n > 60 {
			t.Errorf("%d calls have run for nobody", n)
		}
		check(t, "in use", h.last().session.busy(), false)
		session := h.last().session
		session.mu.Lock()
		frames := session.streams[session.lastStream].log
		session.mu.Unlock()
		check(t, "the last response", strings.Contains(string(frames[len(frames)-1]), "not run: the client has gone"), true)
	})
}

// The responses of an array that is sent whole are not kept.
func TestArraysAreNotKept(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	id := h.initializeOld(batchVersion)
	h.do("POST", "/mcp", id, batchOf(calls(3)...))
	session := h.last().session
	session.mu.Lock()
	defer session.mu.Unlock()
	check(t, "streams", len(session.streams), 0)
	check(t, "bytes", h.server.kept.Load(), 0)
}
