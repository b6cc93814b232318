package discovery

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// variables is an environment for ${NAME}.
func variables(pairs ...string) func(string) (string, bool) {
	environ := toMap(pairs)
	return func(name string) (string, bool) { s, ok := environ[name]; return s, ok }
}

func toMap(pairs []string) map[string]string {
	m := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		m[name] = value
	}
	return m
}

// printed is a server in one line, as a person would jot it down.
func printed(s Server) string {
	line := fmt.Sprintf("%s %s", s.ID, s.Spec.Transport)
	if s.Spec.Command != nil {
		line += fmt.Sprintf(" %q", s.Spec.Command)
	}
	if s.Spec.URL != "" {
		line += " " + s.Spec.URL
	}
	if len(s.Spec.Env)+len(s.Spec.Headers) > 0 {
		line += fmt.Sprint(" ", s.Spec.Env, s.Spec.Headers)
	}
	if s.Spec.Dir != "" {
		line += " in " + s.Spec.Dir
	}
	if s.Spec.Isolation != "" || s.Spec.Timeout != 0 {
		line += fmt.Sprintf(" %s %v", s.Spec.Isolation, s.Spec.Timeout)
	}
	return line
}

func printServers(servers []Server) string {
	var lines []string
	for _, s := range servers {
		lines = append(lines, printed(s))
	}
	return strings.Join(lines, "\n")
}

func check(t *testing.T, what, got, want string) {
	t.Helper()
	if got = strings.TrimSpace(got); got != strings.TrimSpace(want) {
		t.Errorf("%s\n got: %s\nwant: %s", what, got, want)
	}
}

func TestExampleFile(t *testing.T) {
	data, err := os.ReadFile("../config.example.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig("config.example.json", data, variables())
	if err != nil {
		t.Fatal(err)
	}
	check(t, "servers", printServers(c.Servers), `
filesystem stdio ["npx" "-y" "@modelcontextprotocol/server-filesystem" "/tmp"]
remote-api streamable-http http://localhost:3001/mcp map[] map[Authorization:Bearer token]
legacy sse http://localhost:3002/sse`)
	check(t, "groups", fmt.Sprint(c.Groups), "map[dev-tools:[filesystem remote-api]]")
	check(t, "hub", fmt.Sprint(*c.Hub.Port, *c.Hub.Auth, *c.Hub.MaxAttempts, *c.Hub.InitialDelay, *c.Hub.MaxDelay),
		"7070 {{false } true map[/mcp:{true my-secret-token}]} 3 1s 30s")
	if s := c.Servers[0]; s.Origin != File || s.Where != "config.example.json" {
		t.Errorf("the first server is from %s, %s", s.Origin, s.Where)
	}
}

func TestFile(t *testing.T) {
	const file = `{"servers": {
		"b": {"url": "https://${HOST}/mcp", "headers": {"authorization": "Bearer ${TOKEN:-none}"}, "timeout": "90s"},
		"a": {"command": "run", "args": ["$$HOME", "${EMPTY:-full}", "a$b"], "cwd": "/srv", "env": {"K": "${EMPTY}"}, "isolation": "session"},
		"c": {"transport": "http", "url": "http://c"}},
		"groups": {"empty": []}}`
	c, err := ParseConfig("config.json", []byte("\ufeff"+file), variables("HOST=example.com", "EMPTY="))
	if err != nil {
		t.Fatal(err)
	}
	check(t, "servers", printServers(c.Servers), `
b streamable-http https://example.com/mcp map[] map[Authorization:Bearer none]  1m30s
a stdio ["run" "$HOME" "full" "a$b"] map[K:] map[] in /srv session 0s
c streamable-http http://c`)
	if c.Hub != (HubConfig{}) {
		t.Errorf("the hub is %+v, want nothing set", c.Hub)
	}
	if c.Servers[0].Spec.Timeout != 90*time.Second {
		t.Errorf("timeout %v", c.Servers[0].Spec.Timeout)
	}
}

// server puts fields into the declaration of x; hub into the hub's object.
func server(fields string) string { return `{"servers": {"x": {` + fields + `}}}` }
func hub(fields string) string    { return `{"hub": {` + fields + `}}` }

func TestFileErrors(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{``, `c.json:1:1: unexpected end of JSON input`},
		{"{\n \"servers\": {},\n}", `c.json:3:1: a comma stands before '}'; remove it`},
		{"{\"ä\" 1}", `c.json:1:6: invalid character '1' after object key`},
		{`{} {}`, `c.json:1:4: invalid character '{' after top-level value`},
		{"{\"a\": \"\xff\"}", `c.json: not UTF-8 text; save it as UTF-8`},
		{`[]`, `c.json: is a list; want an object`},
		{`{"mcpServers": {}}`, `c.json: mcpServers: unknown key; did you mean "servers"?`},
		{`{"colour": {}}`, `c.json: colour: unknown key; known are groups, hub, servers`},
		{`{"hub": {}, "hub": {}}`, `c.json: hub: the key is repeated; keep one`},

		{`{"servers": {"a__b": {"url": "http://a"}}}`, `c.json: servers.a__b: the id "a__b" contains "__", which separates ids from tool names; use one _ or a -`},
		{`{"servers": {"a.b": {"url": "http://a"}}}`, `c.json: servers["a.b"]: "a.b" is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends`},
		{`{"servers": {"a": {"url": "http://a"}, "A": {"url": "http://a"}}}`, `c.json: servers.A: differs from "a" by case alone; rename one`},
		{`{"servers": {"a": {"url": "http://a"}, "a": {"url": "http://b"}}}`, `c.json: servers.a: the key is repeated; keep one`},
		{`{"servers": {"a": null}}`, "c.json: servers.a: is null; want an object"},

		{server(``), `c.json: servers.x: has neither a command nor a url; add one of them`},
		{server(`"comand": "npx"`), `c.json: servers.x.comand: unknown key; did you mean "command"?`},
		{server(`"command": "a", "url": "http://a"`), `c.json: servers.x: has a command and a url; keep one of them`},
		{server(`"command": 1`), `c.json: servers.x.command: is a number; want a string`},
		{server(`"command": ""`), `c.json: servers.x.command: is empty; give it a value or leave it out`},
		{server(`"command": "a\u0000"`), `c.json: servers.x.command: contains a NUL byte`},
		{server(`"args": ["a"]`), `c.json: servers.x.args: goes with a command; add one`},
		{server(`"command": "a", "args": "b"`), `c.json: servers.x.args: is a string; want a list`},
		{server(`"command": "a", "args": ["b", true]`), `c.json: servers.x.args[1]: is true or false; want a string`},
		{server(`"command": "a", "args": ["b\u0000"]`), `c.json: servers.x.args[0]: contains a NUL byte`},
		{server(`"transport": "smtp", "url": "http://a"`), `c.json: servers.x.transport: "smtp" is no transport; take stdio, streamable-http or sse`},
		{server(`"transport": "stdio", "url": "http://a"`), `c.json: servers.x.transport: stdio goes with a command, not with a url`},
		{server(`"transport": "sse", "command": "a"`), `c.json: servers.x.transport: sse goes with a url, not with a command`},
		{server(`"url": "http://a", "env": {"A": "b"}`), `c.json: servers.x.env: goes with a command, not with a url`},
		{server(`"url": "http://a", "cwd": "/"`), `c.json: servers.x.cwd: goes with a command, not with a url`},
		{server(`"command": "a", "headers": {"A": "b"}`), `c.json: servers.x.headers: goes with a url, not with a command`},
		{server(`"url": ""`), `c.json: servers.x.url: is empty`},
		{server(`"url": "localhost:80/mcp"`), `c.json: servers.x.url: "localhost:80/mcp" is no http or https URL with a host; write e.g. http://localhost:3001/mcp`},
		{server(`"url": "ftp://me:secret@a?key=secret"`), `c.json: servers.x.url: "…@a" is no http or https URL with a host; write e.g. http://localhost:3001/mcp`},
		{server(`"url": "http://a:b?key=secret"`), `c.json: servers.x.url: "http://a:b" is no URL; write e.g. http://localhost:3001/mcp`},
		{server(`"url": "http://a/b c"`), `c.json: servers.x.url: "http://a/b c" contains a space; write %20`},
		{server(`"url": "http://${HOST}"`), `c.json: servers.x.url: ${HOST} is not set in the environment; set it or write ${HOST:-default}`},
		{server(`"url": "http://${HOST"`), `c.json: servers.x.url: a ${ has no }; write $$ for a plain $`},
		{server(`"url": "http://${a-b}"`), `c.json: servers.x.url: ${a-b} names no variable; write ${NAME} or ${NAME:-default}, and $$ for a plain $`},
		{server(`"url": "http://a", "headers": {"A B": "secret"}`), `c.json: servers.x.headers["A B"]: "A B" is no name of a header`},
		{server(`"url": "http://a", "headers": {"": "secret"}`), `c.json: servers.x.headers[""]: a header needs a name`},
		{server(`"url": "http://a", "headers": {"A": "secret\n"}`), `c.json: servers.x.headers.A: the value contains a line break or another control character, which no header can carry`},
		{server(`"url": "http://a", "headers": {"X-A": "b", "x-a": "c"}`), `c.json: servers.x.headers.x-a: the header is repeated in another case; keep one`},
		{server(`"command": "a", "env": {"A=B": "secret"}`), `c.json: servers.x.env.A=B: "A=B" is no name of a variable`},
		{server(`"command": "a", "env": {"A": "secret\u0000"}`), `c.json: servers.x.env.A: contains a NUL byte`},
		{server(`"command": "a", "env": {"A": 1}`), `c.json: servers.x.env.A: is a number; want a string`},
		{server(`"url": "http://a", "isolation": "none"`), `c.json: servers.x.isolation: "none" is no isolation; take session or shared`},
		{server(`"url": "http://a", "timeout": "30"`), `c.json: servers.x.timeout: "30" has no unit; add a unit, e.g. 30s`},
		{server(`"url": "http://a", "timeout": "soon"`), `c.json: servers.x.timeout: "soon" is no duration; write e.g. 30s or 1m30s`},
		{server(`"url": "http://a", "timeout": "-1s"`), `c.json: servers.x.timeout: "-1s" is not longer than nothing; write e.g. 30s`},

		{`{"groups": {"a b": []}}`, `c.json: groups["a b"]: "a b" is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends`},
		{`{"groups": {"a": [], "A": []}}`, `c.json: groups.A: differs from "a" by case alone; rename one`},
		{`{"groups": {"a": ["x", "y!"]}}`, `c.json: groups.a[1]: "y!" is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends`},

		{hub(`"port": 70700`), `c.json: hub.port: 70700 is out of range; want a whole number from 0 to 65535`},
		{hub(`"port": 1.5`), `c.json: hub.port: 1.5 is out of range; want a whole number from 0 to 65535`},
		{hub(`"port": "7070"`), `c.json: hub.port: is a string; want a number`},
		{hub(`"reconnect": {"initialDelay": 1}`), `c.json: hub.reconnect.initialDelay: unknown key; did you mean "initialDelayMs"?`},
		{hub(`"reconnect": {"maxDelayMs": 0}`), `c.json: hub.reconnect.maxDelayMs: 0 is out of range; want a whole number from 1 to 86400000`},
		{hub(`"auth": {"default": {"enabled": true}}`), `c.json: hub.auth.default: enabled without a token; add "token"`},
		{hub(`"auth": {"default": {"token": "secret"}}`), `c.json: hub.auth.default: has a token but does not say "enabled"; add "enabled": true`},
		{hub(`"auth": {"default": {"enabled": "yes"}}`), `c.json: hub.auth.default.enabled: is a string; want true or false`},
		{hub(`"auth": {"default": {"enabled": true, "token": ""}}`), `c.json: hub.auth.default.token: the token is empty`},
		{hub(`"auth": {"default": {"enabled": true, "token": "se cret"}}`), `c.json: hub.auth.default.token: the token contains a space, a line break or a character beyond ASCII, which no Authorization header can carry`},
		{hub(`"auth": {"endpoints": {"/mcpx": {"enabled": false}}}`), `c.json: hub.auth.endpoints./mcpx: no endpoint; known are /, /health, /mcp, /mcp/server, /mcp/server/ID, /mcp/group and /mcp/group/ID`},
		{hub(`"auth": {"endpoints": {"/mcp/server/a!": {"enabled": false}}}`), `c.json: hub.auth.endpoints./mcp/server/a!: "a!" is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends`},
		{hub(`"auth": {"endpoints": {"/mcp": {"enabled": false}, "/mcp/": {"enabled": false}}}`), `c.json: hub.auth.endpoints./mcp/: there is a rule for /mcp already; keep one`},

		{`{"servers": {"x": {"comand": "npx"}, "y": {"url": "no"}}, "hub": {"prot": 1}}`, `
c.json: servers.x.comand: unknown key; did you mean "command"?
c.json: servers.y.url: "no" is no http or https URL with a host; write e.g. http://localhost:3001/mcp
c.json: hub.prot: unknown key; did you mean "port"?`},
	} {
		c, err := ParseConfig("c.json", []byte(test.file), variables())
		if err == nil {
			t.Errorf("%s\nwas accepted: %+v", test.file, c)
			continue
		}
		check(t, test.file, err.Error(), test.want)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s\nshows a secret: %v", test.file, err)
		}
	}
}

func TestAuthRule(t *testing.T) {
	auth, err := ParseAuth("auth", []byte(`{"default": {"enabled": true, "token": "default"}, "endpoints": {
		"/mcp/": {"enabled": true, "token": "mcp"}, "/mcp/server/a": {"enabled": false, "token": "a"}, "/health": {"enabled": false}}}`), variables())
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/": "default", "": "default", "/mcpx": "default", "/health": "", "/health/": "", "/mcp": "mcp", "/mcp/": "mcp",
		"/mcp/server/b": "mcp", "/mcp/server/a": "a", "/mcp/server/a/": "a", "/mcp/server/ab": "mcp", "/mcp/server": "mcp",
	} {
		if got := auth.Rule(path).Token; got != want {
			t.Errorf("the rule of %q has the token %q, want %q", path, got, want)
		}
	}
	auth.Endpoints["/"] = AuthRule{Token: "root"}
	if got := auth.Rule("/mcpx").Token; got != "root" {
		t.Errorf("the rule of /mcpx is %q, want that of /", got)
	}
}
