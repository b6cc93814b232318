package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// serve holds a connection for as long as it lasts.
func (l *link) serve(session *mcpclient.Session) {
	began := time.Now()
	l.caused = false
	l.report(func(s *state) {
		s.phase, s.since, s.err, s.attempts, s.next = connected, time.Now(), nil, 0, time.Time{}
		s.session, s.initialized, s.version = session, session.InitializeResult(), session.ProtocolVersion()
	})
	l.logConnected()
	err := l.hold(session)
	if l.ctx.Err() != nil {
		return
	}
	l.last, l.lost = attempt{ended: time.Now(), err: err}, time.Now()
	switch {
	case l.at.leaving():
		l.log.Info("server's instance left", "reason", err)
	case time.Since(began) < stableAfter:
		l.waitOut(err)
		return
	default:
		l.logAway(err, away)
	}
	l.tries, l.due = 0, time.Now() // and try at once
	l.report(func(s *state) {
		s.phase, s.since, s.session, s.version, s.err, s.next = away, l.due, nil, "", err, l.due
	})
}

// hold listens to the server until the connection is lost, and returns why. All
// is closed then, or is being closed.
func (l *link) hold(session *mcpclient.Session) error {
	var renewing sync.WaitGroup
	defer renewing.Wait()
	defer l.letGo(session)
	at := l.at
	defer context.AfterFunc(at.ctx, func() { at.close(session) })()
	session.Listen()
	clear(l.varied)
	l.wakeVariants()
	renewing.Go(func() { l.renew(session) })
	return l.watch(session)
}

// letGo closes the session. A server that is reached no more may leave the hub's goodbye
// without an answer, which nothing waits for; a process has to have ended before another
// is started.
func (l *link) letGo(session *mcpclient.Session) {
	if l.overNetwork() {
		l.hub.errands.Go(session.Close)
		return
	}
	session.Close()
}

func (l *link) logConnected() {
	f := l.now.features
	l.log.Info("server connected", "tools", len(f.lists[tools]), "prompts", len(f.lists[prompts]),
		"resources", len(f.lists[resources]), "templates", len(f.lists[templates]))
	for _, problem := range f.problems {
		l.log.Warn("feature repaired or left out", "problem", problem)
	}
}

// watch keeps the features up to date until the connection is lost; it returns
// why. A server that does not answer a ping may be busy; one that cannot be
// reached is lost.
func (l *link) watch(session *mcpclient.Session) error {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	stale := l.stale
	var rested <-chan time.Time
	for {
		select {
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		case <-session.Done():
			return session.Err()
		case <-stale:
			began := time.Now()
			l.relist(session)
			stale, rested = nil, time.After(max(relistPause, 2*time.Since(began)))
		case <-l.wanted:
			l.listVariants(session)
		case <-rested:
			stale = l.stale
		case <-l.moved:
			if l.at.leaving() {
				return l.departure()
			}
		case <-l.suspects:
			if err := l.ping(session); err != nil {
				return err
			}
		case <-ping.C:
			if err := l.ping(session); err != nil {
				return err
			}
		}
	}
}

// departure says why the hub's session leaves its instance.
func (l *link) departure() error {
	if l.at.gone() {
		return context.Cause(l.at.ctx)
	}
	return fmt.Errorf("%s is not declared any more", l.at)
}

// ping asks for a sign of life. Any answer is one, and so is silence; of a frozen
// process none can come.
func (l *link) ping(session *mcpclient.Session) error {
	if l.at.paused() {
		return nil
	}
	ctx, cancel := context.WithTimeout(l.ctx, pingTimeout)
	defer cancel()
	_, err := session.Call(ctx, &mcpclient.Call{Method: "ping", Raw: jsonrpc.Raw("{}")})
	_, status := errors.AsType[*mcpclient.StatusError](err)
	if err == nil || status || ctx.Err() != nil {
		return nil
	}
	return err
}

// suspect asks the link to see whether the server is still there. It never
// blocks.
func (l *link) suspect() {
	select {
	case l.suspects <- struct{}{}:
	default:
	}
}
