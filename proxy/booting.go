package proxy

import (
	"context"
	"time"

	"mcphub/proxy/mcpclient"
)

// The pace at which a server is tried whose container has just started: it may listen
// any moment.
const (
	bootPace  = 100 * time.Millisecond
	bootSoon  = 15 * time.Second
	slowPace  = 500 * time.Millisecond
	bootLimit = 60 * time.Second
)

// bootPause returns how long to wait before a server is tried again that may be
// starting; 0 if it is not. Over stdio there is nothing to wait for: a process hears as
// soon as it runs.
func (i *instance) bootPause() time.Duration {
	if !i.link.overNetwork() || !i.said.Load().Booting || i.ready.Load() {
		return 0
	}
	switch age := time.Since(i.since); {
	case age < bootSoon:
		return bootPace
	case age < bootLimit:
		return slowPace
	default:
		return 0
	}
}

// prove connects to an instance until that works once, so that sessions of clients
// go only where a server serves.
func (i *instance) prove() {
	for tries := 1; !i.leaving() && !i.ready.Load(); tries++ {
		if i.greet() == nil {
			return
		}
		pause := i.bootPause()
		if pause == 0 {
			pause = i.link.hub.reconnect.Load().wait(tries)
		}
		select {
		case <-time.After(pause):
		case <-i.retired:
		case <-i.ctx.Done():
		}
	}
}

// greet opens a session and closes it again.
func (i *instance) greet() error {
	ctx, cancel := context.WithTimeout(i.ctx, connectTimeout)
	defer cancel()
	session, err := mcpclient.Dial(ctx, i.transport, mcpclient.Options{
		Identity: i.link.hub.identity(hubCapabilities), Strays: &i.link.strays, Log: i.link.log,
	})
	i.tried(err)
	if err == nil {
		session.Close()
	}
	return err
}

// tried notes how it went to connect there.
func (i *instance) tried(err error) {
	if err == nil {
		i.ready.Store(true)
		i.failed.Store(0)
		return
	}
	i.failed.Store(time.Now().UnixNano())
}
