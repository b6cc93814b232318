//go:build unix

package main

import (
	"os"
	"strconv"
	"syscall"
)

// keepFiles has servers inherit no file that the process has itself inherited,
// beside the standard three. Those it opens are its own anyway.
func keepFiles() {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return // a system without it; there is nothing to go by
	}
	for _, entry := range entries {
		if number, err := strconv.Atoi(entry.Name()); err == nil && number > 2 {
			syscall.CloseOnExec(number)
		}
	}
}
