//go:build !unix

package integration

import "os/exec"

// Systems without process groups lose the leader only.

func ownGroup(*exec.Cmd) {}

func terminateGroup(cmd *exec.Cmd) { cmd.Process.Kill() }

func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() }
