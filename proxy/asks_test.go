package proxy

import (
	"fmt"
	"strconv"
	"testing"

	"mcphub/proxy/jsonrpc"
)

// TestCancelledCallAsks cancels calls during which the server waits for an answer
// of the client: it hears of the cancellation first. In the other order it might
// answer the call, as many servers do when nobody answers them, and never hear that
// it was cancelled.
func TestCancelledCallAsks(t *testing.T) {
	onEach(t, streaming, func(t *testing.T, w wire) {
		server := doing(w, func(x *exchange) {
			x.send(question(`"q"`, "elicitation/create", `{"message":""}`))
			<-x.gone
		})
		server.isolation = "session"
		client := newFleet(t, server).connect("/mcp", "c", everything)
		for seen := range 20 {
			call := client.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"srv__do"}}`, seen))
			call.expect("elicitation/create")
			client.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + strconv.Itoa(seen) + `}}`)
			told, at := server.await("the end of the call", 0, nthEnd(seen))
			if told.Method != "notifications/cancelled" {
				t.Fatalf("round %d: the server was told %s before the cancellation", seen, told.text)
			}
			server.await("the refusal of its question", at, func(m message) bool { return string(m.ID) == `"q"` && m.Method == "" })
			call.close()
		}
	})
}

// nthEnd returns what accepts the first of the messages by which a server hears of
// the end of a call, after so many calls that came to their end with two of them.
func nthEnd(calls int) func(message) bool {
	skip := 2 * calls
	return func(m message) bool {
		if m.Method != "notifications/cancelled" && m.Kind() != jsonrpc.Response {
			return false
		}
		skip--
		return skip < 0
	}
}
