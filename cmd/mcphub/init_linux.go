package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// forwarded are the signals that PID 1 passes on: those that the hub listens to,
// and SIGQUIT, at which it shows what it is doing and dies.
var forwarded = []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT}

// asInit is what the process does as PID 1 of a container: it runs this program
// again, with the same arguments, passes signals on to it, waits for whatever
// process has lost its parent, and returns the program's exit status. With it, the
// container ends, and everything in it. was is false in any other process.
//
// The program cannot do that for its own children: who waits for any child takes
// from os/exec those it waits for.
func asInit() (status int, was bool) {
	if os.Getpid() != 1 {
		return 0, false
	}
	signals := make(chan os.Signal, 16) // before the fork, so that none is lost
	signal.Notify(signals, forwarded...)
	pid, err := forkSelf()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mcphub: run as a child of PID 1:", err)
		return 1, true
	}
	go func() { // lives as long as the process
		for s := range signals {
			_ = syscall.Kill(pid, s.(syscall.Signal)) // it may have ended
		}
	}()
	return reapUntil(pid), true
}

// forkSelf starts this program once more. It gets a process group of its own: a
// terminal signals a whole group, and the program is to get each signal once.
func forkSelf() (pid int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	return syscall.ForkExec(self, os.Args, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
}

// reapUntil waits for processes, its own and those it has inherited, until the one
// with the number has ended, and returns its exit status as a shell would.
func reapUntil(pid int) int {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			fmt.Fprintln(os.Stderr, "mcphub: wait as PID 1:", err)
			return 1
		case ended != pid:
		case status.Signaled():
			return 128 + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}
