package mcpserver

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7): how long what was sent may stay
// unacknowledged. Keepalive does not find out such a peer, for it asks only where
// nothing is owed, and a stream has its heartbeat; retransmission takes a quarter
// of an hour.
const tcpUserTimeout = 18

// limitSilence sets the option on a listening socket, from which the accepted ones
// have it.
func limitSilence(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(lostPatience.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
