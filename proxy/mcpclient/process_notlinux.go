//go:build !linux

package mcpclient

import "os/exec"

// fork starts cmd.
func fork(cmd *exec.Cmd) error { return cmd.Start() }
