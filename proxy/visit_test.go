package proxy

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What a server asks during a call, but on its own stream, is lost as long as it
// has none. So the first call waits for the stream, if the client can be asked,
// and goes out without it where the server is slow to answer.
func TestFirstCallWaitsForTheStream(t *testing.T) {
	for _, test := range []struct {
		name, capabilities string
		late               time.Duration
		want               string
	}{
		{"a client that can be asked", `{"elicitation":{}}`, listenPatience / 2, "stream, tools/call"},
		{"a slow server", `{"elicitation":{}}`, listenPatience * 2, "tools/call, stream"},
		{"a client that cannot be asked", `{}`, listenPatience / 2, "tools/call"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newRemote(t, "a", isUp)
				h := bubbleHub(t, Reconnect{0, time.Second, 2 * time.Second}, a)
				time.Sleep(3 * time.Second)
				a.mu.Lock()
				a.got, a.late = nil, test.late
				a.mu.Unlock()
				newCapableClient(t, h, test.capabilities).request("tools/call", `{"name":"a__echo"}`)
				time.Sleep(5 * time.Second)
				got := slices.DeleteFunc(seen(a, &a.got), func(m string) bool { return m != "stream" && m != "tools/call" })
				want(t, "order at the server", strings.Join(got, ", "), test.want)
			})
		})
	}
}
