package proxy

import (
	"slices"
	"strings"
	"sync"

	"mcphub/proxy/jsonrpc"
)

// declaration is what clients say that they can do, by the names of their
// capabilities. Servers may list by it, so clients with the same one see the same.
type declaration struct {
	names        string      // what tells two apart
	capabilities jsonrpc.Raw // as the first client with it has declared them
	clients      int         // sessions with it; guarded by declarations.mu
}

const (
	maxDeclarations = 8    // that the hub lists for: each costs a listing at each server
	maxNames        = 2048 // bytes of a declaration's names
	maxNameDepth    = 4    // of names within names: tasks.requests.tools.call
)

// declarations are those that clients have, or had lately.
type declarations struct {
	mu    sync.Mutex // leaf: held for operations on known only
	known []*declaration
}

// enter notes a session whose client has declared capabilities. It returns nil
// where nothing is declared, or more than the hub tells apart: such a client sees
// what one that declares nothing sees.
func (d *declarations) enter(capabilities jsonrpc.Raw) *declaration {
	names := capabilityNames(capabilities)
	if names == "" || len(names) > maxNames {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := slices.IndexFunc(d.known, func(x *declaration) bool { return x.names == names })
	if at < 0 {
		if !d.makeRoom() {
			return nil
		}
		at = len(d.known)
		d.known = append(d.known, &declaration{names: names, capabilities: slices.Clone(capabilities)})
	}
	d.known[at].clients++
	return d.known[at]
}

// makeRoom forgets the oldest declaration that nobody has any more, where there
// are too many. d.mu is held.
func (d *declarations) makeRoom() bool {
	if len(d.known) < maxDeclarations {
		return true
	}
	unused := slices.IndexFunc(d.known, func(x *declaration) bool { return x.clients == 0 })
	if unused < 0 {
		return false
	}
	d.known = slices.Delete(d.known, unused, unused+1)
	return true
}

// leave notes that a session has ended. What was listed for it is kept for the
// next client that declares the same.
func (d *declarations) leave(x *declaration) {
	if x == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	x.clients--
}

// has reports whether x has not been forgotten.
func (d *declarations) has(x *declaration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.known, x)
}

// capabilityNames returns the names of capabilities, and those within them with
// dots between, sorted: servers ask for elicitation.url as they ask for sampling.
func capabilityNames(capabilities jsonrpc.Raw) string {
	var names []string
	var collect func(prefix string, object jsonrpc.Raw, depth int)
	collect = func(prefix string, object jsonrpc.Raw, depth int) {
		for name, value := range jsonrpc.Members(object) {
			names = append(names, prefix+name)
			if depth < maxNameDepth {
				collect(prefix+name+".", value, depth+1)
			}
		}
	}
	collect("", capabilities, 1)
	slices.Sort(names)
	return strings.Join(names, ",")
}
