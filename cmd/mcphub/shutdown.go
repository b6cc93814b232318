package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// The end of the process takes at most the grace and these two, so that with the
// default grace it is over within the ten seconds that a container has between
// docker stop and the kill.
const (
	endServers = time.Second            // after the grace, the processes of servers are killed
	endAll     = 500 * time.Millisecond // after that, nothing is waited for any more
)

// shutDown gives calls in flight their grace, then ends all sessions, with them
// the streams, and the servers, and waits for work. When hurried ends, it does all
// that at once.
func (a *app) shutDown(hurried context.Context, server *http.Server, stopHub func(), work *sync.WaitGroup) {
	grace, cancel := context.WithTimeout(hurried, a.settings.ShutdownGrace)
	defer cancel()
	kill := time.Now().Add(a.settings.ShutdownGrace + endServers)
	a.hub.EndBy(kill)
	late := time.NewTimer(time.Until(kill) + endAll)
	defer late.Stop()
	defer context.AfterFunc(hurried, func() {
		a.hub.EndBy(time.Now())
		late.Reset(endServers)
	})()

	a.hub.Drain(grace)
	stopHub()
	closeServer(hurried, server)
	ended := make(chan struct{})
	go func() { // is left behind if it takes too long
		defer close(ended)
		work.Wait()
	}()
	select {
	case <-ended:
	case <-late.C:
		a.log.Warn("ended before all was closed at the servers")
	}
}

// closeServer closes the connections of clients, whose last answers are being
// written.
func closeServer(hurried context.Context, server *http.Server) {
	ctx, cancel := context.WithTimeout(hurried, endServers)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // whoever is still connected had its grace
	}
}
