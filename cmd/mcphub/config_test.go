package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcphub/discovery"
)

// inDirectory makes a directory with files the current one.
func inDirectory(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func load(t *testing.T, args []string, environ ...string) *settings {
	t.Helper()
	s, err := loadSettings(args, environ, io.Discard)
	if err != nil {
		t.Fatalf("%q %q: %v", args, environ, err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	s := load(t, nil, "PATH=/bin", "MCPHUB_PORT=", "MCPHUB_LOG_LEVEL=")
	got := fmt.Sprintln(s.Host, s.Port, s.MaxAttempts, s.InitialDelay, s.MaxDelay, s.SessionKeys, s.AllowedHosts, s.AllowedOrigins, s.MaxBody,
		s.ShutdownGrace, s.LogLevel.Level(), s.LogFormat, s.Docker, s.Auth.Default, s.File, s.Warnings)
	want := fmt.Sprintln("127.0.0.1", 7070, 3, "1s", "30s", "[]", "[]", "[]", 16<<20, "8s", "INFO", "auto", "auto", "{false }", "<nil>", "[]")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSettings(t *testing.T) {
	inDirectory(t, map[string]string{"keys": longKey + "\n"})
	s := load(t, nil, "MCPHUB_HOST=[::1]", "MCPHUB_MAX_BODY=1000000", "MCPHUB_LOG_LEVEL=debug", "MCPHUB_LOG_FORMAT=json", "MCPHUB_DOCKER=off",
		"MCPHUB_ALLOWED_HOSTS=Hub.example.com, b", "MCPHUB_ALLOWED_ORIGINS=https://app.example.com:8443", "MCPHUB_SHUTDOWN_GRACE=1m",
		"MCPHUB_SESSION_KEY_FILE=keys", "MCPHUB_RECONNECT_MAX_ATTEMPTS=0", "MCPHUB_SERVERS=a=http://a")
	got := fmt.Sprintln(s.Host, s.MaxBody, s.LogLevel.Level(), s.LogFormat, s.Docker, s.AllowedHosts, s.AllowedOrigins, s.ShutdownGrace, len(s.SessionKeys), s.MaxAttempts, len(s.Servers.Servers))
	want := fmt.Sprintln("::1", 1000000, "DEBUG", "json", "off", "[hub.example.com b]", "[https://app.example.com:8443]", "1m0s", 1, 0, 1)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPrecedence(t *testing.T) {
	inDirectory(t, map[string]string{
		"a.json": `{"hub": {"port": 1111, "reconnect": {"maxAttempts": 11, "initialDelayMs": 1500}}}`,
		"b.json": `{"hub": {"port": 2222}}`,
	})
	for _, test := range []struct {
		args    []string
		environ []string
		want    string
	}{
		{nil, nil, "7070 3 1s"},
		{nil, []string{"MCPHUB_CONFIG=a.json"}, "1111 11 1.5s"},
		{[]string{"--config", "b.json"}, []string{"MCPHUB_CONFIG=a.json"}, "2222 3 1s"},
		{nil, []string{"MCPHUB_CONFIG=a.json", "MCPHUB_PORT=3333", "MCPHUB_RECONNECT_MAX_ATTEMPTS=0"}, "3333 0 1.5s"},
		{nil, []string{"MCPHUB_CONFIG=a.json", "MCPHUB_PORT="}, "1111 11 1.5s"},
		{[]string{"--port", "4444", "--demo"}, []string{"MCPHUB_CONFIG=a.json", "MCPHUB_PORT=3333"}, "4444 11 1.5s"},
		{nil, []string{"MCPHUB_PORT=tcp://10.0.0.1:80", "MCPHUB_SERVICE_HOST=x", "MCPHUB_PORT_80_TCP_ADDR=x", "MCPHUB_SERVICE_PORT_HTTP=1"}, "7070 3 1s"},
	} {
		s := load(t, test.args, test.environ...)
		if got := fmt.Sprint(s.Port, s.MaxAttempts, " ", s.InitialDelay); got != test.want {
			t.Errorf("%q %q: got %s, want %s", test.args, test.environ, got, test.want)
		}
	}
}

func TestAuthSettings(t *testing.T) {
	inDirectory(t, map[string]string{
		"c.json": `{"hub": {"auth": {"default": {"enabled": true, "token": "file"}, "endpoints": {"/mcp": {"enabled": true, "token": "mcp"}}}}}`,
		"token":  "from-file\n",
	})
	for _, test := range []struct {
		environ []string
		want    string // the tokens of /health and /mcp
	}{
		{nil, " "},
		{[]string{"MCPHUB_CONFIG=c.json"}, "file mcp"},
		{[]string{"MCPHUB_CONFIG=c.json", "MCPHUB_AUTH_TOKEN=env"}, "env mcp"},
		{[]string{"MCPHUB_AUTH_TOKEN_FILE=token"}, "from-file from-file"},
		{[]string{"MCPHUB_CONFIG=c.json", `MCPHUB_AUTH={"endpoints": {"/health": {"enabled": true, "token": "${T}"}}}`, "T=health"}, "health "},
		{[]string{"MCPHUB_AUTH_TOKEN=env", `MCPHUB_AUTH={"endpoints": {"/mcp": {"enabled": false}}}`}, "env "},
	} {
		s := load(t, nil, test.environ...)
		if got := s.Auth.Rule("/health").Token + " " + s.Auth.Rule("/mcp").Token; got != test.want {
			t.Errorf("%q: got tokens %q, want %q", test.environ, got, test.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		environ []string
		want    string
	}{
		{[]string{"MCPHUB_HOST=localhost"}, ``},
		{[]string{"MCPHUB_HOST=0.0.0.0"}, `/mcp wants no token and is not on loopback alone: whoever reaches 0.0.0.0 can use it; set MCPHUB_AUTH_TOKEN`},
		{[]string{"MCPHUB_HOST=0.0.0.0", "MCPHUB_AUTH_TOKEN=x"}, ``},
		{[]string{`MCPHUB_AUTH={"endpoints": {"/mcp/server/x": {"enabled": true, "token": "t"}}}`},
			`/mcp/server/x wants a token, but /mcp shows the same servers to everybody; give /mcp a token too`},
		{[]string{`MCPHUB_AUTH={"endpoints": {"/mcp/server/x": {"enabled": true, "token": "t"}, "/mcp": {"enabled": true, "token": "u"}}}`}, ``},
		{[]string{"MCPHUB_DOCKER=on", "MCPHUB_GROUPS=dev=githup", "MCPHUB_SERVERS=github=http://a"}, ``},
	} {
		s := load(t, nil, test.environ...)
		if got := strings.Join(s.Warnings, "\n"); got != test.want {
			t.Errorf("%q:\n got %s\nwant %s", test.environ, got, test.want)
		}
	}
}

func TestEverythingIsReportedAtOnce(t *testing.T) {
	inDirectory(t, map[string]string{"empty": "", "config.json": `{
		"servers": {"x": {"comand": "npx"}, "y": {"url": "http://${HOST}"}},
		"hub": {"auth": {"endpoints": {"/mcp": {"enabled": true}}}}
	}`})
	_, err := loadSettings([]string{"--config", "config.json", "--port", "many"}, []string{
		"MCPHUB_PROT=7070", "MCPHUB_UNHEARD_OF=x", "MCPHUB_LOG_LEVEL=loud", "MCPHUB_SHUTDOWN_GRACE=8", "MCPHUB_RECONNECT_MAX_ATTEMPTS=-1",
		"MCPHUB_MAX_BODY=16Q", "MCPHUB_DOCKER=maybe", "MCPHUB_ALLOWED_ORIGINS=app.example.com", "MCPHUB_ALLOWED_HOSTS=http://a",
		"MCPHUB_HOST=0.0.0.0:80", "MCPHUB_SESSION_KEY=" + longKey + "," + shortKey, "MCPHUB_AUTH_TOKEN_FILE=empty",
		`MCPHUB_AUTH={"defualt": {}}`, "MCPHUB_SERVERS=a=htp://a", "MCPHUB_SERVER_A_TOKEN=secret", "MCPHUB_LOG_FORMAT=xml",
	}, io.Discard)
	if err == nil {
		t.Fatal("accepted")
	}
	const want = `mcphub: 20 configuration errors:
  MCPHUB_PROT: unknown variable; did you mean MCPHUB_PORT?
  MCPHUB_UNHEARD_OF: unknown variable; unset it
  MCPHUB_AUTH_TOKEN_FILE: empty is empty
  MCPHUB_SERVERS: entry 1: a= is not followed by a known scheme; take stdio:, http://, https://, sse+http:// or sse+https://
  MCPHUB_SERVER_A_TOKEN: there is no server A; declare it by MCPHUB_SERVER_A_URL or MCPHUB_SERVER_A_COMMAND
  config.json: servers.x.comand: unknown key; did you mean "command"?
  config.json: servers.y.url: ${HOST} is not set in the environment; set it or write ${HOST:-default}
  config.json: hub.auth.endpoints./mcp: enabled without a token; add "token"
  --port: "many" is no whole number from 0
  MCPHUB_RECONNECT_MAX_ATTEMPTS: "-1" is no whole number from 0
  MCPHUB_SESSION_KEY: key 2 has 16 bytes; it takes 32, as from: openssl rand -base64 32
  MCPHUB_ALLOWED_HOSTS: "http://a" is no host name; write it without scheme, port and path
  MCPHUB_ALLOWED_ORIGINS: "app.example.com" is no origin; write e.g. https://app.example.com
  MCPHUB_MAX_BODY: "16Q" is no size; write e.g. 16MiB or 1000000
  MCPHUB_SHUTDOWN_GRACE: "8" has no unit; add a unit, e.g. 8s
  MCPHUB_LOG_LEVEL: "loud" is none of debug, info, warn, error
  MCPHUB_LOG_FORMAT: "xml" is none of auto, text, json
  MCPHUB_DOCKER: "maybe" is none of auto, on, off
  MCPHUB_HOST: "0.0.0.0:80" has a port; set it by MCPHUB_PORT
  MCPHUB_AUTH: defualt: unknown key; did you mean "default"?
`
	if got := report(err); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSettingsErrors(t *testing.T) {
	inDirectory(t, map[string]string{
		"slow.json":   `{"hub": {"reconnect": {"initialDelayMs": 60000}}}`,
		"groups.json": `{"servers": {"github": {"url": "http://a"}}, "groups": {"dev": ["githup", "files"]}}`,
		"ours.json":   `{"groups": {"ours": ["a"]}}`,
		"token":       "x",
	})
	for _, test := range []struct {
		args    string
		environ []string
		want    string
	}{
		{"--prot 1", nil, `flag provided but not defined: -prot`},
		{"serve", nil, `unexpected argument "serve"; see mcphub --help`},
		{"--port 70000", nil, `--port: 70000 is no port; take 1 to 65535, or 0 for any free one`},
		{"--config absent", nil, `--config: open absent: no such file or directory`},
		{"", []string{"MCPHUB_CONFIG=absent"}, `MCPHUB_CONFIG: open absent: no such file or directory`},
		{"", []string{"MCPHUB_PORT=70000"}, `MCPHUB_PORT: 70000 is no port; take 1 to 65535, or 0 for any free one`},
		{"", []string{"MCPHUB_CONFIG=slow.json"}, `slow.json: hub.reconnect.initialDelayMs: the initial delay 1m0s is longer than the maximum 30s`},
		{"", []string{"MCPHUB_RECONNECT_INITIAL_DELAY=2m"}, `MCPHUB_RECONNECT_INITIAL_DELAY: the initial delay 2m0s is longer than the maximum 30s`},
		{"", []string{"MCPHUB_AUTH_TOKEN="}, `MCPHUB_AUTH_TOKEN: is empty; give it a value or unset it`},
		{"", []string{"MCPHUB_AUTH_TOKEN=se cret"}, `MCPHUB_AUTH_TOKEN: the token contains a space, a line break or a character beyond ASCII, which no Authorization header can carry`},
		{"", []string{"MCPHUB_AUTH_TOKEN=secret", "MCPHUB_AUTH_TOKEN_FILE=token"}, `MCPHUB_AUTH_TOKEN: set together with MCPHUB_AUTH_TOKEN_FILE; keep one of them`},
		{"", []string{"MCPHUB_AUTH_TOKEN_FILE=token", `MCPHUB_AUTH={"default": {"enabled": false}}`}, `MCPHUB_AUTH_TOKEN_FILE: set together with "default" in MCPHUB_AUTH; keep one of them`},
		{"", []string{"MCPHUB_SESSION_KEY=secret!"}, `MCPHUB_SESSION_KEY: key 1 is not base64; make one by: openssl rand -base64 32`},
		{"", []string{"MCPHUB_SESSION_KEY_FILE=token"}, `MCPHUB_SESSION_KEY_FILE: key 1 is not base64; make one by: openssl rand -base64 32`},
		{"", []string{"MCPHUB_HOST=http://x"}, `MCPHUB_HOST: "http://x" is no host; write e.g. 0.0.0.0`},
		// The group's server is there, and broken: that is one error.
		{"--config ours.json", []string{"MCPHUB_DOCKER=off", "MCPHUB_SERVERS=a=http://"}, `MCPHUB_SERVERS: a: "http://" is no http or https URL with a host; write e.g. http://localhost:3001/mcp`},
		{"--config groups.json", []string{"MCPHUB_DOCKER=off"}, `
group dev: there is no server "files"
group dev: there is no server "githup"; did you mean "github"?`},
	} {
		s, err := loadSettings(strings.Fields(test.args), test.environ, io.Discard)
		if err == nil {
			t.Errorf("%s %q: accepted: %+v", test.args, test.environ, s)
		} else if got := err.Error(); got != strings.TrimSpace(test.want) {
			t.Errorf("%s %q\n got %s\nwant %s", test.args, test.environ, got, test.want)
		} else if strings.Contains(got, "secret") {
			t.Errorf("%s %q shows a secret: %s", test.args, test.environ, got)
		}
	}
}

func TestFlags(t *testing.T) {
	broken := []string{"MCPHUB_PORT=x"}
	if s, err := loadSettings([]string{"--version"}, broken, io.Discard); err != nil || !s.Version {
		t.Errorf("--version: %v %v", s, err)
	}
	var usage strings.Builder
	if _, err := loadSettings([]string{"--help"}, broken, &usage); !errors.Is(err, flag.ErrHelp) || !strings.Contains(usage.String(), "-config file") {
		t.Errorf("--help: %v, %s", err, &usage)
	}
	if !load(t, []string{"--demo"}, "MCPHUB_DOCKER=off", "MCPHUB_GROUPS=all=demo").Demo {
		t.Error("--demo is not set")
	}
}

func TestReload(t *testing.T) {
	s := load(t, []string{"--demo"}, "MCPHUB_RECONNECT_MAX_ATTEMPTS=5", "MCPHUB_DOCKER=off", "MCPHUB_SERVERS=a=http://a", "MCPHUB_AUTH_TOKEN=t", "X=y")
	file, err := discovery.ParseConfig("c.json", []byte(`{"groups": {"g": ["a"]}, "hub": {"port": 1, "reconnect": {"maxAttempts": 9, "maxDelayMs": 2000},
		"auth": {"endpoints": {"/health": {"enabled": true, "token": "${X}"}}}}}`), s.Lookup)
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.reload(file)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(next.Port, next.MaxAttempts, next.MaxDelay, next.Auth.Rule("/mcp").Token, next.Auth.Rule("/health").Token, next.Demo, s.Port)
	if want := fmt.Sprintln(1, 5, "2s", "t", "y", true, 7070); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	file.Groups["g"] = []string{"b"}
	if _, err := next.reload(file); err == nil || err.Error() != `group g: there is no server "b"` {
		t.Errorf("a group with an unknown server: %v", err)
	}
}
