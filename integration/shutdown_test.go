//go:build unix

package integration

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// longGrace is more than any of these tests takes that does not wait for its end.
const longGrace = "MCPHUB_SHUTDOWN_GRACE=60s"

// TestShutdownLetsCallsFinish asks the hub to end while a call is in flight: the call is answered, new ones are refused,
// and the stream ends.
func TestShutdownLetsCallsFinish(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			hub := patientHub(t, longGrace)
			c := open(t, hub.URL+"/mcp", "")
			methods := c.listen(t)
			call := startLongCall(t, c)
			hub.signal(t, s)
			eventually(t, requestLimit, "new calls to be refused", func() bool { return refused(t, c) })
			expectOpen(t, hub)
			call.end(t)
			if got := <-call.answer; got.err != nil || !strings.Contains(got.result, "it is there") {
				t.Errorf("the call in flight: got %s, %v", got.result, got.err)
			}
			awaitEnd(t, methods)
			if status := hub.awaitExit(t); status != 0 {
				t.Errorf("exit status: got %d, want 0", status)
			}
		})
	}
}

// refused reports whether the hub refuses calls, and checks how.
func refused(t *testing.T, c *client) bool {
	t.Helper()
	_, err := c.request(t.Context(), "tools/list", map[string]any{})
	if err == nil {
		return false
	}
	status, ok := errors.AsType[*statusError](err)
	if !ok || status.code != http.StatusServiceUnavailable || !strings.Contains(status.body, "the hub is shutting down") {
		t.Fatalf("a call during the grace: got %v, want HTTP 503 that says so", err)
	}
	return true
}

// expectOpen checks that the hub still lives.
func expectOpen(t *testing.T, hub *process) {
	t.Helper()
	select {
	case <-hub.exited:
		t.Error("the hub has ended before the call in flight")
	default:
	}
}

// TestShutdownCutsOffLongCalls has calls take longer than the grace, every second with a stream for its answer: their client
// is told, and the hub ends in order.
func TestShutdownCutsOffLongCalls(t *testing.T) {
	hub := patientHub(t, "MCPHUB_SHUTDOWN_GRACE=1s")
	c := open(t, hub.URL+"/mcp", "")
	for range 2000 { // with so many sessions to end, servers could be gone before all calls are
		open(t, hub.URL+"/mcp", "")
	}
	methods := c.listen(t)
	var calls []*longCall
	for i := range 20 {
		var token any
		if i%2 == 1 {
			token = i
		}
		calls = append(calls, startLongCallWith(t, c, token))
	}
	hub.signal(t, syscall.SIGTERM)
	for i, call := range calls {
		got := <-call.answer
		if e, ok := errors.AsType[*rpcError](got.err); !ok || !strings.Contains(e.Message, "the hub is shutting down") {
			t.Errorf("call %d: got %s, %v; want an error that says why", i, got.result, got.err)
		}
	}
	awaitEnd(t, methods)
	if status := hub.awaitExit(t); status != 0 {
		t.Errorf("exit status: got %d, want 0", status)
	}
}

// TestSecondSignalEndsAtOnce does not wait for the grace: the call in flight is cut off.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	for s, want := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		t.Run(s.String(), func(t *testing.T) {
			hub := patientHub(t, "MCPHUB_SHUTDOWN_GRACE=1h")
			c := open(t, hub.URL+"/mcp", "")
			call := startLongCall(t, c)
			hub.signal(t, syscall.SIGTERM)
			eventually(t, requestLimit, "new calls to be refused", func() bool { return refused(t, c) })
			hub.signal(t, s)
			if status := hub.awaitExit(t); status != want {
				t.Errorf("exit status: got %d, want %d", status, want)
			}
			if got := <-call.answer; got.err == nil {
				t.Errorf("the call: got %s, want an error", got.result)
			}
		})
	}
}
