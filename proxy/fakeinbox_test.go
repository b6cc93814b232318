package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"mcphub/proxy/jsonrpc"
)

// message is one message that reached a fake.
type message struct {
	*jsonrpc.Message
	text    string // as it came
	session *fakeSession
	header  http.Header // of its POST; nil over stdio
}

// await waits for a message that match accepts, after the first skip ones, and
// returns it and how many came up to it.
func (f *fake) await(what string, skip int, match func(message) bool) (message, int) {
	f.t.Helper()
	timeout := time.After(patience)
	for {
		f.mu.Lock()
		got, came := f.got, f.came
		f.mu.Unlock()
		for ; skip < len(got); skip++ {
			if match(got[skip]) {
				return got[skip], skip + 1
			}
		}
		select {
		case <-came:
		case <-timeout:
			f.t.Fatalf("%s: never got %s; got %s", f.id, what, f.log())
		}
	}
}

// awaitMethod waits for a message with a method in a client's session. Over stdio
// that is the hub's.
func (f *fake) awaitMethod(method string) message {
	f.t.Helper()
	m, _ := f.await(method, 0, func(m message) bool {
		return m.Method == method && (m.session.client != "mcphub" || f.wire == overStdio)
	})
	return m
}

// count returns how many messages with a method have come.
func (f *fake) count(method string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.got {
		if m.Method == method {
			n++
		}
	}
	return n
}

func (f *fake) log() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out strings.Builder
	for _, m := range f.got {
		fmt.Fprintf(&out, "\n  %s: %.300s", m.session.id, m.text)
	}
	return out.String()
}
