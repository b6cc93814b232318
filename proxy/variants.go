package proxy

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// Servers may list by what the client has declared. So beside what a server lists
// for the hub, which declares nothing, the link lists it once for each declaration
// of clients in whose scope the server is, in a session opened for that alone.

// variantTimeout bounds one such listing. The link does nothing else meanwhile.
const variantTimeout = 10 * time.Second

// offered returns what the server offers to clients with a declaration: what it
// lists for nobody in particular as long as nothing else is known.
func (s *state) offered(to *declaration) *features {
	if own := s.variants[to]; own != nil && to != nil {
		return own
	}
	return s.features
}

// wishes are the declarations that clients want a link to list for.
type wishes struct {
	mu    sync.Mutex // leaf: held for map operations only
	asked map[*declaration]bool
}

// listFor has the link list for a declaration, now or when it is connected, and
// from then on whenever the lists change. It does not block.
func (l *link) listFor(to *declaration) {
	l.wishes.mu.Lock()
	known := l.wishes.asked[to]
	if !known {
		if l.wishes.asked == nil {
			l.wishes.asked = map[*declaration]bool{}
		}
		l.wishes.asked[to] = true
	}
	l.wishes.mu.Unlock()
	if !known {
		l.wakeVariants()
	}
}

func (l *link) wakeVariants() {
	select {
	case l.wanted <- struct{}{}:
	default:
	}
}

// current returns the declarations to list for, without those that the hub has
// forgotten.
func (a *wishes) current(known *declarations) []*declaration {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.asked, func(x *declaration, _ bool) bool { return !known.has(x) })
	return slices.Collect(maps.Keys(a.asked))
}

// listVariants lists for each declaration that has not been listed for since the
// lists last changed, and reports each.
func (l *link) listVariants(session *mcpclient.Session) {
	wanted := l.wishes.current(&l.hub.declarations)
	for _, to := range wanted {
		if l.varied[to] || isDone(session) || l.ctx.Err() != nil {
			continue
		}
		own := l.listVariant(to)
		l.varied[to] = true
		l.report(func(s *state) {
			variants := maps.Clone(s.variants)
			maps.DeleteFunc(variants, func(x *declaration, _ *features) bool { return !slices.Contains(wanted, x) })
			if variants == nil {
				variants = map[*declaration]*features{}
			}
			variants[to] = own
			s.variants = variants
		})
	}
}

// listVariant lists the server in a session with a client's declaration. Where
// that is impossible, what is known is taken: that it lists for everybody alike.
func (l *link) listVariant(to *declaration) *features {
	ctx, cancel := context.WithTimeout(l.ctx, variantTimeout)
	defer cancel()
	known := l.now.offered(to)
	if !l.takePlace() {
		return known
	}
	session, err := l.dialAs(ctx, to.capabilities)
	if err != nil {
		l.leavePlace()
		l.log.Debug("list for other capabilities", "capabilities", to.names, "err", err)
		return known
	}
	// Clients wait for the list, and a process may take seconds to end.
	defer l.hub.errands.Go(func() {
		session.Close()
		l.leavePlace()
	})
	offered := listAll(ctx, session, known)
	if ctx.Err() != nil || isDone(session) {
		return known
	}
	if offered.sameLists(l.now.features) {
		return l.now.features
	}
	return offered
}

// dialAs opens a session in the hub's name that declares capabilities. What the
// server asks in it is refused: there is no client behind it.
func (l *link) dialAs(ctx context.Context, capabilities jsonrpc.Raw) (*mcpclient.Session, error) {
	return mcpclient.Dial(ctx, l.at.transport, mcpclient.Options{
		Identity: l.hub.identity(capabilities), Strays: &l.strays, Log: l.log,
	})
}

// sameLists reports whether both offer the same, byte for byte.
func (f *features) sameLists(o *features) bool {
	if f == o {
		return true
	}
	for k := range kinds {
		if !slices.EqualFunc(f.lists[k], o.lists[k], func(a, b feature) bool { return bytes.Equal(a.raw, b.raw) }) {
			return false
		}
	}
	return true
}
