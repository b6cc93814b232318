package mcpclient

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func init() {
	children["hub that panics"] = func() { brokenHub(func() { panic("the hub is broken") }) }
	children["hub that is killed"] = func() { brokenHub(func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }) }
	children["hub that exits"] = func() { brokenHub(func() { os.Exit(0) }) }
}

// brokenHub starts a server that does not care about the end of its input, tells its
// number, and breaks down.
func brokenHub(breakDown func()) {
	s, err := Dial(context.Background(), child("deaf"), Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	fmt.Println(processOf(s).Pid)
	go breakDown()
	time.Sleep(time.Hour)
}

func processOf(s *Session) *os.Process { return s.wire.(*stdio).streams.(*process).cmd.Process }

// A hub that breaks down takes its children with it.
func TestStdioChildDiesWithTheHub(t *testing.T) {
	for _, name := range []string{"hub that panics", "hub that is killed", "hub that exits"} {
		hub := child(name)
		cmd := exec.Command(hub.Command[0])
		cmd.Env = hub.Env
		output, _ := cmd.Output()
		var pid int
		if _, err := fmt.Sscan(string(output), &pid); err != nil {
			t.Fatalf("%s: it said %q: %v", name, output, err)
		}
		if gone(t, pid); t.Failed() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// A child is started on behalf of a thread that ends: the kernel must not take that
// for the end of the hub.
func TestStdioChildOutlivesThreads(t *testing.T) {
	for range 5 {
		var s *Session
		thread := make(chan int)
		go func() {
			runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
			s, _ = dial(t, child("pretty"))
			thread <- syscall.Gettid()
		}()
		task := fmt.Sprintf("/proc/self/task/%d", <-thread)
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(task); err != nil || strings.HasSuffix(task, fmt.Sprint("/", os.Getpid())) {
				break // the main thread alone stays
			}
			if time.Now().After(deadline) {
				t.Fatal("the thread does not end")
			}
		}
		call(t, s, tool(t, "a", `{}`), "9007")
	}
}

// The steps by which a process ends are taken in order, and none is left out where
// the deadline makes them short.
func TestStdioEndsInOrder(t *testing.T) {
	for _, limit := range []time.Duration{0, 2 * time.Second} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			const script = `trap "echo TERM >&2" TERM; while read line; do :; done; echo EOF >&2; sleep 1000 & while :; do wait; done`
			server := Stdio{Command: []string{"sh", "-c", script}, Env: ChildEnv(os.Environ(), nil), Deadline: new(Deadline)}
			p, err := startProcess(server, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			said := make(chan string)
			go func() {
				text, _ := io.ReadAll(p.stderr) // until End closes it
				said <- string(text)
			}()
			go func() { _, _ = io.Copy(io.Discard, p.stdout) }()
			if limit > 0 {
				server.Deadline.Set(time.Now().Add(limit))
			}
			p.End()
			if got := <-said; got != "EOF\nTERM\n" {
				t.Errorf("it heard %q, want the end of its input and SIGTERM", got)
			}
			if state := p.cmd.ProcessState.String(); state != "signal: killed" {
				t.Errorf("it ended by %q, want SIGKILL", state)
			}
		})
	}
}

// A deadline shortens a ladder in proportion, also one that has begun; one that is
// over ends it.
func TestDeadline(t *testing.T) {
	began := time.Now()
	for _, c := range []struct{ left, want time.Duration }{
		{time.Hour, 5 * time.Second}, {8 * time.Second, 5 * time.Second}, {4 * time.Second, 2500 * time.Millisecond}, {0, 0}, {-time.Hour, 0},
	} {
		var d Deadline
		d.Set(began.Add(c.left))
		if got := d.step(began, 5*time.Second, 8*time.Second).Sub(began); got != c.want {
			t.Errorf("with %v left: got %v, want %v", c.left, got, c.want)
		}
	}
	for _, d := range []*Deadline{nil, new(Deadline)} {
		if got := d.step(began, 5*time.Second, 8*time.Second).Sub(began); got != 5*time.Second {
			t.Errorf("without a deadline: got %v", got)
		}
	}
}
