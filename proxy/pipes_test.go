package proxy

import (
	"net"
	"testing"
)

// pipes is a network in memory, as tests in a bubble need it: what is put into conns
// is accepted.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() pipes { return pipes{make(chan net.Conn), make(chan struct{})} }

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// beside runs what lasts as long as the test, and waits for it at the test's end.
func beside(t testing.TB, run, end func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run()
	}()
	t.Cleanup(func() {
		end()
		<-ended
	})
}
