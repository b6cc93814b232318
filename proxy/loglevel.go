package proxy

import (
	"context"
	"slices"
	"strings"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
	"mcphub/proxy/mcpserver"
)

// setLevel sets the level of the log messages that the client gets, at the
// servers it has sessions at and those it will have.
func (p *peer) setLevel(ctx context.Context, c *mcpserver.Call) (jsonrpc.Raw, error) {
	level := jsonrpc.Get(c.Message.Params, "level")
	if !slices.Contains(logLevels, string(level)) {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "logging/setLevel: level is one of %s", strings.Join(logLevels, ", "))
	}
	p.mu.Lock()
	p.level = slices.Clone(level)
	p.mu.Unlock()
	if l := p.hub.linkTo(p.server); l != nil && l.isolated() {
		p.listenAt(ctx, p.server)
		return p.relay(ctx, c, p.server)
	}
	for _, s := range p.hub.view().scope(p.session.State.Endpoint) {
		if !s.link.isolated() && s.session != nil {
			s.link.shareLevel(ctx, s.session, p, slices.Index(logLevels, string(level)))
		}
	}
	for _, session := range p.sessions() {
		p.applyLevel(ctx, session)
		session.Listen()
	}
	return jsonrpc.Raw("{}"), nil
}

// logLevels are those of RFC 5424, the most verbose first, as JSON strings.
var logLevels = []string{`"debug"`, `"info"`, `"notice"`, `"warning"`, `"error"`, `"critical"`, `"alert"`, `"emergency"`}

// applyLevel tells a server the level that the client has set, if both know of
// levels.
func (p *peer) applyLevel(ctx context.Context, session *mcpclient.Session) {
	p.mu.Lock()
	level := p.level
	p.mu.Unlock()
	if level == nil {
		return
	}
	if err := tellLevel(ctx, session, level); err != nil {
		p.hub.options.Log.Debug("set the log level at a server", "err", err)
	}
}

// tellLevel sets the level in a session, if the server knows of levels.
func tellLevel(ctx context.Context, session *mcpclient.Session, level jsonrpc.Raw) error {
	if jsonrpc.Get(session.Capabilities(), "logging") == nil {
		return nil
	}
	params := append(append(jsonrpc.Raw(`{"level":`), level...), '}')
	_, err := session.Call(ctx, &mcpclient.Call{Method: "logging/setLevel", Raw: params})
	return err
}

// shareLevel has a shared session log at the most verbose level that any of its
// clients wants; each gets what it has asked for (see wants).
func (l *link) shareLevel(ctx context.Context, session *mcpclient.Session, p *peer, level int) {
	verbose, changed := l.shared.setLevel(p, level)
	if !changed {
		return
	}
	if err := tellLevel(ctx, session, jsonrpc.Raw(logLevels[verbose])); err != nil {
		l.log.Debug("set the log level of a shared session", "err", err)
	}
}

// setLevel notes the level that p wants, an index of logLevels. It returns the
// most verbose one that anybody wants, and whether p has changed it.
func (a *audience) setLevel(p *peer, level int) (verbose int, changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.verbose()
	if a.levels == nil {
		a.levels = map[*peer]int{}
	}
	a.levels[p] = level
	return a.verbose(), a.verbose() != before
}

// forgetLevel notes that p has gone. The session stays as verbose as it is.
func (a *audience) forgetLevel(p *peer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.levels, p)
}

// level returns the most verbose level that anybody wants, if anybody has said.
func (a *audience) level() (level jsonrpc.Raw, set bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if verbose := a.verbose(); verbose < len(logLevels) {
		return jsonrpc.Raw(logLevels[verbose]), true
	}
	return nil, false
}

// verbose returns the most verbose level that anybody wants, beyond the last if
// nobody has said. a.mu is held.
func (a *audience) verbose() int {
	verbose := len(logLevels)
	for _, level := range a.levels {
		verbose = min(verbose, level)
	}
	return verbose
}

// wants reports whether the client has asked for log messages as severe as m.
// Where it has not said, it gets what the server sends.
func (p *peer) wants(m *jsonrpc.Message) bool {
	if m.Method != "notifications/message" {
		return true
	}
	p.mu.Lock()
	asked := slices.Index(logLevels, string(p.level))
	p.mu.Unlock()
	level := slices.Index(logLevels, string(jsonrpc.Get(m.Params, "level")))
	return level < 0 || level >= asked
}
