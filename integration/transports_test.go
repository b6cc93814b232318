package integration

import (
	"net/http"
	"strings"
	"testing"
)

// TestConfigFileServesEveryTransport serves config.example.json, with real servers at its addresses, and lets the official
// SDK's client use all that they offer.
func TestConfigFileServesEveryTransport(t *testing.T) {
	f := startFleet(t)
	hub := startHub(t, hubOptions{Args: []string{"--config", f.config(t)}})
	waitServers(t, hub.URL, exampleToken, f)
	t.Run("served", func(t *testing.T) { f.checkServed(t, hub.URL, exampleToken) })
	t.Run("configured header", func(t *testing.T) { checkToken(t, hub.URL) })
	for _, e := range []struct {
		path, prefix string
		checks       []check
	}{
		{"/mcp", "remote-api__", everythingChecks},
		{"/mcp", "big__", f.bigChecks()},
		{"/mcp/group/dev-tools", "remote-api__", everythingChecks},
		{"/mcp/group/dev-tools", "big__", f.bigChecks()},
		{"/mcp/server/remote-api", "", everythingChecks},
		{"/mcp/server/big", "", f.bigChecks()},
	} {
		t.Run(strings.TrimPrefix(e.path, "/")+" "+e.prefix, func(t *testing.T) {
			guest := newGuest(t, hub.URL+e.path, exampleToken, e.prefix)
			for _, c := range e.checks {
				t.Run(c.name, func(t *testing.T) { c.run(t, guest) })
			}
		})
	}
	t.Run("one server as it is", func(t *testing.T) { checkMirrored(t, f.everything, hub.URL+"/mcp/server/remote-api") })
}

// waitServers returns when each server of the fleet is listed at /mcp: Python takes long to start.
func waitServers(t *testing.T, hub, token string, f *fleet) {
	t.Helper()
	c := open(t, hub+"/mcp", token)
	for _, p := range f.probes() {
		eventually(t, startLimit, p.server+" to be listed", func() bool {
			names, err := c.tools(t.Context())
			return err == nil && strings.Contains(strings.Join(names, " ")+" ", p.server+"__"+p.tool+" ")
		})
	}
}

// checkToken asks each endpoint under /mcp without the token and with a wrong one. /health wants none.
func checkToken(t *testing.T, hub string) {
	for _, path := range []string{"/mcp", "/mcp/group/dev-tools", "/mcp/server/legacy", "/mcp/server/nobody"} {
		for _, token := range []string{"", "wrong", exampleToken + "x"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, hub+path, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
			if err != nil {
				t.Fatal(err)
			}
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if challenge := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(challenge, "Bearer") {
				t.Errorf("%s with the token %q: got HTTP %d, WWW-Authenticate %q; want 401, Bearer", path, token, resp.StatusCode, challenge)
			}
		}
	}
	if !answers(hub + "/health") {
		t.Error("/health, which has no rule, wants a token")
	}
}

// TestEnvironmentServesEveryTransport declares the same servers without a file, in each of the ways that there are.
func TestEnvironmentServesEveryTransport(t *testing.T) {
	f := startFleet(t)
	for _, test := range []struct {
		name  string
		env   []string
		token string // of the hub
	}{
		{"JSON", f.asJSON(t), ""},
		{"compact", f.asLines(), exampleToken},
		{"a variable for each", f.asVariables(t), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := append(test.env, "MCPHUB_GROUPS=dev-tools="+strings.Join(groupMembers, ","))
			if test.token != "" {
				env = append(env, "MCPHUB_AUTH_TOKEN_FILE="+writeFile(t, "token", test.token+"\n"))
			}
			hub := startHub(t, hubOptions{Env: env})
			waitServers(t, hub.URL, test.token, f)
			f.checkServed(t, hub.URL, test.token)
			if want, got := "Bearer key-of-big", *f.big.authorization.Load(); got != want {
				t.Errorf("the server big got Authorization %q, want %q", got, want)
			}
			if log := hub.Output(); strings.Contains(log, "key-of-big") || strings.Contains(log, exampleToken) {
				t.Errorf("a secret is in the log:\n%s", log)
			}
		})
	}
}

func (f *fleet) asJSON(t *testing.T) []string {
	t.Helper()
	type object = map[string]any
	return []string{"KEY=key-of-big", "MCPHUB_SERVERS=" + quoted(t, object{
		"filesystem": object{"command": f.filesystem[0], "args": f.filesystem[1:]},
		"remote-api": object{"transport": "streamable-http", "url": f.everything},
		"legacy":     object{"transport": "sse", "url": f.legacy},
		"time":       object{"command": f.time},
		"fastmcp":    object{"url": f.fastmcp},
		"big":        object{"transport": "http", "url": f.big.URL, "headers": object{"Authorization": "Bearer ${KEY}"}},
	})}
}

func (f *fleet) asLines() []string {
	lines := []string{
		"filesystem=stdio:" + strings.Join(f.filesystem, " "),
		"remote-api=" + f.everything,
		"legacy=sse+" + f.legacy,
		"time=stdio:" + f.time,
		"fastmcp=" + f.fastmcp,
		"big=" + f.big.URL,
	}
	return []string{"MCPHUB_SERVERS=" + strings.Join(lines, "\n"), "MCPHUB_SERVER_BIG_HEADER_AUTHORIZATION=Bearer key-of-big"}
}

func (f *fleet) asVariables(t *testing.T) []string {
	t.Helper()
	return []string{
		"MCPHUB_SERVER_FILESYSTEM_COMMAND=" + strings.Join(f.filesystem, " "),
		"MCPHUB_SERVER_REMOTE_API_URL=" + f.everything,
		"MCPHUB_SERVER_LEGACY_URL=" + f.legacy,
		"MCPHUB_SERVER_LEGACY_TRANSPORT=sse",
		"MCPHUB_SERVER_TIME_COMMAND=" + f.time,
		"MCPHUB_SERVER_FASTMCP_URL=" + f.fastmcp,
		"MCPHUB_SERVER_BIG_URL=" + f.big.URL,
		"MCPHUB_SERVER_BIG_TOKEN_FILE=" + writeFile(t, "token", "key-of-big\n"),
	}
}
