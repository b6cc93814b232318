package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/mcpclient"
)

// instance is one place where a server runs, as its link uses it. It has a way there
// of its own, so that nothing that was meant for it reaches whoever has its address
// next. All sessions there live in its ctx.
type instance struct {
	link      *link
	transport mcpclient.Transport
	network   *http.Transport // of the transport; nil over stdio
	since     time.Time       // when it was declared first

	ctx     context.Context         // ends when the process has, with the link, or when the calls at a retired one had their time
	end     context.CancelCauseFunc // the cause says why, for those whose calls are cut off
	retired chan struct{}           // closed when the server is not declared to run here any more: nothing new begins

	said     atomic.Pointer[discovery.Instance] // as it was declared last
	sessions atomic.Int32                       // of clients
	ready    atomic.Bool                        // the hub has been connected to it
	proving  bool                               // prove runs, or has; owned by the Hub's owner
	failed   atomic.Int64                       // when that was last tried in vain, in Unix nanoseconds; 0: never
}

// lineup is where a server runs. It is never modified; the Hub's owner replaces it.
type lineup struct {
	all     []*instance
	absence discovery.Absence // why there is none
	standby bool              // the first that can serve is for everybody
}

// newInstance returns an instance at which nothing has begun yet.
func (l *link) newInstance(d discovery.Instance) *instance {
	i := &instance{link: l, since: time.Now(), retired: make(chan struct{})}
	i.ctx, i.end = context.WithCancelCause(l.ctx)
	i.said.Store(&d)
	i.equip()
	if d.Container != "" {
		l.hub.links.Go(i.live)
	}
	return i
}

// follow takes where the server is declared to run now. The Hub's owner calls it.
func (l *link) follow(s discovery.Server) {
	if !l.line(s) {
		return
	}
	select {
	case l.moved <- struct{}{}:
	default: // one is there already
	}
}

// line replaces the lineup, and reports whether that changes anything for the link.
func (l *link) line(s discovery.Server) (news bool) {
	before := l.lineup.Load()
	now := &lineup{absence: s.Absence, standby: s.Standby}
	for _, d := range s.Live() {
		i := before.find(d)
		if i == nil {
			i = l.newInstance(d)
		} else if was := i.said.Swap(&d); was.Paused != d.Paused {
			news = true
		}
		now.all = append(now.all, i)
	}
	l.lineup.Store(now)
	for _, i := range before.all {
		if !slices.Contains(now.all, i) {
			close(i.retired)
		}
	}
	l.proveAll(now)
	return news || now.absence != before.absence || !slices.Equal(now.all, before.all)
}

// proveAll has the instances proved where there are several. An only one needs no
// proof, as the hub's own session is there; where clients share that, none does.
func (l *link) proveAll(now *lineup) {
	if len(now.all) < 2 || !l.isolated() {
		return
	}
	for _, i := range now.all {
		if !i.proving && !i.ready.Load() {
			i.proving = true
			l.hub.links.Go(i.prove)
		}
	}
}

// drain ends the link when all calls at its instances had their time. Nothing new
// begins there. The Hub's owner calls it.
func (l *link) drain() {
	instances := l.lineup.Load().all
	l.follow(discovery.Server{
		Spec:    discovery.Spec{InContainer: true},
		Absence: discovery.Absence{State: "stopped", Reason: "it is not declared any more"},
	})
	l.hub.links.Go(func() {
		for _, i := range instances {
			<-i.ctx.Done()
		}
		l.stop()
	})
}

// find returns the instance that d declares, nil if it is a new one.
func (x *lineup) find(d discovery.Instance) *instance {
	for _, i := range x.all {
		if i.said.Load().Same(d) {
			return i
		}
	}
	return nil
}

// live waits for the end of an instance in a container, and ends what is open there:
// at once if the process has ended, else when calls in flight had their time.
func (i *instance) live() {
	select {
	case <-i.said.Load().Gone:
		i.end(i.ended())
	case <-i.retired:
		i.drain()
	case <-i.ctx.Done():
	}
	if i.network != nil {
		i.network.CloseIdleConnections()
	}
}

// drain gives the calls at a retired instance their time.
func (i *instance) drain() {
	late := time.NewTimer(i.link.server.Drain)
	defer late.Stop()
	select {
	case <-late.C:
		i.end(fmt.Errorf("%s is not declared any more", i))
	case <-i.said.Load().Gone:
		i.end(i.ended())
	case <-i.ctx.Done():
	}
}

func (i *instance) ended() error { return fmt.Errorf("%s has ended", i) }

// String names the instance for people.
func (i *instance) String() string { return "container " + i.said.Load().Name }

// gone reports whether nothing may be sent there any more.
func (i *instance) gone() bool { return i.ctx.Err() != nil }

// leaving reports whether nothing new may begin there.
func (i *instance) leaving() bool {
	select {
	case <-i.retired:
		return true
	default:
		return i.gone()
	}
}

// paused reports whether its process is frozen.
func (i *instance) paused() bool { return i.said.Load().Paused }

// RoundTrip implements http.RoundTripper for the transport. Once the instance is gone
// nothing is sent: the address may be somebody else's.
func (i *instance) RoundTrip(r *http.Request) (*http.Response, error) {
	if i.gone() {
		return nil, context.Cause(i.ctx)
	}
	return i.network.RoundTrip(r)
}

// dial makes a connection, likewise.
func (i *instance) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(i.ctx, cancel)()
	if i.gone() {
		return nil, context.Cause(i.ctx)
	}
	conn, err := i.link.dial(ctx, network, address)
	if err == nil && i.gone() {
		_ = conn.Close() // nothing was sent
		return nil, context.Cause(i.ctx)
	}
	return conn, err
}

// close ends a session there. If that is because the instance has ended, calls in
// flight hear it.
func (i *instance) close(session *mcpclient.Session) {
	if i.gone() && i.link.ctx.Err() == nil {
		session.End(context.Cause(i.ctx))
	}
	session.Close()
}
