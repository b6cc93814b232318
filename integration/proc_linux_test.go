package integration

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// markVariable is in the environment of all that a test's servers start, whoever their parents are by then.
const markVariable = "INTEGRATION_MARK"

// family is the servers that a test declares, with all their descendants.
type family struct{ mark string }

// newFamily returns an empty one. What is left of it when the test ends is killed.
func newFamily(t *testing.T) family {
	f := family{rand.Text()}
	t.Cleanup(func() {
		for _, p := range f.alive() {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	})
	return f
}

// declare returns the environment that declares a server of the family.
func (f family) declare(id, command string, env ...string) []string {
	id = "MCPHUB_SERVER_" + strings.ToUpper(id)
	all := []string{id + "_COMMAND=" + command, id + "_ENV_" + markVariable + "=" + f.mark}
	for _, variable := range env {
		all = append(all, id+"_ENV_"+variable)
	}
	return all
}

// shell returns the command that has a shell run a script, as the environment takes it. There are no ' in it.
func shell(script string) string { return "sh -c '" + script + "'" }

// proc is a process as /proc has it.
type proc struct {
	pid, parent int
	state       string
	command     string
}

func (p proc) String() string { return fmt.Sprintf("%d %s (%s)", p.pid, p.command, p.state) }

// processes returns those that match accepts, by their directory in /proc.
func processes(match func(dir string, p proc) bool) (all []proc) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue // it has gone
		}
		pid, _ := strconv.Atoi(filepath.Base(dir))
		p := proc{pid: pid}
		end := bytes.LastIndexByte(stat, ')') // of the program's name
		fmt.Sscan(string(stat[end+1:]), &p.state, &p.parent)
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		p.command = strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
		if match(dir, p) {
			all = append(all, p)
		}
	}
	return all
}

// alive returns the members of the family that live. Zombies have no environment.
func (f family) alive() []proc {
	return processes(func(dir string, _ proc) bool {
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		return bytes.Contains(append([]byte{0}, env...), []byte("\x00"+markVariable+"="+f.mark+"\x00"))
	})
}

// awaitGone returns when nobody is left of the family: the last ones, which have been killed, may take a moment to die.
func (f family) awaitGone(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(stopLimit)
	for left := f.alive(); len(left) > 0; left = f.alive() {
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %v", left)
		}
		time.Sleep(pollEvery)
	}
}

// running reports whether a member lives whose command line contains text.
func (f family) running(text string) bool {
	for _, p := range f.alive() {
		if strings.Contains(p.command, text) {
			return true
		}
	}
	return false
}

// await returns when a member lives whose command line contains text.
func (f family) await(t *testing.T, text string) {
	t.Helper()
	eventually(t, startLimit, "a process "+text, func() bool { return f.running(text) })
}

// zombies returns the children of a process that have ended and have not been waited for.
func zombies(parent int) []proc {
	return processes(func(_ string, p proc) bool { return p.parent == parent && p.state == "Z" })
}

// children returns the children of a process.
func children(parent int) []proc {
	return processes(func(_ string, p proc) bool { return p.parent == parent })
}
