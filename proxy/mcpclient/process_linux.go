package mcpclient

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// dieWithParent makes the kernel kill the child when the hub dies: the second
// line, for a hub that could not end its children.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// forks are done on one goroutine that keeps its thread and never ends: the
// kernel kills a child when the thread that forked it ends, and Go ends threads
// as it likes.
var forks = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range work {
			do()
		}
	}()
	return work
})

// fork starts cmd.
func fork(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	forks() <- func() { result <- cmd.Start() }
	return <-result
}
