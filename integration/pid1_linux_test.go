package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asPID1 returns what makes a process PID 1 of its own namespace, as in a container. The test sees the namespace's
// processes in its own /proc. It skips the test where that is not allowed.
func asPID1(t *testing.T) *syscall.SysProcAttr {
	t.Helper()
	attr := func() *syscall.SysProcAttr { return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID} }
	try := exec.Command(needCommand(t, "true"))
	if try.SysProcAttr = attr(); try.Run() != nil {
		t.Skip("PID namespaces are not allowed here: it takes root")
	}
	return attr()
}

// orphaning is a server that leaves processes behind, again and again, some of which have ended and some of which go on.
const orphaning = `for i in 1 2 3; do (sleep 0.1 & sleep 0.2 & sleep 5000 &); done; exec `

// startPID1 starts the hub as PID 1 with a server that leaves orphans behind, and returns when there are some.
func startPID1(t *testing.T, f family, env ...string) *process {
	t.Helper()
	self := gosdkCommand(t)[0]
	env = append(f.declare("patient", shell(orphaning+self), serverVariable+"=patient"), env...)
	hub := startHub(t, hubOptions{Env: env, Attr: asPID1(t)})
	f.await(t, "sleep 5000")
	return hub
}

// hubOf returns the process that PID 1 runs.
func hubOf(t *testing.T, pid1 *process) int {
	t.Helper()
	for _, p := range children(pid1.cmd.Process.Pid) {
		if strings.HasPrefix(p.command, pid1.cmd.Path) {
			return p.pid
		}
	}
	t.Fatal("PID 1 does not run the hub")
	return 0
}

// TestPID1ReapsOrphans has processes lose their parents: no zombie stays, and the hub waits for its own children itself.
func TestPID1ReapsOrphans(t *testing.T) {
	f := newFamily(t)
	pid1 := startPID1(t, f)
	init, hub := pid1.cmd.Process.Pid, hubOf(t, pid1)
	// Three long sleeps and the hub are left, of nine and the hub.
	eventually(t, startLimit, "the short-lived orphans to be reaped", func() bool { return len(children(init)) == 4 })
	for _, p := range f.alive() {
		if strings.HasPrefix(p.command, "sleep 5000") {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	eventually(t, requestLimit, "the long-lived orphans to be reaped", func() bool { return len(children(init)) == 1 })
	for _, child := range children(hub) { // the hub starts it again
		syscall.Kill(child.pid, syscall.SIGKILL)
	}
	f.await(t, "sleep 5000")
	eventually(t, requestLimit, "zombies to be gone", func() bool { return len(zombies(init))+len(zombies(hub)) == 0 })
	open(t, pid1.URL+"/mcp", "")
}

// TestPID1EndsInOrder asks PID 1 to end: the call in flight is answered first, and then nothing is left.
func TestPID1EndsInOrder(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			f := newFamily(t)
			pid1 := startPID1(t, f, longGrace)
			c := open(t, pid1.URL+"/mcp", "")
			call := startLongCall(t, c)
			pid1.signal(t, s)
			eventually(t, requestLimit, "new calls to be refused", func() bool { return refused(t, c) })
			call.end(t)
			if got := <-call.answer; got.err != nil {
				t.Errorf("the call in flight: %v", got.err)
			}
			if status := pid1.awaitExit(t); status != 0 {
				t.Errorf("exit status: got %d, want 0", status)
			}
			f.awaitGone(t)
		})
	}
}

// TestPID1PassesTheStatusOn has the hub end in other ways: the container ends with its status.
func TestPID1PassesTheStatusOn(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*testing.T, *process)
		want int
	}{
		"killed":        {func(t *testing.T, p *process) { syscall.Kill(hubOf(t, p), syscall.SIGKILL) }, 128 + 9},
		"panicked":      {func(t *testing.T, p *process) { syscall.Kill(hubOf(t, p), syscall.SIGABRT) }, 2},
		"second signal": {signalTwice, 128 + 15},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFamily(t)
			pid1 := startPID1(t, f)
			c.end(t, pid1)
			if status := pid1.awaitExit(t); status != c.want {
				t.Errorf("exit status: got %d, want %d", status, c.want)
			}
			f.awaitGone(t)
		})
	}
	wrong := startProcessAs(t, asPID1(t), 0, []string{mustHub(t)}, "MCPHUB_PORT=none")
	if status := wrong.awaitExit(t); status != 2 || !strings.Contains(wrong.Output(), "MCPHUB_PORT") {
		t.Errorf("with a wrong setting: got %d: %s", status, wrong.Output())
	}
}

func signalTwice(t *testing.T, p *process) {
	c := open(t, p.URL+"/mcp", "")
	startLongCall(t, c)
	p.signal(t, syscall.SIGTERM)
	eventually(t, requestLimit, "new calls to be refused", func() bool { return refused(t, c) })
	p.signal(t, syscall.SIGTERM)
}

// TestPID1ForwardsHangups has the configuration file read again by a signal to PID 1, though it looks unchanged.
func TestPID1ForwardsHangups(t *testing.T) {
	attr := asPID1(t)
	file := filepath.Join(t.TempDir(), "config.json")
	old := time.Now().Add(-time.Hour)
	write := func(id string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(`{"servers":{"`+id+`":{"command":"/nowhere"}}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	hub := startHub(t, hubOptions{Env: []string{"MCPHUB_CONFIG=" + file}, Attr: attr})
	eventually(t, requestLimit, "the file to be read", func() bool { return health(t, hub).server("first").ID != "" })
	write("other")
	hub.signal(t, syscall.SIGHUP)
	eventually(t, requestLimit, "the file to be read again", func() bool { return health(t, hub).server("other").ID != "" })
}
