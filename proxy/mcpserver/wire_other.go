//go:build !linux

package mcpserver

import "syscall"

// limitSilence does nothing where the system has no such option: there a peer that
// is gone is found out when retransmission ends.
func limitSilence(string, string, syscall.RawConn) error { return nil }
