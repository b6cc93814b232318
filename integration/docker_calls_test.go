package integration

import (
	"strings"
	"testing"
	"time"
)

// sleepFor is how long a call in flight takes if nothing happens to it: longer than any case.
const sleepFor = 2 * time.Minute

// sleepCall is a call of the tests' own server that is in flight.
type sleepCall struct {
	tool  string
	ended chan error
}

// startSleep calls a server's tool that sleeps, and returns when the server says that it has begun.
func startSleep(t *testing.T, c *client, id string) *sleepCall {
	t.Helper()
	return startSleepOf(t, c, id, sleepFor)
}

func startSleepOf(t *testing.T, c *client, id string, d time.Duration) *sleepCall {
	t.Helper()
	call := &sleepCall{tool: id + "__sleep", ended: make(chan error, 1)}
	go func() {
		_, err := c.call(t.Context(), call.tool, map[string]any{"ms": d.Milliseconds()})
		call.ended <- err
	}()
	eventually(t, labLimit, "the call to begin", func() bool {
		select {
		case err := <-call.ended:
			t.Fatalf("call %s: %v", call.tool, err)
		default:
		}
		sleepers, err := c.call(t.Context(), id+"__sleepers", map[string]any{})
		return err == nil && sleepers != "0"
	})
	return call
}

// fails waits for the call's error, which must have the texts in it.
func (s *sleepCall) fails(t *testing.T, texts ...string) {
	t.Helper()
	select {
	case err := <-s.ended:
		rpc, ok := err.(*rpcError)
		if !ok {
			t.Fatalf("call %s: got %v, want an error of JSON-RPC", s.tool, err)
		}
		for _, text := range texts {
			if !strings.Contains(rpc.Message, text) {
				t.Errorf("call %s: got %v, want %q in it", s.tool, rpc, text)
			}
		}
	case <-time.After(labLimit):
		t.Fatalf("call %s: waited %v for its error", s.tool, labLimit)
	}
}

// answers waits for the call's answer, which must be good.
func (s *sleepCall) answers(t *testing.T) {
	t.Helper()
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("call %s: %v", s.tool, err)
		}
	case <-time.After(labLimit):
		t.Fatalf("call %s: waited %v for its answer", s.tool, labLimit)
	}
}

// waits reports the end of the call.
func (s *sleepCall) waits(t *testing.T) {
	t.Helper()
	select {
	case err := <-s.ended:
		t.Fatalf("call %s: it has ended with %v, want it to wait", s.tool, err)
	default:
	}
}
