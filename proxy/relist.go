package proxy

import (
	"context"
	"errors"
	"fmt"

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

// listAll reads all lists of a server that it has a capability for. known is what
// it offered last; may be nil.
func listAll(ctx context.Context, session *mcpclient.Session, known *features) *features {
	offered := new(features)
	for k := range kinds {
		offered.read(ctx, session, k, known)
	}
	return offered
}

// read reads one list. A list that cannot be read is reported and stays as it was
// in known.
func (f *features) read(ctx context.Context, session *mcpclient.Session, k kind, known *features) {
	if jsonrpc.Get(session.Capabilities(), kindInfos[k].capability) == nil {
		return
	}
	list, problems, err := listKind(ctx, session, k)
	if e, ok := errors.AsType[*jsonrpc.Error](err); ok && e.Code == jsonrpc.CodeMethodNotFound {
		return // many servers have resources and no templates
	}
	if err != nil {
		f.problems = append(f.problems, fmt.Sprintf("%.500s", err)) // the server's words, which may be many
		if known != nil {
			f.lists[k] = known.lists[k]
		}
		return
	}
	f.lists[k] = list
	f.problems = append(f.problems, problems...)
}

// variantsToo marks that what clients see by their declarations is outdated, beside
// the bits of the kinds: the server said so to the hub itself.
const variantsToo = 1 << kinds

// relist reads the lists again that the server has said to be outdated.
func (l *link) relist(session *mcpclient.Session) {
	changed := l.changed.Swap(0)
	ctx, cancel := context.WithTimeout(l.ctx, connectTimeout)
	defer cancel()
	offered := *l.now.features
	offered.problems = nil
	for k := range kinds {
		if changed&(1<<k) != 0 {
			offered.read(ctx, session, k, l.now.features)
		}
	}
	if changed&variantsToo != 0 || !offered.sameLists(l.now.features) {
		clear(l.varied)
	}
	l.report(func(s *state) { s.features = &offered })
	l.listVariants(session)
}
