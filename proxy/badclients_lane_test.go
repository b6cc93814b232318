package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/julienschmidt/httprouter"

	"mcphub/proxy/mcpserver"
)

// lane is a hub on a network in memory. That all its goroutines end with the test
// is what a bubble asks for.
type lane struct {
	t       *testing.T
	hub     *Hub
	network pipes
	log     lockedBuffer
	session string // of the client that is slow
	list    string
	running sync.WaitGroup // what writes beside the test
}

func newLane(t *testing.T) *lane {
	l := &lane{t: t, network: newPipes(), list: request("tools/list")}
	good := newRemote(t, "good", isUp)
	l.hub = bubbleHub(t, Reconnect{0, time.Minute, time.Hour}, good)
	router := httprouter.New()
	l.hub.Routes(router)
	log := slog.New(slog.NewTextHandler(&l.log, nil))
	web := mcpserver.NewHTTPServer(mcpserver.NewGuard(l.hub.options.Keys, mcpserver.Access{}).Wrap(router), log)
	beside(t, func() { _ = web.Serve(mcpserver.Listener{Listener: l.network}) }, func() { _ = web.Close() })
	time.Sleep(time.Second) // for the server to be connected
	l.session = newBubbleClient(t, l.hub).session
	return l
}

// neighbour lists and calls every five seconds until it is stopped.
func (l *lane) neighbour() (stop func()) {
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		conn, _ := l.dial()
		return conn, nil
	}}
	client := &http.Client{Transport: transport}
	session := newBubbleClient(l.t, l.hub).session
	round := func() {
		for body, text := range map[string]string{l.list: `"good__echo"`, request(`tools/call {"name":"good__echo"}`): `"content"`} {
			r, _ := http.NewRequest(http.MethodPost, "http://localhost/mcp", strings.NewReader(body))
			r.Header.Set("Mcp-Session-Id", session)
			began := time.Now()
			resp, err := client.Do(r)
			if err != nil {
				l.t.Errorf("the neighbour: %v", err)
				return
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !strings.Contains(string(got), text) || time.Since(began) > 0 {
				l.t.Errorf("the neighbour: %d %.300s %v after %v", resp.StatusCode, got, err, time.Since(began))
			}
		}
	}
	over := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(5 * time.Second):
				round()
			}
		}
	})
	return func() {
		close(over)
		running.Wait()
		round()
		transport.CloseIdleConnections()
	}
}

func (l *lane) dial() (net.Conn, *bufio.Reader) {
	ours, theirs := net.Pipe()
	l.network.conns <- theirs
	l.t.Cleanup(func() { ours.Close() })
	return ours, bufio.NewReader(ours)
}

func (l *lane) write(conn net.Conn, text string) {
	l.t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		l.t.Errorf("write: %v", err)
	}
}

// drip writes so many bytes at a time, until the other side has enough.
func (l *lane) drip(conn net.Conn, text string, size int, every time.Duration) {
	for len(text) > 0 {
		n := min(size, len(text))
		if _, err := conn.Write([]byte(text[:n])); err != nil {
			return
		}
		text = text[n:]
		time.Sleep(every)
	}
}

// head is the beginning of a request.
func (l *lane) head(method string) string {
	return method + " /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: " + l.session + "\r\n"
}

// sized is the rest of a request with a body.
func (l *lane) sized(body string) string {
	return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

func (l *lane) read(lines *bufio.Reader) *http.Response {
	l.t.Helper()
	resp, err := http.ReadResponse(lines, nil)
	if err != nil {
		l.t.Fatalf("read the answer: %v", err)
	}
	if resp.ContentLength >= 0 {
		_, _ = io.CopyN(io.Discard, resp.Body, resp.ContentLength)
	}
	return resp
}

// closes writes text and expects the connection to end within a time.
func (l *lane) closes(text string, within time.Duration) {
	l.t.Helper()
	conn, lines := l.dial()
	l.write(conn, text)
	l.ends(lines, within)
}

// ends expects a connection to end, with nothing more said, after a time.
func (l *lane) ends(lines *bufio.Reader, after time.Duration) {
	l.t.Helper()
	began := time.Now()
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		l.t.Errorf("got %.200q, %v before the end", rest, err)
	}
	want(l.t, "ended after", time.Since(began).Round(time.Second), after)
}

// tooSlow writes the beginning of a request and no more.
func (l *lane) tooSlow(method, rest string, within time.Duration) {
	l.t.Helper()
	conn, lines := l.dial()
	l.write(conn, l.head(method)+rest)
	l.refused(lines, http.StatusRequestTimeout, "the body came too slowly", within)
}

// refused expects an answer within a time, after which the connection ends.
func (l *lane) refused(lines *bufio.Reader, status int, text string, within time.Duration) {
	l.t.Helper()
	began := time.Now()
	resp, err := http.ReadResponse(lines, nil)
	if err != nil {
		l.t.Fatalf("read the answer: %v", err)
	}
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != status || !strings.Contains(string(body), text) || time.Since(began) > within || !resp.Close {
		l.t.Errorf("got %d %s after %v, want %d with %s", resp.StatusCode, body, time.Since(began), status, text)
	}
	_, _ = io.Copy(io.Discard, lines)
}

// gone expects that the hub gives a connection up on which nothing is read, within
// a time.
func (l *lane) gone(conn net.Conn, within time.Duration) {
	l.t.Helper()
	time.Sleep(within)
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("\r\n")); err != io.ErrClosedPipe {
		l.t.Errorf("after %v the connection is open: %v", within, err)
	}
}
