package proxy

import (
	"context"
	"errors"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// outdated marks lists that must be read again. It never blocks.
func (l *link) outdated(ks ...kind) {
	for _, k := range ks {
		l.changed.Or(1 << k)
	}
	select {
	case l.stale <- struct{}{}:
	default:
	}
}

// list reads all lists of a server that it has a capability for.
func (l *link) list(ctx context.Context, session *mcpclient.Session) *features {
	offered := new(features)
	for k := range kinds {
		l.listInto(ctx, session, k, offered)
	}
	return offered
}

// listInto reads one list. A list that cannot be read is reported and stays as it
// was.
func (l *link) listInto(ctx context.Context, session *mcpclient.Session, k kind, offered *features) {
	if jsonrpc.Get(session.Capabilities(), kindInfos[k].capability) == nil {
		return
	}
	list, problems, err := listKind(ctx, session, k)
	if e, ok := errors.AsType[*jsonrpc.Error](err); ok && e.Code == jsonrpc.CodeMethodNotFound {
		return // many servers have resources and no templates
	}
	if err != nil {
		offered.problems = append(offered.problems, err.Error())
		if l.now.features != nil {
			offered.lists[k] = l.now.features.lists[k]
		}
		return
	}
	offered.lists[k] = list
	offered.problems = append(offered.problems, problems...)
}

// relist reads the lists again that the server has said to be outdated.
func (l *link) relist(session *mcpclient.Session) {
	changed := l.changed.Swap(0)
	ctx, cancel := context.WithTimeout(l.ctx, connectTimeout)
	defer cancel()
	offered := *l.now.features
	offered.problems = nil
	for k := range kinds {
		if changed&(1<<k) != 0 {
			l.listInto(ctx, session, k, &offered)
		}
	}
	l.report(func(s *state) { s.features = &offered })
}
