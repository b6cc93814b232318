package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestHealthAddress(t *testing.T) {
	inDirectory(t, map[string]string{
		"good.json":   `{"hub": {"port": 1111}}`,
		"wrong.json":  `{"hub": {"port": 1111}, "servers": {"a": {"url": 7}}, "sevrers": {}}`,
		"broken.json": `{"hub": {"port": 1111`,
		"word.json":   `{"hub": {"port": "many"}}`,
	})
	for _, test := range []struct {
		args, environ, want string
	}{
		{"", "", "127.0.0.1:7070"},
		{"", "MCPHUB_PORT=2222", "127.0.0.1:2222"},
		{"", "MCPHUB_PORT=2222 MCPHUB_UNKNOWN=x", "127.0.0.1:2222"},
		{"", "MCPHUB_PORT=tcp://10.0.0.1:80", "127.0.0.1:7070"},
		{"", "MCPHUB_HOST=0.0.0.0", "localhost:7070"},
		{"", "MCPHUB_HOST=[::]", "localhost:7070"},
		{"", "MCPHUB_HOST=::1", "[::1]:7070"},
		{"", "MCPHUB_HOST=172.17.0.2", "172.17.0.2:7070"},
		{"", "MCPHUB_HOST=a:80", `err: MCPHUB_HOST: "a:80" has a port; set it by MCPHUB_PORT`},
		{"--port 3333", "MCPHUB_PORT=2222", "127.0.0.1:3333"},
		{"--demo --config good.json", "", "127.0.0.1:1111"},
		{"", "MCPHUB_CONFIG=good.json", "127.0.0.1:1111"},
		{"", "MCPHUB_CONFIG=good.json MCPHUB_PORT=2222", "127.0.0.1:2222"},
		{"", "MCPHUB_CONFIG=wrong.json", "127.0.0.1:1111"},
		{"", "MCPHUB_CONFIG=broken.json", "127.0.0.1:7070"},
		{"", "MCPHUB_CONFIG=word.json", "127.0.0.1:7070"},
		{"", "MCPHUB_CONFIG=none.json", "127.0.0.1:7070"},
		{"--port x", "", `err: --port: "x" is no whole number from 0`},
		{"", "MCPHUB_PORT=0", "err: the hub takes any free port; give it one by --port or MCPHUB_PORT"},
		{"bridge -- x --port 80", "", "localhost:8931"},
		{"bridge --listen 127.0.0.1:81 -- x", "MCPHUB_PORT=82", "127.0.0.1:81"},
		{"bridge -- x", "MCPHUB_PORT=82", "localhost:82"},
		{"--prt 1", "", "err: flag provided but not defined: -prt"},
	} {
		got, err := healthAddress(strings.Fields(test.args), strings.Fields(test.environ), io.Discard)
		if err != nil {
			got = "err: " + err.Error()
		}
		if got != test.want {
			t.Errorf("%s with %q: got %s, want %s", test.args, test.environ, got, test.want)
		}
	}
}

func TestAskHealth(t *testing.T) {
	status, host := http.StatusOK, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host = r.Host
		w.WriteHeader(status)
	}))
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	if err := askHealth(t.Context(), server.URL); err != nil || host != "localhost" {
		t.Errorf("got %v of a hub that works, asked as %q", err, host)
	}
	status = http.StatusServiceUnavailable
	if err := askHealth(t.Context(), server.URL); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v, want the status 503", err)
	}
	server.Close()
	if err := askHealth(t.Context(), server.URL); err == nil {
		t.Error("got no error where nobody listens")
	}
}

func TestArgumentsOfPID1(t *testing.T) {
	for line, want := range map[string]string{
		"/mcphub":                             "",
		"/mcphub --port 80":                   "--port 80",
		"/sbin/docker-init -- /mcphub --demo": "--demo",
		"/mcphub bridge -- x --port 80":       "bridge -- x --port 80",
		"/server --port 80":                   "",
	} {
		if got := afterProgram(strings.Fields(line), "/mcphub"); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}
