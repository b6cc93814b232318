package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

var badSenders = []badClient{
	{"connections that say nothing", silentConnections},
	{"headers half sent", halfHeaders},
	{"bodies half sent", halfBodies},
	{"bodies up to the bound and beyond", boundOfBodies},
	{"lies about the length", lies},
}

// answerOn reads the answer to a request that was written on a connection.
func (y *yard) answerOn(lines *bufio.Reader) reply {
	y.t.Helper()
	resp, err := http.ReadResponse(lines, nil)
	if err != nil {
		y.t.Errorf("read the answer: %v", err)
		return reply{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil && !(resp.Close && resp.ContentLength < 0) { // net/http has closed on what was still to be read
		y.t.Errorf("read the answer: %v", err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// crowd connects many times and writes the same on each connection; it checks what
// they cost.
func (y *yard) crowd(n int, most uint64, text string) {
	before := y.measure()
	var conns []net.Conn
	for range n {
		conn := y.dial()
		y.write(conn, "%s", text)
		conns = append(conns, conn)
	}
	y.eventually("all are connected", func() bool { return y.conns.Load() >= int64(n) })
	y.grown(before, uint64(n)*most)
	for _, c := range conns {
		c.Close()
	}
}

func silentConnections(_ *testing.T, y *yard) { y.crowd(1000, 16<<10, "") }

func halfHeaders(_ *testing.T, y *yard) {
	y.crowd(500, 32<<10, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: "+strings.Repeat("x", 5_000))
}

// halfBodies promises much and sends little: to be taken, and where the request is
// refused whatever follows.
func halfBodies(_ *testing.T, y *yard) {
	head := "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n{"
	y.crowd(200, 400<<10, fmt.Sprintf(head, "/mcp", 16<<20))
	y.crowd(200, 32<<10, fmt.Sprintf(head, "/mcp/group/all", 1000))
}

// boundOfBodies sends bodies of exactly the bound and of one byte more. The session
// can be gone on with.
func boundOfBodies(t *testing.T, y *yard) {
	const bound = 16 << 20
	session := y.open("large", `{}`)
	for _, size := range []int{bound, bound + 1} {
		head, tail := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"srv__do","arguments":{"x":"`, `"}}}`
		body := head + strings.Repeat("x", size-len(head)-len(tail)) + tail
		for _, chunked := range []bool{false, true} {
			r := y.request(http.MethodPost, "/mcp", session, body)
			if chunked {
				r.Body, r.ContentLength, r.GetBody = io.NopCloser(strings.NewReader(body)), -1, nil
			}
			got, err := y.do(r)
			status, text := http.StatusOK, `"result"`
			if size > bound {
				status, text = http.StatusRequestEntityTooLarge, fmt.Sprintf("longer than %d bytes (MCPHUB_MAX_BODY)", bound)
			}
			if err != nil || got.status != status || !strings.Contains(got.body, text) {
				t.Errorf("%d bytes, chunked %v: %d %.300s %v", size, chunked, got.status, got.body, err)
			}
			y.works(session)
		}
	}
	y.delete(session)
}

// lies says another length than there is.
func lies(t *testing.T, y *yard) {
	session := y.open("liar", `{}`)
	head := "POST /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: " + session + "\r\n"
	body := toolCall("1", "do")
	for _, c := range []struct {
		headers, body string
		status        int
		text          string
	}{
		{"Content-Length: -1", body, 400, ""},
		{"Content-Length: 99999999999999999999", body, 400, ""},
		{"Content-Length: 1e3", body, 400, ""},
		{"Content-Length: 9223372036854775807", body, 413, "MCPHUB_MAX_BODY"},
		{fmt.Sprintf("Content-Length: %d\r\nContent-Length: 5", len(body)), body, 400, ""},
		{"Content-Length: 5", body, 400, "-32700"}, // and the rest is no request
		{"Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n", 400, "-32700"},
		{"Transfer-Encoding: gzip", body, 501, ""},
		{"Transfer-Encoding: chunked", "zz\r\n", 400, "read the body"},
		{"Transfer-Encoding: chunked", "ffffffffffffffff\r\n{", 400, ""},
		{"Transfer-Encoding: chunked", fmt.Sprintf("%x;ext=\"a;b\"\r\n%s\r\n0;x\r\nTrailer: 1\r\n\r\n", len(body), body), 200, `"result"`},
		{"", "", 400, "-32700"},
	} {
		conn := y.dial()
		if c.headers != "" {
			c.headers += "\r\n"
		}
		y.write(conn, "%s%s\r\n%s", head, c.headers, c.body)
		_ = conn.(*net.TCPConn).CloseWrite()
		got := y.answerOn(bufio.NewReader(conn))
		if got.status != c.status || !strings.Contains(got.body, c.text) {
			t.Errorf("%q %.50q: got %d %.300s, want %d with %s", c.headers, c.body, got.status, got.body, c.status, c.text)
		}
		conn.Close()
	}
	y.works(session)
	y.delete(session)
}
