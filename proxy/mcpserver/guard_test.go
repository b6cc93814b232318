package mcpserver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ask sends a request with headers "Name: value" through a Guard; behind it all is
// 404, for there is nothing.
func ask(g *Guard, method, target string, headers ...string) (*httptest.ResponseRecorder, *http.Request) {
	var passed *http.Request
	handler := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		passed = r
		http.NotFound(w, r)
	}), "/health")
	r := httptest.NewRequest(method, "/", nil)
	r.Host = "localhost:7070"
	if u, err := r.URL.Parse("http://h" + target); err == nil && target != "*" {
		r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
	} else {
		r.URL.Path = target
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		switch name {
		case "":
		case "Host":
			r.Host = value
		default:
			r.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w, passed
}

// Which rule decides a path.
func TestRules(t *testing.T) {
	g := NewGuard(newKeys(t), Access{
		Default: Rule{true, "default"},
		Endpoints: map[string]Rule{
			"/mcp":              {true, "mcp"},
			"/mcp/server":       {true, "servers"},
			"/mcp/server/x":     {true, "x"},
			"/mcp/server/open":  {},
			"/mcp/group/g":      {true, "g"},
			"/health":           {},
			"/mcp/server/empty": {Enabled: true},
		},
	})
	for path, want := range map[string]string{
		"/mcp":                  "mcp",
		"/mcp/":                 "mcp",
		"/mcp//":                "mcp",
		"/mcp/group/other":      "mcp",
		"/mcp/group/g":          "g",
		"/mcp/group/g/":         "g",
		"/mcp/group/gg":         "mcp",
		"/mcp/server":           "servers",
		"/mcp/server/y":         "servers",
		"/mcp/server/x":         "x",
		"/mcp/server/x/":        "x",
		"/mcp/server/x///":      "x",
		"/mcp/server/x/deeper":  "x",
		"/mcp/server/xx":        "servers",
		"/mcp/server%2Fx":       "x",
		"/mcp%2Fserver%2fx":     "x",
		"/mcp/server/%78":       "x",
		"/mcp//server/x":        "mcp",
		"/mcp/server//x":        "servers",
		"/mcp/server/../server": "servers",
		"/mcpx":                 "default",
		"/mcpx/server/x":        "default",
		"/MCP":                  "default",
		"//mcp":                 "default",
		"/":                     "default",
		"//":                    "default",
		"":                      "default",
		"*":                     "default",
		"/metrics":              "default",
		"/mcp/server/open":      "",
		"/mcp/server/open/":     "",
		"/health":               "",
	} {
		for _, token := range []string{"default", "mcp", "servers", "x", "g", ""} {
			w, _ := ask(g, "POST", path, "Authorization: Bearer "+token)
			code := http.StatusUnauthorized
			if want == "" || token == want {
				code = http.StatusNotFound
			}
			if w.Code != code {
				t.Errorf("%s with the token %q: got %d, want %d", path, token, w.Code, code)
			}
		}
	}
}

// What opens an endpoint with a token.
func TestTokens(t *testing.T) {
	g := NewGuard(newKeys(t), Access{Endpoints: map[string]Rule{"/mcp": {true, "se cret"}, "/mcp/server/empty": {Enabled: true}}})
	for _, test := range []struct {
		path, header string
		want         int
	}{
		{"/mcp", "", 401},
		{"/mcp", "Authorization: Bearer se cret", 404},
		{"/mcp", "Authorization: bearer se cret", 404},
		{"/mcp", "Authorization: BEARER  se cret ", 404},
		{"/mcp", "Authorization: Basic se cret", 401},
		{"/mcp", "Authorization: se cret", 401},
		{"/mcp", "Authorization: Bearer", 401},
		{"/mcp", "Authorization: Bearer ", 401},
		{"/mcp", "Authorization: Bearer se cre", 401},
		{"/mcp", "Authorization: Bearer se crett", 401},
		{"/mcp", "Authorization: Bearer Se cret", 401},
		{"/mcp", "X-Authorization: Bearer se cret", 401},
		{"/mcp/server/empty", "Authorization: Bearer ", 401},
		{"/mcp/server/empty", "Authorization: Bearer", 401},
		{"/mcp/server/empty", "", 401},
		{"/elsewhere", "", 404},
		{"/elsewhere", "Authorization: Bearer whatever", 404},
	} {
		w, _ := ask(g, "POST", test.path, test.header)
		if w.Code != test.want {
			t.Errorf("%s with %q: got %d, want %d", test.path, test.header, w.Code, test.want)
		}
		if got := w.Header().Get("WWW-Authenticate"); (got == "Bearer") != (test.want == 401) {
			t.Errorf("%s with %q: WWW-Authenticate %q", test.path, test.header, got)
		}
		if strings.Contains(w.Body.String(), "se cret") {
			t.Error("the answer has the token")
		}
	}
}

// The token stops at the hub.
func TestTokenIsTakenAway(t *testing.T) {
	g := NewGuard(newKeys(t), Access{Endpoints: map[string]Rule{"/mcp": {true, "t"}}})
	for _, path := range []string{"/mcp", "/open"} {
		_, passed := ask(g, "POST", path, "Authorization: Bearer t", "Traceparent: 1")
		if passed == nil || passed.Header.Get("Authorization") != "" || passed.Header.Get("Traceparent") != "1" {
			t.Errorf("%s: behind the guard: %v", path, passed)
		}
	}
}

func TestHosts(t *testing.T) {
	g := NewGuard(newKeys(t), Access{
		Endpoints: map[string]Rule{"/mcp/server/guarded": {true, "t"}},
		Hosts:     []string{"hub.example.com", "With.Port.example:8443", "Slash.example/"},
	})
	for host, allowed := range map[string]bool{
		"localhost": true, "localhost:7070": true, "LOCALHOST": true, "localhost.": true, "x.localhost:1": true,
		"127.0.0.1": true, "127.0.0.1:7070": true, "192.168.1.5:80": true, "8.8.8.8": true,
		"[::1]": true, "[::1]:7070": true, "[2001:db8::1]:7070": true, "[fe80::1%25eth0]:7070": true,
		"hub": true, "hub:7070": true, "my_container-1:7070": true, "": true,
		"nas.local": true, "nas.local:7070": true, "box.lan": true, "NAS.Local": true, "nas.local.": true,
		"svc.cluster.internal": true, "host.docker.internal:7070": true, "pi.home.arpa": true,
		"hub.example.com": true, "hub.example.com:443": true, "HUB.example.com": true, "with.port.example:8443": true, "slash.example": true,
		"with.port.example": false, "with.port.example:1": false,
		"evil.com": false, "evil.com:7070": false, "evil.com.": false, "x.hub.example.com": false,
		"127.0.0.1.evil.com": false, "localhost.evil.com": false, "local.evil.com": false, "evillocal.com": false,
		"evil.com:80:80": false, "[evil.com]": false, "[evil.com]:80": false, "home.arpa.evil.com": false,
		"1.2.3": false, "1.2.3.4.5": false, "127.0.0.1.": true,
	} {
		for _, path := range []string{"/mcp", "/health"} {
			want := http.StatusForbidden
			if allowed {
				want = http.StatusNotFound
			}
			if w, _ := ask(g, "POST", path, "Host: "+host); w.Code != want {
				t.Errorf("%s at the host %q: got %d, want %d", path, host, w.Code, want)
			}
		}
		if w, _ := ask(g, "POST", "/mcp/server/guarded", "Host: "+host, "Authorization: Bearer t"); w.Code != http.StatusNotFound {
			t.Errorf("with a token, at the host %q: got %d", host, w.Code)
		}
		if w, _ := ask(g, "POST", "/mcp/server/guarded", "Host: "+host); w.Code != http.StatusUnauthorized {
			t.Errorf("without the token, at the host %q: got %d", host, w.Code)
		}
	}
}

func TestOrigins(t *testing.T) {
	g := NewGuard(newKeys(t), Access{
		Endpoints: map[string]Rule{"/mcp": {true, "t"}},
		Origins:   []string{"https://App.example.com", "http://slash.example/", "chrome-extension://abc"},
	})
	for origin, allowed := range map[string]bool{
		"http://localhost": true, "http://localhost:3000": true, "https://localhost:3000": true,
		"http://127.0.0.1:6274": true, "http://127.9.9.9": true, "http://[::1]:3000": true, "http://[::ffff:127.0.0.1]": true,
		"https://app.example.com": true, "http://slash.example": true, "chrome-extension://abc": true,
		"http://app.example.com": false, "https://app.example.com:444": false, "https://x.app.example.com": false,
		"https://evil.com": false, "null": false, "http://localhost.evil.com": false, "http://127.0.0.1.evil.com": false,
		"http://localhost@evil.com": false, "ftp://localhost": false, "localhost": false, "http://0.0.0.0": false,
		"http://192.168.1.5": false, "file://": false, "http://": false, ":": false, "chrome-extension://abd": false,
	} {
		w, _ := ask(g, "POST", "/mcp", "Origin: "+origin, "Authorization: Bearer t")
		header := w.Header()
		if want := map[bool]int{true: 404, false: 403}[allowed]; w.Code != want {
			t.Errorf("%s: got %d, want %d", origin, w.Code, want)
		}
		got := header.Get("Access-Control-Allow-Origin")
		if allowed && got != origin || !allowed && got != "" {
			t.Errorf("%s: Access-Control-Allow-Origin: %q", origin, got)
		}
		if exposed := header.Get("Access-Control-Expose-Headers"); strings.Contains(exposed, "Mcp-Session-Id") != allowed {
			t.Errorf("%s: exposed: %q", origin, exposed)
		}
		if header.Get("Vary") != "Origin" || header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", origin, header)
		}

		w, passed := ask(g, "OPTIONS", "/mcp", "Origin: "+origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,mcp-session-id")
		if want := map[bool]int{true: 204, false: 403}[allowed]; w.Code != want || passed != nil {
			t.Errorf("preflight of %s: got %d, want %d", origin, w.Code, want)
		}
		if allowed && (w.Header().Get("Access-Control-Allow-Origin") != origin ||
			w.Header().Get("Access-Control-Allow-Headers") != "authorization,mcp-session-id" ||
			!strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), "DELETE")) {
			t.Errorf("preflight of %s: %v", origin, w.Header())
		}
	}
	w, _ := ask(g, "POST", "/mcp", "Authorization: Bearer t")
	check(t, "without an origin", w.Code, 404)
	check(t, "without an origin, Allow-Origin", w.Header().Get("Access-Control-Allow-Origin"), "")
	w, _ = ask(g, "POST", "/mcp", "Origin: http://localhost")
	check(t, "an allowed origin without the token", w.Code, 401)
	check(t, "its page reads why", w.Header().Get("Access-Control-Allow-Origin"), "http://localhost")
	w, _ = ask(g, "OPTIONS", "/mcp", "Origin: http://localhost")
	check(t, "OPTIONS that is no preflight", w.Code, 401)
	w, _ = ask(g, "POST", "/mcp", "Origin: https://evil.com")
	check(t, "a foreign origin, before the token is looked at", w.Code, 403)
}

// /health answers without its token, and asks what it may say.
func TestPublicPath(t *testing.T) {
	g := NewGuard(newKeys(t), Access{Default: Rule{true, "t"}})
	for header, allowed := range map[string]bool{"X: y": false, "Authorization: Bearer t": true, "Authorization: Bearer u": false} {
		for _, path := range []string{"/health", "/health/"} {
			w, passed := ask(g, "GET", path, header)
			if w.Code != http.StatusNotFound || passed == nil {
				t.Fatalf("%s: got %d", path, w.Code)
			}
			check(t, path+" allowed with "+header, g.Allowed(passed), allowed)
		}
	}
	w, _ := ask(g, "GET", "/health/deeper")
	check(t, "below it", w.Code, 401)
	w, _ = ask(g, "GET", "/health", "Origin: https://evil.com")
	check(t, "for a foreign page", w.Code, 403)
	g.Set(Access{Default: Rule{true, "t"}, Endpoints: map[string]Rule{"/health": {}}})
	_, passed := ask(g, "GET", "/health")
	check(t, "allowed by its own rule", g.Allowed(passed), true)
	w, _ = ask(g, "GET", "/health", "Host: evil.com")
	check(t, "without a token, by a public name", w.Code, 403)
}

// Rules can be replaced while the hub serves; Admits says whose sessions go on.
func TestRulesChange(t *testing.T) {
	keys := newKeys(t)
	open, a, b := Access{}, Access{Default: Rule{true, "a"}}, Access{Default: Rule{true, "b"}, Endpoints: map[string]Rule{"/mcp/server/x": {true, "a"}}}
	ofA := keys.principals("a")[0]
	g := NewGuard(keys, open)
	admits := func(what string, anonymously, withA, withAAtX bool) {
		t.Helper()
		check(t, what+": anonymous", g.Admits("/mcp", Principal{}), anonymously)
		check(t, what+": a", g.Admits("/mcp", ofA), withA)
		check(t, what+": a at x", g.Admits("/mcp/server/x", ofA), withAAtX)
	}
	admits("open", true, false, false)
	g.Set(a)
	admits("a", false, true, true)
	w, _ := ask(g, "POST", "/mcp", "Authorization: Bearer a")
	check(t, "token a", w.Code, 404)
	g.Set(b)
	admits("b", false, false, true)
	w, _ = ask(g, "POST", "/mcp", "Authorization: Bearer a")
	check(t, "token a after it was taken away", w.Code, 401)
	g.Set(Access{Default: Rule{Enabled: true}})
	admits("to nobody", false, false, false)
}
