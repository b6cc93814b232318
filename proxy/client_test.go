package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcphub/proxy/jsonrpc"
)

// client is a client that sends exact bytes and sees exact bytes.
type client struct {
	t       testing.TB
	url     string
	name    string
	session string
	hello   string // the result of initialize
	http    *http.Client
}

// everything is what a client declares that can all there is.
const everything = `{"sampling":{},"elicitation":{},"roots":{"listChanged":true}}`

// newClient returns a client of an endpoint that has no session yet.
func (f *fleet) newClient(path, name string) *client {
	transport := &http.Transport{DisableCompression: true}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &client{t: f.t, url: f.url + path, name: name, http: &http.Client{Transport: transport}}
}

// connect opens a session at an endpoint for a client of this name.
func (f *fleet) connect(path, name, capabilities string) *client {
	f.t.Helper()
	return f.connectIn("2025-11-25", path, name, capabilities)
}

// connectIn does that in a version of the protocol.
func (f *fleet) connectIn(version, path, name, capabilities string) *client {
	f.t.Helper()
	c := f.newClient(path, name)
	a := c.post(helloIn(version, name, capabilities))
	body := a.text()
	m, err := jsonrpc.Parse([]byte(body))
	if err != nil || m.Result == nil {
		f.t.Fatalf("initialize at %s: HTTP %d %s", path, a.status, body)
	}
	c.session, c.hello = a.header.Get("Mcp-Session-Id"), string(m.Result)
	c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return c
}

// helloIn is how a client of this name begins a session.
func helloIn(version, name, capabilities string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":%q,"capabilities":%s,"clientInfo":{"name":%q,"version":"1"}}}`, version, capabilities, name)
}

// answer is the HTTP answer to a client's request.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   io.ReadCloser
	lines  *bufio.Reader
	cancel context.CancelFunc
	closes bool // the connection is not to be used again
}

func (c *client) do(method, body string) *answer {
	c.t.Helper()
	return c.doWith(http.Header{}, method, body)
}

// resume asks for the rest of a stream, after an event.
func (c *client) resume(lastEventID string) *answer {
	c.t.Helper()
	return c.doWith(http.Header{"Last-Event-Id": {lastEventID}}, http.MethodGet, "")
}

func (c *client) doWith(header http.Header, method, body string) *answer {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	r, err := http.NewRequestWithContext(ctx, method, c.url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = header
	r.Header.Set("Accept", "application/json, text/event-stream")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.session != "" {
		r.Header.Set("Mcp-Session-Id", c.session)
		r.Header.Set("Mcp-Protocol-Version", "2025-11-25")
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, c.url, err)
	}
	c.t.Cleanup(cancel)
	return &answer{t: c.t, status: resp.StatusCode, header: resp.Header, body: resp.Body, lines: bufio.NewReader(resp.Body), cancel: cancel, closes: resp.Close}
}

// post sends one message.
func (c *client) post(body string) *answer {
	c.t.Helper()
	return c.do(http.MethodPost, body)
}

// open opens the client's own stream.
func (c *client) open() *answer {
	c.t.Helper()
	a := c.do(http.MethodGet, "")
	if a.status != http.StatusOK {
		c.t.Fatalf("GET %s: HTTP %d %s", c.url, a.status, a.text())
	}
	return a
}

// send sends what has no response.
func (c *client) send(body string) {
	c.t.Helper()
	a := c.post(body)
	if a.status != http.StatusAccepted {
		c.t.Errorf("%s: HTTP %d %s", body, a.status, a.text())
	}
	a.close()
}

// call sends a request and returns all messages of the answer, the response last.
func (c *client) call(format string, args ...any) []string {
	c.t.Helper()
	return c.post(request(format, args...)).all()
}

// result sends a request and returns the result alone.
func (c *client) result(format string, args ...any) string {
	c.t.Helper()
	got := c.call(format, args...)
	return strings.TrimSuffix(strings.TrimPrefix(got[len(got)-1], `{"jsonrpc":"2.0","id":1,"result":`), "}")
}

// request returns a request with the id 1, made of the method and the params.
func request(format string, args ...any) string {
	method, params, _ := strings.Cut(fmt.Sprintf(format, args...), " ")
	if params == "" {
		params = "{}"
	}
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
}

func (a *answer) close() {
	a.cancel()
	a.body.Close()
}

// text returns what is left of the body.
func (a *answer) text() string {
	a.t.Helper()
	defer a.close()
	text, err := io.ReadAll(a.lines)
	if err != nil {
		a.t.Errorf("read the answer: %v", err)
	}
	return string(text)
}

// events reports whether the answer is an event stream.
func (a *answer) events() bool { return a.header.Get("Content-Type") == "text/event-stream" }

// next returns the next message; ok is false at the end of the answer. Comments
// are passed over.
func (a *answer) next() (text string, ok bool) {
	a.t.Helper()
	if !a.events() {
		rest, err := io.ReadAll(a.lines)
		if err != nil {
			a.t.Fatalf("read the answer: %v", err)
		}
		return string(rest), len(rest) > 0
	}
	var data []string
	for {
		line, err := a.lines.ReadString('\n')
		switch {
		case err == io.EOF && line == "":
			return "", false
		case err != nil:
			a.t.Fatalf("read the stream: %v", err)
		case line == "\n" && data != nil:
			return strings.Join(data, "\n"), true
		}
		if value, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "data: "); is {
			data = append(data, value)
		}
	}
}

// expect returns the next message, which must contain text.
func (a *answer) expect(text string) string {
	a.t.Helper()
	timer := time.AfterFunc(patience, a.cancel)
	defer timer.Stop()
	got, ok := a.next()
	if !ok || !strings.Contains(got, text) {
		a.t.Fatalf("got %.300q, want a message with %s", got, text)
	}
	return got
}

// all returns the messages up to the end of the answer.
func (a *answer) all() (messages []string) {
	a.t.Helper()
	defer a.close()
	for {
		text, ok := a.next()
		if !ok {
			if messages == nil {
				return []string{""}
			}
			return messages
		}
		messages = append(messages, text)
	}
}

// silent fails the test if a message comes within d. The answer cannot be used
// any more afterwards.
func (a *answer) silent(d time.Duration) {
	a.t.Helper()
	timer := time.AfterFunc(d, func() { a.body.Close() })
	defer timer.Stop()
	for {
		line, err := a.lines.ReadBytes('\n')
		if err != nil {
			return
		}
		if bytes.HasPrefix(line, []byte("data: ")) {
			a.t.Errorf("got %s, want silence", line)
		}
	}
}
