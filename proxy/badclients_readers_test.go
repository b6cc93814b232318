package proxy

import (
	"fmt"
	"net"
	"net/http"
	"testing"
)

var badReaders = []badClient{
	{"an own stream that nobody reads", unreadOwnStream},
	{"a call's stream that nobody reads", unreadCall},
	{"large results that nobody reads", unreadResults},
}

// dial connects to the hub.
func (y *yard) dial() net.Conn {
	y.t.Helper()
	conn, err := net.Dial("tcp", y.address)
	if err != nil {
		y.t.Fatal(err)
	}
	y.t.Cleanup(func() { conn.Close() })
	return conn
}

// write sends text as it is.
func (y *yard) write(conn net.Conn, format string, args ...any) {
	y.t.Helper()
	if _, err := fmt.Fprintf(conn, format, args...); err != nil {
		y.t.Fatal(err)
	}
}

// unread sends a request whose answer is not read, with little room for it.
func (y *yard) unread(session, method, body string) net.Conn {
	y.t.Helper()
	conn := y.dial()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	y.write(conn, "%s /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: %s\r\nContent-Length: %d\r\n\r\n%s", method, session, len(body), body)
	return conn
}

// unreadOwnStream has a server say more than the client's stream can hold.
func unreadOwnStream(t *testing.T, y *yard) {
	before := y.measure()
	session := y.open("stuck", everything)
	y.works(session)
	stuck := y.unread(session, "GET", "")
	server := y.srv.sessionOf("stuck")
	y.eventually("the stream is there", func() bool { return y.srv.streamsOf("stuck") > 0 })
	text := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"%0*d"}}`, 5_000, 0)
	for range 5_000 { // 25 MB
		server.say <- text
	}
	y.eventually("the server got rid of all", func() bool { return len(server.say) == 0 })
	y.grown(before, 12<<20)
	y.works(session)
	stuck.Close()
	y.delete(session)
}

// unreadCall leaves the streams of calls unread, for which a server has a lot to
// say. The server is not held up.
func unreadCall(t *testing.T, y *yard) {
	before := y.measure()
	session := y.open("stuck", `{}`)
	const calls = 6
	var conns []net.Conn
	for i := range calls { // 10 MB each
		conns = append(conns, y.unread(session, "POST", toolCall(fmt.Sprint(100+i), "chatty")))
	}
	y.eventually("the server got rid of all", func() bool { return y.chatted.Load() == calls })
	y.grown(before, calls*5<<20)
	y.works(session)
	for _, c := range conns {
		c.Close()
	}
	y.delete(session)
}

// unreadResults leaves so many results unread that the hub does not hold them all.
func unreadResults(t *testing.T, y *yard) {
	before := y.measure()
	session := y.open("stuck", `{}`)
	const calls = 14 // 10 MB each
	var conns []net.Conn
	for i := range calls {
		conns = append(conns, y.unread(session, "POST", toolCall(fmt.Sprint(100+i), "big")))
	}
	y.eventually("the server has answered all", func() bool { return y.large.Load() == calls })
	y.grown(before, 240<<20) // each result with the buffer that it was read into
	got := y.mustPost(session, toolCall(`"one more"`, "big"))
	if got.status != http.StatusOK || len(got.body) > 1000 {
		t.Errorf("one more: %d, %d bytes: %.300s", got.status, len(got.body), got.body)
	}
	y.works(session)
	for _, c := range conns {
		c.Close()
	}
	y.delete(session)
}
