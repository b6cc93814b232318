//go:build unix

package mcpclient

import (
	"os"
	"os/exec"
	"syscall"
)

// setGroup makes the child the leader of a process group of its own.
func setGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
}

// signalGroup asks the child's group to end or, with kill, ends it. That the
// leader may be gone does not matter: the group keeps its number as long as it
// has a member.
func signalGroup(leader *os.Process, kill bool) {
	signal := syscall.SIGTERM
	if kill {
		signal = syscall.SIGKILL
	}
	_ = syscall.Kill(-leader.Pid, signal)
}

// groupEmpty reports whether nobody is left of the child's group.
func groupEmpty(leader *os.Process) bool {
	return syscall.Kill(-leader.Pid, 0) == syscall.ESRCH
}
