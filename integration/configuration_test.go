package integration

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// TestConfigurationErrors starts the hub with much that is wrong in its file and its environment: it must say all of it at
// once, by its place, with the mend, and without a secret.
func TestConfigurationErrors(t *testing.T) {
	file := writeFile(t, "config.json", `{
		"servers": {
			"files": {"comand": "npx"},
			"both":  {"command": "npx", "url": "http://localhost:1/mcp"},
			"api":   {"url": "ftp://localhost/mcp", "headers": {"Authorization": "Bearer secret-in-file"}},
			"unset": {"command": "x", "env": {"KEY": "${INTEGRATION_UNSET}"}}
		},
		"groups": {"dev": ["nobody"]},
		"hub": {"port": 70700, "auth": {"default": {"enabled": true}, "endpoints": {"/mpc": {"enabled": true, "token": "secret-token"}}}}
	}`)
	stdout, stderr, status := runHub(t, []string{"--config", file},
		"MCPHUB_PROT=7070",
		"MCPHUB_LOG_LEVEL=loud",
		"MCPHUB_SESSION_KEY=c2VjcmV0LWtleQ==",
		"MCPHUB_AUTH_TOKEN=secret token",
		"MCPHUB_SERVERS=github=secret-scheme://secret-host",
		"MCPHUB_SERVER_NOBODY_TOKEN=secret-of-nobody",
	)
	if status != 2 {
		t.Errorf("exit status: got %d, want 2", status)
	}
	if stdout != "" {
		t.Errorf("standard output: got %q, want nothing", stdout)
	}
	for _, want := range []string{
		`servers.files.comand: unknown key; did you mean "command"?`, "servers.both", "servers.api.url", "INTEGRATION_UNSET",
		"hub.port", "hub.auth.default", "hub.auth.endpoints./mpc",
		"MCPHUB_PROT: unknown variable; did you mean MCPHUB_PORT?", "MCPHUB_LOG_LEVEL", `"loud"`, "MCPHUB_SESSION_KEY",
		"MCPHUB_AUTH_TOKEN", "MCPHUB_SERVERS", "github", "MCPHUB_SERVER_NOBODY_TOKEN",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("standard error: %q is not in it", want)
		}
	}
	if strings.Contains(stderr, "secret") || strings.Contains(stderr, "c2VjcmV0") {
		t.Error("standard error shows a secret")
	}
	if t.Failed() {
		t.Logf("standard error:\n%s", stderr)
	}
}

// Each kind of start that cannot succeed ends with its status and a word to the user.
func TestFailedStarts(t *testing.T) {
	busy := startHub(t, hubOptions{})
	_, port, _ := strings.Cut(strings.TrimPrefix(busy.URL, "http://"), ":")
	for _, test := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"no such file", []string{"--config", "/no/such/file"}, 2, "/no/such/file"},
		{"unknown flag", []string{"--prot", "1"}, 2, "prot"},
		{"port in use", []string{"--port", port}, 1, "--port"},
	} {
		_, stderr, status := runHub(t, test.args)
		if status != test.status || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: got status %d and %q, want %d and %q in it", test.name, status, stderr, test.status, test.want)
		}
	}
}

// runHub runs the hub's binary to its end.
func runHub(t *testing.T, args []string, env ...string) (stdout, stderr string, status int) {
	t.Helper()
	binary := mustHub(t)
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(append(cleanEnvironment(), "MCPHUB_DOCKER=off", watchRaces(t)), env...)
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
