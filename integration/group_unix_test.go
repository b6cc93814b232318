//go:build unix

package integration

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the command the leader of a process group: npx, node and uvicorn have children of their own.
func ownGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
}

// terminateGroup asks the group of a started command to end.
func terminateGroup(cmd *exec.Cmd) {
	syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
}

// killGroup ends the group. It works after the leader is gone, too.
func killGroup(cmd *exec.Cmd) {
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
}
