//go:build unix

package mcpclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gone waits until no process has the number.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 200 {
		// A zombie, which nobody here reaps, is gone too.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

func pidOf(t *testing.T, s *Session) int {
	t.Helper()
	m, err := s.Call(t.Context(), tool(t, "pid", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	var result struct{ Pid int }
	if err := json.Unmarshal(m.Result, &result); err != nil || result.Pid == 0 {
		t.Fatalf("pid: %s", m.Result)
	}
	return result.Pid
}

func TestStdioStubbornProcessEnds(t *testing.T) {
	t.Parallel()

	s, _ := dial(t, child("stubborn"))
	pid := pidOf(t, s)
	began := time.Now()
	s.Close()
	if took := time.Since(began); took < graceEOF+graceTerm || took > graceEOF+graceTerm+4*time.Second {
		t.Errorf("Close took %v", took)
	}
	gone(t, pid)
}

func TestStdioLeaderGoneGroupEnds(t *testing.T) {
	t.Parallel()

	s, _ := dial(t, child("leaves child"))
	pid := pidOf(t, s)
	<-s.Done()
	wantErr(t, "session", s.Err(), nil, "exit status 0")
	s.Close()
	gone(t, pid)
}
