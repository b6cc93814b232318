package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interrupt is the cause of a context that a signal has ended.
type interrupt struct{ signal os.Signal }

func (i interrupt) Error() string { return i.signal.String() + " signal received" }

// status is the exit status of a process that the signal has ended, as shells
// have it.
func (i interrupt) status() int {
	if number, ok := i.signal.(syscall.Signal); ok {
		return 128 + int(number)
	}
	return 1
}

// interrupts returns a context that ends with the first SIGINT or SIGTERM, which
// asks the process to end in order, and one that ends with the second, which wants
// it to end at once. A third ends it as if nobody listened.
func interrupts() (asked, hurried context.Context) {
	asked, first := context.WithCancelCause(context.Background())
	hurried, second := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // lives as long as the process
		first(interrupt{<-signals})
		second(interrupt{<-signals})
		signal.Stop(signals)
	}()
	return asked, hurried
}
