package mcpclient

import (
	"context"
	"testing"

	"mcphub/proxy/jsonrpc"
)

// TestQuestionsOfCallsThatAreOver has a question come for a call that is being given
// up: the call takes it, or the session does, before the call has gone or after.
func TestQuestionsOfCallsThatAreOver(t *testing.T) {
	for range 100 {
		taken := 0
		s := &Session{options: Options{Receive: func(*Session, *jsonrpc.Message) { taken++ }}}
		x := newMux(s)
		w, err := x.add(1, &Call{Receive: func(*jsonrpc.Message) error { taken++; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(id string) {
			x.put(w, &jsonrpc.Message{ID: jsonrpc.Raw(id), Method: "roots/list"})
		}
		ask("1")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := x.wait(ctx, w, nil); err == nil {
			t.Fatal("a call that is given up ended without an error")
		}
		ask("2")
		if taken != 2 {
			t.Fatalf("%d of 2 questions were taken", taken)
		}
	}
}
