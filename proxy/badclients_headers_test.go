package proxy

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

var badHeaders = []badClient{
	{"garbage in headers", garbage},
	{"headers that are there twice", repeated},
	{"old and odd HTTP", oddHTTP},
}

// tagged is a call that says whose it is: what comes back must be of the same.
func tagged(id string) string { return toolCall(`"`+id+`"`, "do") }

// raw sends a request as it is, and returns the answer. Headers of a name that is
// among the usual ones take their place.
func (y *yard) raw(method, path, session, body string, headers ...string) reply {
	y.t.Helper()
	conn := y.dial()
	defer conn.Close()
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\n", method, path)
	usual := []string{"Host: localhost", "Mcp-Session-Id: " + session, fmt.Sprintf("Content-Length: %d", len(body)), "Content-Type: application/json", "Accept: */*"}
	for _, u := range usual {
		name, _, _ := strings.Cut(u, ":")
		taken := false
		for _, h := range headers {
			taken = taken || strings.HasPrefix(strings.ToLower(h), strings.ToLower(name)+":")
		}
		if !taken {
			out.WriteString(u + "\r\n")
		}
	}
	for _, h := range headers {
		out.WriteString(h + "\r\n")
	}
	y.write(conn, "%s\r\n%s", out.String(), body)
	return y.answerOn(bufio.NewReader(conn))
}

// garbage sends what should not be in a header. Each answer has the right status
// and names what is wrong; a refusal at an MCP endpoint is a JSON-RPC error.
func garbage(t *testing.T, y *yard) {
	session := y.open("mine", `{}`)
	elsewhere := y.mustPostAt("/mcp/server/srv", helloOf("elsewhere", `{}`)).header.Get("Mcp-Session-Id")
	guarded := y.mustPostAt("/mcp/group/all", helloOf("guarded", `{}`), "Authorization: Bearer "+yardToken).header.Get("Mcp-Session-Id")
	gone := y.open("gone", `{}`)
	y.delete(gone)
	const long = 100_000
	binary := "\x80\xff\xfe\t\x81"
	forged := session[:len(session)-2] + "AA"
	for _, c := range []struct {
		method, path, header string
		status               int
		text                 string
	}{
		{"POST", "/mcp", "Mcp-Session-Id: " + forged, 404, "-32001"},
		{"POST", "/mcp", "Mcp-Session-Id: " + session[:40], 404, "-32001"},
		{"POST", "/mcp", "Mcp-Session-Id: " + session + "=", 404, "-32001"},
		{"POST", "/mcp", "Mcp-Session-Id: " + strings.Repeat("A", long), 404, "-32001"},
		{"POST", "/mcp", "Mcp-Session-Id: " + binary, 404, "-32001"},
		{"POST", "/mcp", "Mcp-Session-Id:", 400, "Mcp-Session-Id is missing"},
		{"POST", "/mcp", "Mcp-Session-Id: " + elsewhere, 404, "-32001"},
		{"POST", "/mcp", "Mcp-Session-Id: " + guarded, 404, "-32001"},
		{"POST", "/mcp", "Mcp-Session-Id: " + gone, 404, "-32001"},
		{"DELETE", "/mcp", "Mcp-Session-Id: " + guarded, 404, "-32001"},
		{"GET", "/mcp", "Mcp-Session-Id: " + elsewhere, 404, "-32001"},
		{"POST", "/mcp", "Mcp-Session-Id: \x00", 400, ""},
		{"POST", "/mcp", "Mcp-Session-Id: " + strings.Repeat("A", 280<<10), 431, ""},
		{"POST", "/mcp", "Mcp-Protocol-Version: 1900-01-01", 400, "2025-11-25"},
		{"POST", "/mcp", "Mcp-Protocol-Version: " + binary, 400, "-32"},
		{"POST", "/mcp", "Mcp-Protocol-Version: z" + strings.Repeat("z", long), 400, "-32022"},
		{"GET", "/mcp", "Mcp-Protocol-Version: zzz", 405, "POST alone"},
		{"GET", "/mcp", "Last-Event-Id: made up", 400, "Last-Event-ID"},
		{"GET", "/mcp", "Last-Event-Id: " + strings.Repeat(".", long), 400, "Last-Event-ID"},
		{"GET", "/mcp", "Last-Event-Id: " + binary, 400, "Last-Event-ID"},
		{"GET", "/mcp", "Last-Event-Id: boot.-1.-1.MQ", 400, "Last-Event-ID"},
		{"GET", "/mcp", "Last-Event-Id: boot.1.99999999999999999999999.MQ", 400, "Last-Event-ID"},
		{"GET", "/mcp", "Last-Event-Id: boot.1.1y2p0ij32e8e7.MQ", 400, "Last-Event-ID"}, // the largest of 63 bits
		{"POST", "/mcp", "Accept: text/html", 406, "Accept"},
		{"POST", "/mcp", "Accept: " + strings.Repeat("x/y,", long/4), 406, "Accept"},
		{"POST", "/mcp", "Accept: " + binary, 406, "Accept"},
		{"GET", "/mcp", "Accept: application/json", 406, "text/event-stream"},
		{"POST", "/mcp", "Content-Type: text/plain", 415, "Content-Type"},
		{"POST", "/mcp", "Content-Type: " + strings.Repeat("x", long), 415, "Content-Type"},
		{"POST", "/mcp", "Content-Type: " + binary, 415, "Content-Type"},
		{"POST", "/mcp", "Host: evil.example", 403, "host not allowed"},
		{"POST", "/mcp", "Host: " + strings.Repeat("a.", long/2), 403, "host not allowed"},
		{"POST", "/mcp", "Host: a b", 400, ""},
		{"POST", "/mcp", "Origin: https://evil.example", 403, "origin not allowed"},
		{"POST", "/mcp", "Origin: " + binary, 403, "origin not allowed"},
		{"POST", "/mcp", "Origin: null", 403, "origin not allowed"},
		{"POST", "/mcp/group/all", "Authorization: Bearer", 401, "unauthorized"},
		{"POST", "/mcp/group/all", "Authorization: Bearer " + strings.Repeat("x", long), 401, "unauthorized"},
		{"POST", "/mcp/group/all", "Authorization: Basic " + yardToken, 401, "unauthorized"},
		{"POST", "/mcp/group/all", "Authorization: " + binary, 401, "unauthorized"},
		{"POST", "/mcp", "Authorization: " + binary, 200, `"result"`}, // none is asked for
		{"POST", "/mcp", "Expect: the unexpected", 417, ""},
		{"POST", "/mcp/server/" + strings.Repeat("x", long), "X: y", 404, "no such server"},
		{"PATCH", "/mcp", "X: y", 405, ""},
		{"BREW", "/mcp", "X: y", 405, ""},
	} {
		got := y.raw(c.method, c.path, session, tagged("garbage"), c.header)
		if got.status != c.status || !strings.Contains(got.body, c.text) {
			t.Errorf("%s %.40s with %.60q: got %d %.300s, want %d with %s", c.method, c.path, c.header, got.status, got.body, c.status, c.text)
		}
		if len(got.body) > 2_000 {
			t.Errorf("%s with %.60q: an answer of %d bytes", c.method, c.header, len(got.body))
		}
	}
	y.works(session)
	y.delete(session)
	for path, id := range map[string]string{"/mcp/server/srv": elsewhere, "/mcp/group/all": guarded} {
		got, err := y.do(y.request(http.MethodDelete, path, id, "", "Authorization: Bearer "+yardToken))
		if err != nil || got.status != http.StatusNoContent {
			t.Errorf("DELETE %s: %d %s %v", path, got.status, got.body, err)
		}
	}
}

func (y *yard) mustPostAt(path, body string, headers ...string) reply {
	y.t.Helper()
	got, err := y.do(y.request(http.MethodPost, path, "", body, headers...))
	if err != nil || got.header.Get("Mcp-Session-Id") == "" {
		y.t.Fatalf("%s: %d %s %v", path, got.status, got.body, err)
	}
	return got
}

// repeated sends headers twice: where two values could be taken for two things, none
// is.
func repeated(t *testing.T, y *yard) {
	mine, other := y.open("mine", `{}`), y.open("other", `{}`)
	for _, c := range []struct {
		path, first, second string
		status              int
		text                string
	}{
		{"/mcp", "Mcp-Session-Id: " + mine, "Mcp-Session-Id: " + other, 400, "Mcp-Session-Id is there 2 times"},
		{"/mcp", "Mcp-Session-Id: " + mine, "mcp-session-id: " + mine, 400, "Mcp-Session-Id is there 2 times"},
		{"/mcp", "Mcp-Protocol-Version: 2025-11-25", "Mcp-Protocol-Version: 2026-07-28", 400, "Mcp-Protocol-Version is there 2 times"},
		{"/mcp", "Last-Event-Id: a", "Last-Event-Id: b", 400, "Last-Event-Id is there 2 times"},
		{"/mcp", "Content-Type: application/json", "Content-Type: text/plain", 400, "Content-Type is there 2 times"},
		{"/mcp", "Accept: application/json", "Accept: text/event-stream", 200, `"result"`}, // it is a list
		{"/mcp", "Host: localhost", "Host: evil.example", 400, ""},
		{"/mcp", "Origin: http://localhost", "Origin: https://evil.example", 403, "origin not allowed"},
		{"/mcp/group/all", "Authorization: Bearer " + yardToken, "Authorization: Bearer x", 401, "unauthorized"},
		{"/mcp/group/all", "Authorization: Bearer x", "Authorization: Bearer " + yardToken, 401, "unauthorized"},
	} {
		got := y.raw(http.MethodPost, c.path, mine, tagged("twice"), c.first, c.second)
		if got.status != c.status || !strings.Contains(got.body, c.text) {
			t.Errorf("%q and %q: got %d %.300s, want %d with %s", c.first, c.second, got.status, got.body, c.status, c.text)
		}
	}
	y.works(mine)
	y.delete(mine, other)
}

// oddHTTP speaks HTTP/1.0, in chunks with extensions, and without waiting for
// answers.
func oddHTTP(t *testing.T, y *yard) {
	session := y.open("odd", `{}`)
	head := "Host: localhost\r\nMcp-Session-Id: " + session + "\r\n"
	old := func(body string) string {
		return fmt.Sprintf("POST /mcp HTTP/1.0\r\n%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	for body, text := range map[string]string{tagged("old"): `"id":"old","result"`, toolCall(`"old"`, "some"): "data: "} {
		conn := y.dial()
		y.write(conn, "%s", old(body))
		if got := y.answerOn(bufio.NewReader(conn)); got.status != 200 || !strings.Contains(got.body, text) || strings.HasSuffix(got.body, "0\r\n\r\n") {
			t.Errorf("HTTP/1.0: %d %.300s", got.status, got.body)
		}
		conn.Close()
	}

	const pipelined = 200
	conn := y.dial()
	for i := range pipelined {
		body := tagged(fmt.Sprint("p", i))
		y.write(conn, "POST /mcp HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n%x;a=b;c\r\n%s\r\n0\r\n\r\n", head, len(body), body)
	}
	lines := bufio.NewReader(conn)
	for i := range pipelined {
		if got := y.answerOn(lines); !strings.Contains(got.body, fmt.Sprintf(`"id":"p%d","result"`, i)) {
			t.Fatalf("answer %d of those that were pipelined: %d %.300s", i, got.status, got.body)
		}
	}
	conn.Close()

	conn = y.dial() // what is no HTTP at all
	y.write(conn, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
	want(t, "TLS at a plain port", y.answerOn(bufio.NewReader(conn)).status, http.StatusBadRequest)
	conn.Close()
	y.works(session)
	y.delete(session)
}
