package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mcphub/proxy/jsonrpc"
)

var badSpeakers = []badClient{
	{"one request id twice at once", oneIDTwice},
	{"answers to questions never asked", unaskedAnswers},
	{"answers to another session's question", foreignAnswers},
	{"another session's call cancelled", foreignCancel},
	{"deep nesting", deepNesting},
	{"names without measure", hugeNames},
}

// oneIDTwice: the second call is refused, the first goes on.
func oneIDTwice(t *testing.T, y *yard) {
	session := y.open("twice", `{}`)
	first, _ := y.begin(session, `"same"`)
	got := y.mustPost(session, tagged("same"))
	if !strings.Contains(got.body, `"id":"same","error":{"code":-32600`) || !strings.Contains(got.body, "still being answered") {
		t.Errorf("the second: %d %s", got.status, got.body)
	}
	close(y.letGo)
	first.expect(`"id":"same","result"`)
	first.close()
	var results, refused atomic.Int64
	several(64, func(int) {
		switch got, err := y.post(session, tagged("same")); {
		case err != nil:
			t.Error(err)
		case strings.Contains(got.body, `"result"`):
			results.Add(1)
		default:
			refused.Add(1)
		}
	})
	if results.Load() == 0 || results.Load()+refused.Load() != 64 {
		t.Errorf("%d answered, %d refused", results.Load(), refused.Load())
	}
	y.works(session)
	y.delete(session)
}

func unaskedAnswers(t *testing.T, y *yard) {
	session := y.open("eager", everything)
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{}}`,
		`{"jsonrpc":"2.0","id":"x","result":{}}`,
		`{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}`,
		`{"jsonrpc":"2.0","id":-9223372036854775808,"result":[]}`,
		`{"jsonrpc":"2.0","id":1e400,"error":{}}`,
	} {
		if got := y.mustPost(session, body); got.status != http.StatusAccepted || got.body != "" {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	y.works(session)
	y.delete(session)
}

// foreignAnswers answers, in one session, the question that another was asked: the
// server gets the answer of the one that was.
func foreignAnswers(t *testing.T, y *yard) {
	bad, asked := y.open("bad", everything), y.open("asked", everything)
	y.srv.keep()
	stream := y.stream(http.MethodPost, asked, toolCall("1", "ask"))
	question, err := jsonrpc.Parse([]byte(stream.expect("elicitation/create")))
	if err != nil {
		t.Fatal(err)
	}
	answer := `{"jsonrpc":"2.0","id":` + string(question.ID) + `,"result":{"action":%q}}`
	for range 3 {
		want(t, "another's answer", y.mustPost(bad, fmt.Sprintf(answer, "another's")).status, http.StatusAccepted)
	}
	want(t, "the answer", y.mustPost(asked, fmt.Sprintf(answer, "mine")).status, http.StatusAccepted)
	m, _ := y.srv.await("the answer", 0, func(m message) bool { return m.Result != nil })
	want(t, "what the server was answered", string(m.Result), `{"action":"mine"}`)
	close(y.letGo)
	stream.expect(`"id":1,"result"`)
	stream.close()
	y.works(bad)
	y.delete(bad, asked)
}

// foreignCancel cancels, in one session, the call of another with the same id.
func foreignCancel(t *testing.T, y *yard) {
	bad, other := y.open("bad", `{}`), y.open("other", `{}`)
	stream, _ := y.begin(other, `"same"`)
	for _, id := range []string{`"same"`, `1`, `null`, `{}`, `[]`, `""`} {
		got := y.mustPost(bad, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+id+`}}`)
		want(t, id, got.status, http.StatusAccepted)
	}
	close(y.letGo)
	stream.expect(`"id":"same","result"`)
	stream.close()
	y.works(bad)
	y.delete(bad, other)
}

func deepNesting(t *testing.T, y *yard) {
	session := y.open("deep", `{}`)
	for _, depth := range []int{100, 1_000, 100_000, 1_000_000} {
		for _, brackets := range []string{"[]", `{"a":}`} {
			opening, closing := brackets[:len(brackets)-1], brackets[len(brackets)-1:]
			body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"srv__do","arguments":` +
				strings.Repeat(opening, depth) + "1" + strings.Repeat(closing, depth) + `}}`
			status, text := http.StatusBadRequest, "nested deeper than"
			if depth == 100 {
				status, text = http.StatusOK, `"result"`
			}
			if got := y.mustPost(session, body); got.status != status || !strings.Contains(got.body, text) {
				t.Errorf("%d deep: %d %.300s", depth, got.status, got.body)
			}
			if got := y.mustPost(session, body[:len(body)-depth]); got.status != http.StatusBadRequest {
				t.Errorf("%d deep, cut: %d %.300s", depth, got.status, got.body)
			}
		}
	}
	y.works(session)
	y.delete(session)
}

// hugeNames uses names and ids of 1 MB. An error says what is wrong, in short.
func hugeNames(t *testing.T, y *yard) {
	session := y.open("huge", `{}`)
	huge := strings.Repeat("x", 1<<20)
	var group sync.WaitGroup
	n := 0
	for body, text := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + huge + `"}}`:                                             "unknown tool",
		`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"` + huge + `"}}`:                                            "unknown prompt",
		`{"jsonrpc":"2.0","id":1,"method":"` + huge + `"}`:                                                                            "is not known here",
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a://` + huge + `"}}`:                                      "not found",
		`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a://` + huge + `"}}`:                                 "not found",
		`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"` + huge + `"}}}`:        "unknown prompt",
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"` + huge + `"}}`:                                           "-32602",
		`{"jsonrpc":"2.0","id":"` + huge + `","method":"ping"}`:                                                                       "the id of the request is longer",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"srv__do","` + huge + `":1}}`:                                 `"result"`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"srv__do","_meta":{"progressToken":"` + huge + `"}}}`:         `"result"`,
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"` + huge + `"}}`:                                  `"protocolVersion":"2025-11-25"`,
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"` + huge + `":{}}}}`: "capabilities are longer",
	} {
		n++
		body := strings.Replace(body, `"id":1,`, fmt.Sprintf(`"id":%d,`, n), 1)
		group.Go(func() {
			got, err := y.post(session, body)
			if err != nil || !strings.Contains(got.body, text) {
				t.Errorf("%.90s: %d %.200s %v, want %s", body, got.status, got.body, err, text)
			}
			if opened := got.header.Get("Mcp-Session-Id"); opened != "" {
				y.delete(opened)
			}
		})
	}
	group.Wait()
	y.works(session)
	y.delete(session)
}
