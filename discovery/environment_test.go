package discovery

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEnvironment(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("from-file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		environ []string
		want    string
	}{
		{nil, ``},
		{[]string{"MCPHUB_SERVERS=", "MCPHUB_GROUPS= ", "MCPHUB_SERVER_A_URL="}, ``},

		{[]string{`MCPHUB_SERVERS= {"b": {"url": "http://${HOST}"}, "a": {"command": "x"}}`, "HOST=h"}, `
b streamable-http http://h
a stdio ["x"]`},
		{[]string{"MCPHUB_SERVERS=gh=https://api.example.com/mcp/,files=stdio:npx -y @x/fs /data"}, `
gh streamable-http https://api.example.com/mcp/
files stdio ["npx" "-y" "@x/fs" "/data"]`},
		{[]string{"MCPHUB_SERVERS=\n  a = http://a \n\n;b=sse+https://b/sse;, c=stdio: run ;\n"}, `
a streamable-http http://a
b sse https://b/sse
c stdio ["run"]`},
		{[]string{"MCPHUB_SERVERS=a=http://a?q=1,2;x=3,b=stdio:run --list a,b --opt=x,y=z;w c,c=http://c"}, `
a streamable-http http://a?q=1,2;x=3
b stdio ["run" "--list" "a,b" "--opt=x,y=z;w" "c"]
c streamable-http http://c`},
		{[]string{"MCPHUB_SERVERS=a=stdio:sh -c 'x=1,y=http://z' \"p,q=http://r\" s\\,t=http://u,b=http://b"}, `
a stdio ["sh" "-c" "x=1,y=http://z" "p,q=http://r" "s,t=http://u"]
b streamable-http http://b`},
		{[]string{"MCPHUB_SERVERS=a=stdio:x '' \"a\\\"b\\c\" 'line\none' d\\ e,--f=http://g"}, `
a stdio ["x" "" "a\"b\\c" "line\none" "d e,--f=http://g"]`},

		{[]string{"MCPHUB_SERVER_MY_FS_COMMAND=run 'a b'", "MCPHUB_SERVER_MY_FS_ENV_API_URL=http://x", "MCPHUB_SERVER_MY_FS_ENV_EMPTY=",
			"MCPHUB_SERVER_MY_FS_CWD=/srv", "MCPHUB_SERVER_MY_FS_ISOLATION=session", "MCPHUB_SERVER_MY_FS_TIMEOUT=30s"}, `
my-fs stdio ["run" "a b"] map[API_URL:http://x EMPTY:] map[] in /srv session 30s`},
		{[]string{"MCPHUB_SERVER_GH_URL=http://gh", "MCPHUB_SERVER_GH_TRANSPORT=sse", "MCPHUB_SERVER_GH_TOKEN_FILE=" + secret,
			"MCPHUB_SERVER_GH_HEADER_X_ENV_NAME=y", "MCPHUB_SERVER_GH_GROUP=dev, ops"}, `
gh sse http://gh map[] map[Authorization:Bearer from-file X-Env-Name:y]
map[dev:[gh] ops:[gh]]`},
		// A variable of a server that is declared, else the URL of another.
		{[]string{"MCPHUB_SERVER_MY_ENV_API_URL=http://x"}, `my-env-api streamable-http http://x`},
		{[]string{"MCPHUB_SERVERS=My_Env-api=http://x,my=http://y", "MCPHUB_SERVER_MY_ENV_API_TOKEN=t", "MCPHUB_SERVER_MY_TOKEN=u"}, `
My_Env-api streamable-http http://x map[] map[Authorization:Bearer t]
my streamable-http http://y map[] map[Authorization:Bearer u]`},
		{[]string{"MCPHUB_SERVERS=a=stdio:x,a-env-b=stdio:y", "MCPHUB_SERVER_A_ENV_B_ENV_C=z"}, `
a stdio ["x"]
a-env-b stdio ["y"] map[C:z] map[]`},

		{[]string{"MCPHUB_GROUPS=dev=github, files;ops=k8s\nnone="}, "\nmap[dev:[github files] none:[] ops:[k8s]]"},
		{[]string{`MCPHUB_GROUPS={"dev": ["github"]}`, "MCPHUB_SERVERS=a=http://a", "MCPHUB_SERVER_A_GROUP=dev"}, `
a streamable-http http://a
map[dev:[github a]]`},
	} {
		list, err := ParseEnvironment(toMap(test.environ))
		if err != nil {
			t.Errorf("%q: %v", test.environ, err)
			continue
		}
		got := printServers(list.Servers)
		if len(list.Groups) > 0 {
			got += fmt.Sprint("\n", list.Groups)
		}
		check(t, fmt.Sprintf("%q", test.environ), got, test.want)
	}
}

func TestEnvironmentErrors(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "\n", "token": "x", "nul": "a\x00"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, test := range []struct {
		environ []string
		want    string
	}{
		{[]string{`MCPHUB_SERVERS={"a": {"comand": "x"}}`}, `MCPHUB_SERVERS: a.comand: unknown key; did you mean "command"?`},
		{[]string{`MCPHUB_SERVERS={"a": }`}, `MCPHUB_SERVERS:1:7: invalid character '}' looking for beginning of value`},
		{[]string{`MCPHUB_SERVERS=a=http://a`, `MCPHUB_SERVERS_FILE=token`}, `MCPHUB_SERVERS: set together with MCPHUB_SERVERS_FILE; keep one of them`},
		{[]string{`MCPHUB_SERVERS_FILE=absent`}, `MCPHUB_SERVERS_FILE: open absent: no such file or directory`},
		{[]string{`MCPHUB_SERVERS_FILE=empty`}, `MCPHUB_SERVERS_FILE: empty is empty`},
		{[]string{`MCPHUB_SERVERS_FILE=nul`}, `MCPHUB_SERVERS_FILE: nul contains a NUL byte`},
		{[]string{`MCPHUB_SERVERS_FILE=token`}, `MCPHUB_SERVERS_FILE: entry 1: no id=target; start it with an id, = and stdio:, http://, https://, sse+http:// or sse+https://`},
		{[]string{`MCPHUB_SERVERS=a=htp://secret`}, `MCPHUB_SERVERS: entry 1: a= is not followed by a known scheme; take stdio:, http://, https://, sse+http:// or sse+https://`},
		{[]string{"MCPHUB_SERVERS=a.b=http://a\nc=stdio:x\nd=secret"}, `
MCPHUB_SERVERS: entry 1: "a.b" is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends
MCPHUB_SERVERS: entry 3: d= is not followed by a known scheme; take stdio:, http://, https://, sse+http:// or sse+https://`},
		{[]string{"MCPHUB_SERVERS=a__b=http://a"}, `MCPHUB_SERVERS: a__b: the id "a__b" contains "__", which separates ids from tool names; use one _ or a -`},
		{[]string{"MCPHUB_SERVERS=a=http://a,a=http://b,A=http://c"}, `
MCPHUB_SERVERS: a: is declared twice; keep one
MCPHUB_SERVERS: A: differs from "a" by case alone; rename one`},
		{[]string{"MCPHUB_SERVERS=a=https://x,junk"}, `MCPHUB_SERVERS: a: the URL contains a ',' before its query; percent-encode it, or start the next entry with id= and a known scheme`},
		{[]string{"MCPHUB_SERVERS=a=https://me:secret@x y"}, `MCPHUB_SERVERS: a: "…@x y" contains a space; write %20`},
		{[]string{"MCPHUB_SERVERS=a=stdio:"}, `MCPHUB_SERVERS: a: names no program`},
		{[]string{"MCPHUB_SERVERS=a=stdio:''"}, `MCPHUB_SERVERS: a: is empty; give it a value or leave it out`},
		{[]string{"MCPHUB_SERVERS=a=stdio:x 'y\nb=http://b"}, `MCPHUB_SERVERS: a: a quote ' is not closed`},
		{[]string{`MCPHUB_SERVERS=a=stdio:x "y`}, `MCPHUB_SERVERS: a: a quote " is not closed`},
		{[]string{`MCPHUB_SERVERS=a=stdio:x \`}, `MCPHUB_SERVERS: a: the command ends in a \; write \\ for a plain one`},

		{[]string{"MCPHUB_GROUPS=dev"}, `MCPHUB_GROUPS: "dev" is no group; write e.g. dev=github,files;ops=k8s`},
		{[]string{"MCPHUB_GROUPS=a b=x"}, `MCPHUB_GROUPS: a b: "a b" is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends`},
		{[]string{"MCPHUB_GROUPS=a=x;a=y"}, `MCPHUB_GROUPS: a: is declared twice; keep one`},
		{[]string{"MCPHUB_GROUPS=a=x!"}, `MCPHUB_GROUPS: a: "x!" is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends`},

		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_COMMAND=x"}, `MCPHUB_SERVER_A_URL: a is declared by MCPHUB_SERVER_A_COMMAND already; keep one of them`},
		{[]string{"MCPHUB_SERVERS=a=http://a", "MCPHUB_SERVER_A_URL=http://b"}, `MCPHUB_SERVER_A_URL: a is declared by MCPHUB_SERVERS already; keep one of them`},
		{[]string{"MCPHUB_SERVER_A_URL=secret"}, `MCPHUB_SERVER_A_URL: "secret" is no http or https URL with a host; write e.g. http://localhost:3001/mcp`},
		{[]string{"MCPHUB_SERVER_A_COMMAND= "}, `MCPHUB_SERVER_A_COMMAND: names no program`},
		{[]string{"MCPHUB_SERVER_A_COMMAND=secret 'x"}, `MCPHUB_SERVER_A_COMMAND: a quote ' is not closed`},
		{[]string{"MCPHUB_SERVER_-_URL=http://a"}, `MCPHUB_SERVER_-_URL: unknown variable; did you mean MCPHUB_SERVER___URL?`},
		{[]string{"MCPHUB_SERVER_A_TOKEN=secret"}, `MCPHUB_SERVER_A_TOKEN: there is no server A; declare it by MCPHUB_SERVER_A_URL or MCPHUB_SERVER_A_COMMAND`},
		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_TOKN=secret"}, `MCPHUB_SERVER_A_TOKN: unknown variable; did you mean MCPHUB_SERVER_A_TOKEN?`},
		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_HEADR_X_Y=secret"}, `MCPHUB_SERVER_A_HEADR_X_Y: unknown variable; did you mean MCPHUB_SERVER_A_HEADER_X_Y?`},
		{[]string{"MCPHUB_SERVER_github_URL=http://a"}, `MCPHUB_SERVER_github_URL: unknown variable; did you mean MCPHUB_SERVER_GITHUB_URL?`},
		{[]string{"MCPHUB_SERVER_0=secret"}, `MCPHUB_SERVER_0: unknown variable; those of a server are MCPHUB_SERVER_<ID>_URL, _COMMAND, _TRANSPORT, _GROUP, _TIMEOUT, _ISOLATION, _TOKEN, _CWD, _HEADER_<NAME> and _ENV_<NAME>`},
		{[]string{"MCPHUB_SERVER_FILE=secret"}, `MCPHUB_SERVER_FILE: unknown variable; those of a server are MCPHUB_SERVER_<ID>_URL, _COMMAND, _TRANSPORT, _GROUP, _TIMEOUT, _ISOLATION, _TOKEN, _CWD, _HEADER_<NAME> and _ENV_<NAME>`},
		{[]string{"MCPHUB_SERVERS=a-b=http://a,a_b=http://a", "MCPHUB_SERVER_A_B_TOKEN=secret"}, `MCPHUB_SERVER_A_B_TOKEN: means both "a-b" and "a_b"; set it in MCPHUB_SERVERS`},
		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_TOKEN="}, `MCPHUB_SERVER_A_TOKEN: the token is empty`},
		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_HEADER_X="}, `MCPHUB_SERVER_A_HEADER_X: the value is empty`},
		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_TOKEN=x", "MCPHUB_SERVER_A_TOKEN_FILE=token"}, `MCPHUB_SERVER_A_TOKEN: set together with MCPHUB_SERVER_A_TOKEN_FILE; keep one of them`},
		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_TOKEN=secret x"}, `MCPHUB_SERVER_A_TOKEN: the token contains a space, a line break or a character beyond ASCII, which no Authorization header can carry`},
		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_TOKEN=secret", "MCPHUB_SERVER_A_HEADER_AUTHORIZATION=secret"}, `MCPHUB_SERVER_A_TOKEN: Authorization is set already; keep one`},
		{[]string{"MCPHUB_SERVER_A_COMMAND=x", "MCPHUB_SERVER_A_TOKEN=secret"}, `MCPHUB_SERVER_A_TOKEN: goes with a url, not with a command`},
		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_ENV_X=secret", "MCPHUB_SERVER_A_CWD=/", "MCPHUB_SERVER_A_TRANSPORT=stdio"}, `
MCPHUB_SERVER_A_TRANSPORT: stdio goes with a command, not with a url
MCPHUB_SERVER_A_ENV_X: goes with a command, not with a url
MCPHUB_SERVER_A_CWD: goes with a command, not with a url`},
		{[]string{"MCPHUB_SERVERS=a=http://a", "MCPHUB_SERVER_A_TRANSPORT=sse"}, `MCPHUB_SERVER_A_TRANSPORT: the server's transport is set already; keep one`},
		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_TIMEOUT=30"}, `MCPHUB_SERVER_A_TIMEOUT: "30" has no unit; add a unit, e.g. 30s`},
		{[]string{"MCPHUB_SERVER_A_URL=http://a", "MCPHUB_SERVER_A_GROUP=x y"}, `MCPHUB_SERVER_A_GROUP: "x y" is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends`},
		{[]string{"MCPHUB_SERVER_A_B__C_URL=http://a"}, ``},
	} {
		_, err := ParseEnvironment(toMap(test.environ))
		got := fmt.Sprint(err)
		if err == nil {
			got = ""
		}
		check(t, fmt.Sprintf("%q", test.environ), got, test.want)
		if strings.Contains(strings.ReplaceAll(got, `"secret" is no`, ""), "secret") {
			t.Errorf("%q shows a secret: %s", test.environ, got)
		}
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+-]+$`)

// formatCompact writes servers in the compact form, one in a line.
func formatCompact(servers []Server) string {
	var lines []string
	for _, s := range servers {
		switch s.Spec.Transport {
		case Stdio:
			words := slices.Clone(s.Spec.Command)
			for i, word := range words {
				if !plainWord.MatchString(word) {
					words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
				}
			}
			lines = append(lines, s.ID+"=stdio:"+strings.Join(words, " "))
		case SSE:
			lines = append(lines, s.ID+"=sse+"+s.Spec.URL)
		default:
			lines = append(lines, s.ID+"="+s.Spec.URL)
		}
	}
	return strings.Join(lines, "\n")
}

func FuzzCompactServers(f *testing.F) {
	for _, seed := range []string{
		"a=http://a,b=stdio:x --y a,b;c=sse+https://c?q=1,2", "a=stdio:sh -c 'x=1,y=http://z'", "a=stdio:x \"'\" \\\n y,\nb=http://b",
		"a=stdio:'',", "a=http://a;,;\n;b=stdio:b\\,c=http://d",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := &decoder{name: "fuzz"}
		servers := d.compact(s, Environment)
		if len(d.errs) > 0 {
			return
		}
		text := formatCompact(servers)
		again := &decoder{name: "fuzz"}
		same := slices.EqualFunc(servers, again.compact(text, Environment), func(a, b Server) bool {
			return a.ID == b.ID && a.Spec.Equal(b.Spec)
		})
		if !same || len(again.errs) > 0 {
			t.Errorf("%q reads as\n%s\nwhich reads differently (%v)", s, text, again.errs)
		}
	})
}
