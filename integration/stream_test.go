package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// event reads a line of a stream; ok says that it holds a message. The hub writes each in one line.
func event(line []byte) (m message, ok bool, err error) {
	data, ok := bytes.CutPrefix(line, []byte("data: "))
	if !ok || len(data) == 0 {
		return m, false, nil
	}
	return m, true, json.Unmarshal(data, &m)
}

// listen opens the session's own stream, and returns the methods of what comes on it. The channel is closed when the
// stream ends.
func (c *client) listen(t testing.TB) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	resp, err := c.do(ctx, http.MethodGet, nil)
	if err != nil {
		cancel()
		t.Fatalf("GET %s: %v", c.url, err)
	}
	methods := make(chan string, 1024)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(methods)
		defer resp.Body.Close()
		events := bufio.NewScanner(resp.Body)
		for events.Scan() {
			m, ok, err := event(events.Bytes())
			if !ok || err != nil {
				continue
			}
			select {
			case methods <- m.Method:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return methods
}

const toolsChanged = "notifications/tools/list_changed"

// awaitMethod returns when a message of the method comes, and ends the test if the stream ends first or the limit is over.
func awaitMethod(t testing.TB, methods <-chan string, want string, limit time.Duration) {
	t.Helper()
	over := time.After(limit)
	for {
		select {
		case got, open := <-methods:
			if !open {
				t.Fatalf("the stream ended before %s came", want)
			}
			if got == want {
				return
			}
		case <-over:
			t.Fatalf("waited %v for %s", limit, want)
		}
	}
}

// awaitEnd returns when a stream ends.
func awaitEnd(t *testing.T, methods <-chan string) {
	t.Helper()
	over := time.After(fileChecked)
	for {
		select {
		case _, open := <-methods:
			if !open {
				return
			}
		case <-over:
			t.Fatalf("waited %v for the stream to end", fileChecked)
		}
	}
}

// expectNothing looks whether something has come on a stream.
func expectNothing(t *testing.T, methods <-chan string) {
	t.Helper()
	select {
	case method, open := <-methods:
		t.Errorf("on the stream: got %q (open: %t), want nothing", method, open)
	default:
	}
}

// drain takes what has come on a channel so far.
func drain(methods <-chan string) {
	for {
		select {
		case <-methods:
		default:
			return
		}
	}
}
