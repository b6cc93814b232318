//go:build !linux

package main

// asInit does nothing: only Linux runs programs as PID 1 of a container.
func asInit() (status int, was bool) { return 0, false }
