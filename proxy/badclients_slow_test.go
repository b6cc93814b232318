package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slowClientNames are the cases of TestSlowClients that there have to be.
var slowClientNames = []string{
	"silent from the beginning",
	"silent after a request",
	"headers in drops",
	"a body that stops",
	"a body in drops",
	"a large body that stops",
	"a large body, slow but steady",
	"a refused body that stops",
	"a body of a GET that stops",
	"a stream that is not read",
	"a large result that is not read",
	"many small answers that are not read",
	"sessions left alone",
}

var slowClients = []struct {
	name string
	run  func(t *testing.T, l *lane)
}{
	{"silent from the beginning", func(t *testing.T, l *lane) { l.closes("", 10*time.Second) }},
	{"silent after a request", func(t *testing.T, l *lane) {
		conn, lines := l.dial()
		l.write(conn, l.head("POST")+l.sized(l.list))
		want(t, "the answer", l.read(lines).StatusCode, 200)
		l.ends(lines, 2*time.Minute)
	}},
	{"headers in drops", func(t *testing.T, l *lane) {
		conn, lines := l.dial()
		l.running.Go(func() { l.drip(conn, l.head("POST"), 1, time.Second) })
		l.refused(lines, http.StatusBadRequest, "", 10*time.Second)
	}},
	{"a body that stops", func(t *testing.T, l *lane) { l.tooSlow("POST", l.sized(l.list)[:40], 30*time.Second) }},
	{"a body in drops", func(t *testing.T, l *lane) {
		conn, lines := l.dial()
		l.write(conn, l.head("POST")+"Content-Length: 100000\r\n\r\n")
		l.running.Go(func() { l.drip(conn, strings.Repeat(" ", 100_000), 100, time.Second) })
		l.refused(lines, http.StatusRequestTimeout, "the body came too slowly", 30*time.Second)
	}},
	{"a large body that stops", func(t *testing.T, l *lane) {
		conn, lines := l.dial()
		l.write(conn, l.head("POST")+"Content-Length: 16000000\r\n\r\n")
		l.write(conn, strings.Repeat(" ", 5<<20))
		l.refused(lines, http.StatusRequestTimeout, "the body came too slowly: 5242880 bytes", 8*time.Minute) // for 8 MiB
	}},
	{"a large body, slow but steady", func(t *testing.T, l *lane) {
		conn, lines := l.dial()
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good__echo","arguments":{"x":"` + strings.Repeat("x", 16_000_000) + `"}}}`
		l.write(conn, l.head("POST")+fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)))
		l.drip(conn, body, 25_000, time.Second)
		want(t, "the answer", l.read(lines).StatusCode, 200)
	}},
	{"a refused body that stops", func(t *testing.T, l *lane) {
		conn, lines := l.dial()
		l.write(conn, "POST /mcp/server/none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
		l.refused(lines, http.StatusNotFound, "no such server", 30*time.Second)
	}},
	{"a body of a GET that stops", func(t *testing.T, l *lane) {
		conn, lines := l.dial()
		l.write(conn, l.head("GET")+"Content-Length: 10\r\n\r\n")
		want(t, "the stream", l.read(lines).StatusCode, 200)
		conn.Close()
	}},
	{"a stream that is not read", func(t *testing.T, l *lane) {
		conn, _ := l.dial()
		l.write(conn, l.head("GET")+"\r\n")
		l.gone(conn, time.Minute)
	}},
	{"a large result that is not read", func(t *testing.T, l *lane) {
		conn, _ := l.dial()
		l.write(conn, l.head("POST")+l.sized(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a://1"}}`))
		l.gone(conn, 3*time.Minute) // for 10 MB
	}},
	{"many small answers that are not read", func(t *testing.T, l *lane) {
		conn, _ := l.dial()
		l.running.Go(func() { _, _ = conn.Write([]byte(strings.Repeat(l.head("POST")+l.sized(l.list), 10))) })
		l.gone(conn, time.Minute)
	}},
	{"sessions left alone", func(t *testing.T, l *lane) {
		for range 100 {
			newBubbleClient(t, l.hub).has("good__echo")
		}
		time.Sleep(time.Hour + 2*time.Minute)
		if n := l.hub.clients.Sessions(); n > 2 {
			t.Errorf("%d sessions in memory after an hour", n)
		}
		conn, lines := l.dial()
		l.write(conn, l.head("POST")+l.sized(l.list))
		want(t, "a session that was put away", l.read(lines).StatusCode, 200)
	}},
}

// TestSlowClients runs what clients do slowly, or not at all, at a whole hub in a
// bubble, beside a client that behaves well.
func TestSlowClients(t *testing.T) {
	var names []string
	for _, c := range slowClients {
		names = append(names, c.name)
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLane(t)
				stop := l.neighbour()
				c.run(t, l)
				stop()
				l.running.Wait()
				if l.log.String() != "" {
					t.Errorf("log: %s", &l.log)
				}
			})
		})
	}
	sameNames(t, names, slowClientNames)
}
