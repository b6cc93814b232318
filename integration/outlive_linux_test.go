package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stubborn is a server that never answers, and ignores SIGTERM and the end of its input with its descendants.
const stubborn = `trap "" TERM; sleep 1000 & wait`

// stubbornEnv declares three servers: one that never answers, one that does and leaves a stubborn process behind, and one
// that is good.
func stubbornEnv(t *testing.T, f family) []string {
	t.Helper()
	self, patient := gosdkCommand(t)[0], serverVariable+"=patient"
	return slices.Concat(
		f.declare("stubborn", shell(stubborn)),
		f.declare("parent", shell(`trap "" TERM; sleep 2000 & exec `+self), patient),
		f.declare("patient", self, patient),
	)
}

// TestNothingOutlivesSIGTERM has a call run into the end of the grace, beside servers that ignore all but SIGKILL.
func TestNothingOutlivesSIGTERM(t *testing.T) {
	f := newFamily(t)
	hub := startHub(t, hubOptions{Env: append(stubbornEnv(t, f), "MCPHUB_SHUTDOWN_GRACE=1s")})
	f.await(t, "sleep 1000")
	f.await(t, "sleep 2000")
	call := startLongCall(t, open(t, hub.URL+"/mcp", ""))
	hub.signal(t, syscall.SIGTERM)
	if status := hub.awaitExit(t); status != 0 {
		t.Errorf("exit status: got %d, want 0", status)
	}
	f.awaitGone(t)
	if got := <-call.answer; got.err == nil {
		t.Errorf("the call: got %s, want an error", got.result)
	}
}

// TestIdleHubEndsInTime asks a hub to end with no call in flight, with the default grace: the whole ladder fits into what
// docker stop allows.
func TestIdleHubEndsInTime(t *testing.T) {
	f := newFamily(t)
	hub := startHub(t, hubOptions{Env: stubbornEnv(t, f)})
	f.await(t, "sleep 1000")
	began := time.Now()
	if err := hub.Stop(); err != nil { // kills it after ten seconds
		t.Errorf("stopped: %v", err)
	}
	t.Logf("it took %v", time.Since(began).Round(time.Millisecond))
	f.awaitGone(t)
}

// TestNothingOutlivesSecondSignal does not wait for the ladder.
func TestNothingOutlivesSecondSignal(t *testing.T) {
	f := newFamily(t)
	hub := startHub(t, hubOptions{Env: append(stubbornEnv(t, f), "MCPHUB_SHUTDOWN_GRACE=1h")})
	f.await(t, "sleep 1000")
	hub.signal(t, syscall.SIGTERM)
	eventually(t, requestLimit, "the signal to arrive", func() bool { return strings.Contains(hub.Output(), "shutting down") })
	hub.signal(t, syscall.SIGINT)
	if status := hub.awaitExit(t); status != 130 {
		t.Errorf("exit status: got %d, want 130", status)
	}
	f.awaitGone(t)
}

// TestServersDieWithTheHub ends the hub without a chance to end them: the processes that it has started die, stubborn as
// they are, and their descendants see the end of their input. SIGABRT ends a Go program as a panic does.
func TestServersDieWithTheHub(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGABRT} {
		t.Run(s.String(), func(t *testing.T) {
			f := newFamily(t)
			ended := filepath.Join(t.TempDir(), "ended")
			reader := shell(`trap "" TERM; exec 3<&0; (cat <&3 >/dev/null; touch ` + ended + `; sleep 3000) & wait`)
			hub := startHub(t, hubOptions{Env: append(stubbornEnv(t, f), f.declare("reader", reader)...)})
			f.await(t, "sleep 1000")
			f.await(t, "cat")
			eventually(t, startLimit, "four children", func() bool { return len(children(hub.cmd.Process.Pid)) == 4 })
			direct := children(hub.cmd.Process.Pid)
			hub.signal(t, s)
			hub.awaitExit(t)
			eventually(t, requestLimit, "the hub's children to die", func() bool { return !anyOf(f.alive(), direct) })
			eventually(t, requestLimit, "their descendant to see the end of its input", func() bool { return exists(ended) })
			if s == syscall.SIGABRT && !strings.Contains(hub.Output(), "goroutine ") {
				t.Errorf("the hub did not end as by a panic: %s", hub.Output())
			}
		})
	}
}

// anyOf reports whether one of the processes is among all.
func anyOf(all, some []proc) bool {
	for _, p := range some {
		if slices.ContainsFunc(all, func(o proc) bool { return o.pid == p.pid }) {
			return true
		}
	}
	return false
}

// TestWhatServersInherit looks at the process of a server from outside.
func TestWhatServersInherit(t *testing.T) {
	f := newFamily(t)
	env := append(f.declare("patient", gosdkCommand(t)[0], serverVariable+"=patient", "OWN=1"),
		"MCPHUB_AUTH_TOKEN=secret-token", "DOCKER_HOST=unix:///nowhere", "AWS_SECRET_ACCESS_KEY=secret", "LC_TIME=C", "TZ=UTC")
	hub := startHub(t, hubOptions{Env: env})
	open(t, hub.URL+"/mcp", "secret-token")
	f.await(t, "")
	dir := filepath.Join("/proc", strconv.Itoa(f.alive()[0].pid))
	environ, err := os.ReadFile(filepath.Join(dir, "environ"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "LANG", "LC_TIME", "TZ", "OWN", serverVariable, markVariable}
	for pair := range strings.SplitSeq(strings.Trim(string(environ), "\x00"), "\x00") {
		name, _, _ := strings.Cut(pair, "=")
		if !slices.Contains(allowed, name) && !strings.HasPrefix(name, "LC_") {
			t.Errorf("it has inherited %s", name)
		}
	}
	for _, want := range []string{"OWN=1", "LC_TIME=C", "TZ=UTC"} {
		if !strings.Contains("\x00"+string(environ), "\x00"+want+"\x00") {
			t.Errorf("it has not inherited %s", want)
		}
	}
}

// TestServersInheritNoFiles starts the hub with a file beside the standard three, as careless parents do: its servers have
// three pipes, and nothing of what the hub has open.
func TestServersInheritNoFiles(t *testing.T) {
	f := newFamily(t)
	careless := []string{"sh", "-c", `exec "$0" 5</dev/null`, mustHub(t)}
	startProcess(t, 0, careless, append(f.declare("sleeper", "sleep 4000"), "MCPHUB_PORT=0", "MCPHUB_DOCKER=off")...)
	f.await(t, "sleep 4000")
	dir := filepath.Join("/proc", strconv.Itoa(f.alive()[0].pid), "fd")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Errorf("got %d files, want 3", len(files))
	}
	for _, file := range files {
		if to, _ := os.Readlink(filepath.Join(dir, file.Name())); !strings.HasPrefix(to, "pipe:") {
			t.Errorf("file %s is %s", file.Name(), to)
		}
	}
}
