package proxy

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
)

var badLeavers = []badClient{
	{"disconnects at every stage", disconnects},
}

// disconnects cuts connections anywhere in what is sent and what is answered, with
// and without a word. Which cuts are made is the same in every run.
func disconnects(t *testing.T, y *yard) {
	session := y.open("leaver", everything)
	y.works(session)
	bodies := []string{
		toolCall("%d", "do"), toolCall("%d", "some"), helloOf("leaver%d", `{}`),
		`[` + toolCall("%d", "do") + `]`, `{"jsonrpc":"2.0","id":%d,"method":"tools/list"}`, `{"jsonrpc":"2.0","method":"x%d"}`, "",
	}
	several(420, func(i int) {
		dice := rand.New(rand.NewPCG(1, uint64(i)))
		method, body := "POST", bodies[i%len(bodies)]
		if body == "" {
			method = "GET"
		} else {
			body = fmt.Sprintf(body, i)
		}
		text := fmt.Sprintf("%s /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: %s\r\nContent-Length: %d\r\n\r\n%s", method, session, len(body), body)
		sent := len(text)
		if i/len(bodies)%2 == 0 {
			sent = dice.IntN(len(text))
		}
		conn, err := net.Dial("tcp", y.address)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(text[:sent])); err != nil {
			t.Error(err)
		}
		if dice.IntN(2) == 0 {
			_ = conn.(*net.TCPConn).SetLinger(0) // a reset instead of an end
		}
		if sent == len(text) && dice.IntN(4) > 0 {
			_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // a stream may have nothing to say
			_, _ = conn.Read(make([]byte, 1+dice.IntN(40_000)))
		}
	})
	y.eventually("no call is left", func() bool {
		got := y.mustPost(session, `{"jsonrpc":"2.0","id":"last","method":"ping"}`)
		return strings.Contains(got.body, `"id":"last","result"`)
	})
	y.works(session)
	y.delete(session)
}
