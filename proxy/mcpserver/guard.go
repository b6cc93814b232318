package mcpserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// Access says who may use which endpoint.
type Access struct {
	Default   Rule
	Endpoints map[string]Rule // by path; the longest path prefix on segment borders decides
	Hosts     []string        // names this hub may be called by, beside the local ones
	Origins   []string        // web origins that may call it, beside loopback
}

// Rule is the access to an endpoint: open, or by a bearer token (RFC 6750).
type Rule struct {
	Enabled bool
	Token   string
}

// Guard stands before all endpoints: it checks the web origin, the host and the
// token of a request, in this order, before anything else is looked at. Without
// the check of origin and host a web page could talk to a local hub, by rebinding
// its own name (2025-11-25/basic/transports, security warning).
type Guard struct {
	keys   *Keys
	access atomic.Pointer[access]
}

// access is an Access prepared for checking. It is never modified.
type access struct {
	rules   map[string]*rule
	hosts   map[string]bool
	origins map[string]bool
}

type rule struct {
	enabled    bool
	token      [sha256.Size]byte
	principals []Principal
}

// NewGuard returns a Guard. keys must be those of the Server behind it.
func NewGuard(keys *Keys, a Access) *Guard {
	g := &Guard{keys: keys}
	g.Set(a)
	return g
}

// Set replaces the rules, for all requests from now on.
func (g *Guard) Set(a Access) {
	prepared := &access{rules: map[string]*rule{"/": g.prepare(a.Default)}, hosts: set(a.Hosts), origins: set(a.Origins)}
	for path, r := range a.Endpoints {
		prepared.rules[path] = g.prepare(r)
	}
	g.access.Store(prepared)
}

// prepare makes a rule ready for use. One that asks for an empty token opens to
// nobody.
func (g *Guard) prepare(r Rule) *rule {
	switch {
	case !r.Enabled:
		return &rule{principals: anonymous}
	case r.Token == "":
		return &rule{enabled: true} // the hash of nothing that can be sent
	}
	return &rule{enabled: true, token: sha256.Sum256([]byte(r.Token)), principals: g.keys.principals(r.Token)}
}

func set(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[strings.ToLower(strings.TrimSuffix(n, "/"))] = true
	}
	return out
}

// rule returns the rule for a path.
func (a *access) rule(path string) *rule {
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '/') {
		if r := a.rules[path[:end]]; r != nil {
			return r
		}
	}
	return a.rules["/"]
}

// Allowed reports whether the token that r carries opens r's path, whatever its
// origin and host. Where no token is asked for it is true.
func (g *Guard) Allowed(r *http.Request) bool {
	return g.access.Load().rule(r.URL.Path).opens(r)
}

// Admits reports whether a session of a principal at an endpoint may go on under
// the present rules.
func (g *Guard) Admits(endpoint string, p Principal) bool {
	return slices.Contains(g.access.Load().rule(endpoint).principals, p)
}

// opens compares in constant time.
func (ru *rule) opens(r *http.Request) bool {
	if !ru.enabled {
		return true
	}
	scheme, token, _ := strings.Cut(combined(r, "Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(sum[:], ru.token[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// Wrap returns a handler that passes to next what the rules allow. Paths in
// public answer without their token too, and ask Allowed for the rest; from all
// others the token is taken away. A trailing slash is taken off the path before
// anything looks at it.
func (g *Guard) Wrap(next http.Handler, public ...string) http.Handler {
	open := set(public)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.Path; len(path) > 1 && path[len(path)-1] == '/' {
			r.URL.Path, r.URL.RawPath = path[:1]+strings.TrimRight(path[1:], "/"), ""
		}
		a := g.access.Load()
		ru := a.rule(r.URL.Path)
		switch {
		case !a.origin(w, r):
			http.Error(w, "origin not allowed; add it to MCPHUB_ALLOWED_ORIGINS", http.StatusForbidden)
		case r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "":
			preflight(w, r)
		case !ru.enabled && !a.host(r.Host):
			http.Error(w, "host not allowed; add it to MCPHUB_ALLOWED_HOSTS, or set a token", http.StatusForbidden)
		case !open[r.URL.Path] && !ru.opens(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "unauthorized: send the endpoint's token as Authorization: Bearer TOKEN", http.StatusUnauthorized)
		default:
			if !open[r.URL.Path] {
				r.Header.Del("Authorization")
			}
			next.ServeHTTP(w, ru.mark(r))
		}
	})
}

// origin checks the Origin header (RFC 6454) and, where it is allowed, lets the
// page read the answer (https://fetch.spec.whatwg.org/#http-cors-protocol).
func (a *access) origin(w http.ResponseWriter, r *http.Request) bool {
	origin := combined(r, "Origin")
	if origin == "" {
		return true
	}
	w.Header().Add("Vary", "Origin")
	if !a.origins[strings.ToLower(origin)] && !loopbackOrigin(origin) {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After")
	return true
}

// combined returns a header that may be there several times as it reads in one line
// (RFC 9110, section 5.2): no value of several counts for itself.
func combined(r *http.Request, name string) string { return strings.Join(r.Header[name], ", ") }

func loopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && loopback(u.Hostname())
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// preflight answers before the token is asked for: browsers send none with it.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// localSuffixes are the names that no public DNS answers for.
var localSuffixes = []string{".localhost", ".local", ".lan", ".internal", ".home.arpa"}

// host checks the Host header: a rebound name is a public one, with dots.
func (a *access) host(header string) bool {
	name := header
	if host, _, err := net.SplitHostPort(header); err == nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") || a.hosts[name] {
		return true
	}
	for _, suffix := range localSuffixes {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return a.hosts[strings.ToLower(header)]
}

type principalsKey struct{}

// mark notes in the request as whom it was let through.
func (ru *rule) mark(r *http.Request) *http.Request {
	if !ru.enabled {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), principalsKey{}, ru.principals))
}

// principals returns as whom the Guard has let a request through.
func principals(r *http.Request) []Principal {
	if p, ok := r.Context().Value(principalsKey{}).([]Principal); ok {
		return p
	}
	return anonymous
}
