package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

// initializeOld opens a session of a version and returns its id.
func (h *host) initializeOld(version string) string {
	h.t.Helper()
	return h.do("POST", "/mcp", "", strings.Replace(hello(`{}`, `{}`), "2025-11-25", version, 1)).Header.Get(headerSession)
}

func batchOf(messages ...string) string { return "[" + strings.Join(messages, ",") + "]" }

// calls returns calls with the ids from 1 to n and their id as params.
func calls(n int) (messages []string) {
	for id := 1; id <= n; id++ {
		messages = append(messages, call(id, fmt.Sprintf(`{"n":%d}`, id)))
	}
	return messages
}

func result(id int) string { return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"n":%d}}`, id, id) }

const pinging = `{"jsonrpc":"2.0","id":"p","method":"ping"}`

// What a batch is answered with, each response by itself and in the order of the
// requests.
func TestBatch(t *testing.T) {
	const wrong = `"error":{"code":-32600`
	h := newHost(t, Options{}, Access{})
	id := h.initializeOld(batchVersion)
	h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
		switch c.Message.Method {
		case "busy":
			return nil, &BusyError{Reason: "full", RetryAfter: time.Second}
		case "panic":
			panic(http.ErrAbortHandler)
		case "lines":
			return jsonrpc.Raw("{\r\n\"n\": 9007199254740993.0}"), nil
		}
		return c.Message.Params, nil
	}
	request := func(method string) string { return `{"jsonrpc":"2.0","id":"a\u0062","method":"` + method + `"}` }
	for _, test := range []struct {
		batch string
		want  []string // nil: 202
	}{
		{batchOf(`{"jsonrpc":"2.0","method":"notifications/x"}`, `{"jsonrpc":"2.0","id":5,"result":{}}`), nil},
		{batchOf(call(1, `{"n":1}`)), []string{result(1)}},
		{" \n" + batchOf(calls(2)...) + " ", []string{result(1), result(2)}},
		{batchOf(pinging, call(1, `{"n":1}`)), []string{`{"jsonrpc":"2.0","id":"p","result":{}}`, result(1)}},
		{batchOf(request("lines")), []string{"{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0062\",\"result\":{\r\n\"n\": 9007199254740993.0}}"}},
		{batchOf(request("busy"), call(1, `{"n":1}`)), []string{`"id":"a\u0062","error":{"code":-32603,"message":"full"}`, result(1)}},
		{batchOf(request("panic"), call(1, `{"n":1}`)), []string{`"id":"a\u0062","error":{"code":-32603`, result(1)}},
		{batchOf(hello(`{}`, `{}`), call(1, `{"n":1}`)), []string{`"id":0,` + wrong, result(1)}},
		{batchOf(call(1, `{"n":1}`), call(1, `{"n":1}`), call(2, `{"n":2}`)), []string{result(1), `"id":1,` + wrong, result(2)}},
		{batchOf(pinging, pinging), []string{`"id":"p","result"`, `"id":"p",` + wrong}},
		{batchOf(`1`, `{"jsonrpc":"1.0","id":7,"method":"x"}`, call(1, `{"n":1}`)), []string{`"id":null,` + wrong, `"id":7,` + wrong, result(1)}},
		{batchOf(call(1, `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`)), []string{`"id":1,"error":{"code":-32022`}},
	} {
		got := h.do("POST", "/mcp", id, test.batch, "Mcp-Protocol-Version: ")
		if test.want == nil {
			check(t, test.batch+": status", got.StatusCode, 202)
			continue
		}
		elements, err := jsonrpc.Batch([]byte(got.body))
		if err != nil || got.StatusCode != 200 || got.Header.Get("Content-Type") != "application/json" || len(elements) != len(test.want) {
			t.Errorf("%s: got %d %s: %v", test.batch, got.StatusCode, got.body, err)
		}
		for _, want := range test.want {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s: got %s, want %s in it", test.batch, got.body, want)
			}
		}
	}
	check(t, "notifications that reached the peer", strings.Join(h.notes, " "), "notifications/x")
	check(t, "in flight", len(h.last().session.InFlight()), 0)
	check(t, "in the log", strings.Count(h.log.String(), "call panicked"), 1)
}

// What is refused as a whole, with what is wrong; nothing of it is run.
func TestBatchRefusals(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	old, ran := h.initializeOld(batchVersion), false
	h.answer = func(context.Context, *Call) (jsonrpc.Raw, error) { ran = true; return nil, errors.New("run") }
	one := batchOf(call(1, `{}`))
	var long []string
	for n := range 20 {
		long = append(long, strings.Replace(call(1, `{}`), `"id":1`, fmt.Sprintf(`"id":"%01000d"`, n), 1))
	}
	for _, test := range []struct {
		session, body, header string
		status                int
		want                  string
	}{
		{old, `[]`, "", 400, `-32600,"message":"a batch holds at least one message"`},
		{old, batchOf(calls(101)...), "", 400, `-32600,"message":"a batch holds at most 100 messages"`},
		{old, one + "]", "", 400, "-32700"},
		{old, `[` + call(1, `{}`), "", 400, "-32700"},
		{old, batchOf(long...), "", 400, "16384 bytes"},
		{old, one, "Mcp-Protocol-Version: 2026-07-28", 400, "-32022"},
		{old, one, "Accept: application/json", 406, "-32600"},
		{"", one, "", 400, "a batch needs a session of protocol version 2025-03-26"},
		{"", batchOf(hello(`{}`, `{}`)), "", 400, "call initialize first, by itself"},
		{"unknown", one, "", 404, "-32001"},
		{h.initializeOld("2024-11-05"), one, "", 400, "of 2024-11-05: send each message by itself"},
		{h.initializeOld("2025-06-18"), one, "", 400, "batches are of protocol version 2025-03-26 alone, and this session is of 2025-06-18"},
		{h.initialize("/mcp"), one, "Mcp-Protocol-Version: 2025-03-26", 400, "of 2025-11-25"},
	} {
		got := h.do("POST", "/mcp", test.session, test.body, test.header)
		if got.StatusCode != test.status || !strings.Contains(got.body, test.want) || !strings.Contains(got.body, `"id":null`) {
			t.Errorf("%.80s with %q: got %d %s, want %d with %s", test.body, test.header, got.StatusCode, got.body, test.status, test.want)
		}
	}
	h.server.draining.Store(true)
	got := h.do("POST", "/mcp", old, batchOf(call(1, `{}`), pinging, `{"jsonrpc":"2.0","method":"notifications/x"}`))
	if got.StatusCode != 503 || got.Header.Get("Retry-After") != "1" || !strings.Contains(got.body, "shutting down") {
		t.Errorf("draining: got %d %v %s", got.StatusCode, got.Header, got.body)
	}
	check(t, "notifications while draining", strings.Join(h.notes, " "), "notifications/x")
	check(t, "notifications alone while draining", h.do("POST", "/mcp", old, `[{"jsonrpc":"2.0","method":"x"}]`).StatusCode, 202)
	check(t, "run", ran, false)
	check(t, "in use", h.last().session.busy(), false)
}

// The calls of a batch run beside each other, so many at a time.
func TestBatchRunsConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initializeOld(batchVersion)
		var running, most atomic.Int32
		h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(time.Second)
			return c.Message.Params, nil
		}
		began := time.Now()
		got := h.do("POST", "/mcp", id, batchOf(calls(2*maxAtOnce)...))
		check(t, "responses", strings.Count(got.body, "result"), 2*maxAtOnce)
		check(t, "took", time.Since(began), 2*time.Second)
		check(t, "at once", most.Load(), maxAtOnce)
	})
}

// A call of a batch is cancelled by its id, before it has had its turn, too. It gets
// no response; the others do.
func TestBatchCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, Options{}, Access{})
		id := h.initializeOld(batchVersion)
		var ran atomic.Int32
		h.answer = func(ctx context.Context, c *Call) (jsonrpc.Raw, error) {
			ran.Add(1)
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-time.After(time.Second):
				return c.Message.Params, nil
			}
		}
		replies := make(chan *reply)
		go func() { replies <- h.do("POST", "/mcp", id, batchOf(calls(maxAtOnce+1)...)) }()
		synctest.Wait()
		for n := maxAtOnce + 1; n >= 3; n-- { // the last, which has no turn yet, first
			h.do("POST", "/mcp", id, batchOf(cancelled(fmt.Sprint(n))))
		}
		got := <-replies
		if elements, err := jsonrpc.Batch([]byte(got.body)); err != nil || len(elements) != 2 || !strings.Contains(got.body, result(1)) || !strings.Contains(got.body, result(2)) {
			t.Errorf("got %s", got.body)
		}
		check(t, "run", ran.Load(), maxAtOnce)

		got = h.do("POST", "/mcp", id, batchOf(call(1, `{}`), call(2, `{}`), cancelled(`1`), cancelled(`2`)))
		check(t, "all cancelled", fmt.Sprintf("%d %s %q", got.StatusCode, got.Header.Get("Content-Type"), got.body), `200 text/event-stream ""`)
		check(t, "in flight", len(h.last().session.InFlight()), 0)
	})
}

// Many batches at once, in one session and in others: every call has its own answer,
// whatever form it comes in.
func TestManyBatches(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	h.answer = func(_ context.Context, c *Call) (jsonrpc.Raw, error) {
		if len(c.Message.ID)%2 == 0 {
			c.Send([]byte(note))
		}
		return c.Message.Params, nil
	}
	sessions := []string{h.initializeOld(batchVersion), h.initializeOld(batchVersion)}
	var group sync.WaitGroup
	for n := range 40 {
		group.Go(func() {
			var messages []string
			for m := range 20 {
				messages = append(messages, call(n*1000+m, fmt.Sprintf(`{"n":%d}`, n*1000+m)))
			}
			got := h.do("POST", "/mcp", sessions[n%2], batchOf(messages...))
			for m := range 20 {
				if strings.Count(got.body, result(n*1000+m)) != 1 {
					t.Errorf("batch %d, call %d: %s", n, m, got.body)
				}
			}
		})
	}
	group.Wait()
	check(t, "in flight", len(h.last().session.InFlight()), 0)
}
