package integration

import (
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startLimit = 60 * time.Second // for a process to listen; Python's first start takes 10 on a busy machine
	stopLimit  = 10 * time.Second // from the request to end to the kill
	pollEvery  = 20 * time.Millisecond
)

// freePort returns a port of 127.0.0.1 that nothing listened on a moment ago. It is not one of those that systems hand out
// by themselves: until a server listens there, seconds may pass, and who dials meanwhile could be given it, even be connected
// to itself.
func freePort(t testing.TB) int {
	t.Helper()
	const first, last, tries = 20_000, 32_767, 100
	for range tries {
		port := first + rand.N(last-first+1)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatalf("no free port found from %d to %d", first, last)
	return 0
}

var givenPorts sync.Map // ports that freePort returned: tests that run at once get different ones

// process is a program that a test started. Its output is in the test's log if the test fails.
type process struct {
	URL string // the endpoint it serves, where it serves one

	cmd    *exec.Cmd
	output string        // a file: no pipe that a grandchild could hold open
	exited chan struct{} // closed when the leader is gone, after err is set
	err    error         // how the leader ended
	kill   sync.Once     // the group's number may belong to somebody else later
}

// startProcess starts a program in a process group of its own, and returns when it listens on the port of 127.0.0.1;
// port 0 waits for nothing. The program has the test's environment without the hub's own variables, and env.
// The cleanup stops it.
func startProcess(t testing.TB, port int, argv []string, env ...string) *process {
	t.Helper()
	return startProcessAs(t, nil, port, argv, env...)
}

// startProcessAs is startProcess with what the system is to do otherwise.
func startProcessAs(t testing.TB, attr *syscall.SysProcAttr, port int, argv []string, env ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), exited: make(chan struct{}), output: filepath.Join(t.TempDir(), "output")}
	p.cmd.SysProcAttr = attr
	file, err := os.Create(p.output)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.Env = append(append(cleanEnvironment(), watchRaces(t)), env...)
	ownGroup(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", argv[0], err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("output of %s:\n%s", strings.Join(argv, " "), p.Output())
		}
	})
	if port != 0 {
		p.waitFor(t, "its port", func() bool { return listens(port) })
	}
	return p
}

// cleanEnvironment is the test's environment without the variables of the hub, to which the tests' own are unknown names.
func cleanEnvironment() []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "MCPHUB_") {
			env = append(env, variable)
		}
	}
	return env
}

func listens(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// waitFor returns when ready does, and ends the test if the process ends first or the time is over.
func (p *process) waitFor(t testing.TB, what string, ready func() bool) {
	t.Helper()
	limit := time.After(startLimit)
	for !ready() {
		select {
		case <-p.exited:
			t.Fatalf("%s ended before %s was there: %v", p.cmd.Path, what, p.err)
		case <-limit:
			t.Fatalf("%s: waited %v for %s", p.cmd.Path, startLimit, what)
		case <-time.After(pollEvery):
		}
	}
}

// Output is what the process wrote so far, to either stream.
func (p *process) Output() string {
	text, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Stop asks the process group to end, kills what is left of it, and returns how the leader ended. It may be called again.
func (p *process) Stop() error {
	select {
	case <-p.exited:
	default:
		terminateGroup(p.cmd)
	}
	select {
	case <-p.exited:
	case <-time.After(stopLimit):
	}
	return p.Kill()
}

// Kill ends the process group without a word, as a crash would, and returns how the leader ended.
func (p *process) Kill() error {
	p.kill.Do(func() { killGroup(p.cmd) })
	<-p.exited
	return p.err
}

// A child that will not end must not outlive the test, even when its parent went at once.
func TestStopEndsTheGroup(t *testing.T) {
	stubborn := `(trap "" TERM; while :; do echo .; sleep 0.05; done) & wait`
	p := startProcess(t, 0, []string{needCommand(t, "sh"), "-c", stubborn})
	p.waitFor(t, "the child's output", func() bool { return len(p.Output()) > 0 })
	if err := p.Stop(); err == nil {
		t.Error("stopped: got no error, want the signal")
	}
	before := p.Output()
	time.Sleep(500 * time.Millisecond)
	if after := p.Output(); after != before {
		t.Errorf("the child wrote %q after the stop", after[len(before):])
	}
	p.Stop() // as the cleanup does once more
}
