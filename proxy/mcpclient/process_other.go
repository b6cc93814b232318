//go:build !unix

package mcpclient

import (
	"os"
	"os/exec"
)

// Without process groups, only the child itself can be ended; its descendants
// see the end of their input.

func setGroup(*exec.Cmd) {}

func signalGroup(leader *os.Process, _ bool) { _ = leader.Kill() }

func groupEmpty(*os.Process) bool { return true }
