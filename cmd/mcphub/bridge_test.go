package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcphub/discovery"
)

func TestBridgeSettings(t *testing.T) {
	for _, test := range []struct {
		args    string
		environ []string
		want    string // host, port, token, warnings; or err: and what is wrong
	}{
		{"-- run -x", nil, "0.0.0.0 8931  "},
		{"run --listen :1", nil, "0.0.0.0 8931  "},
		{"--listen :81 -- run", []string{"MCPHUB_PORT=82", "MCPHUB_HOST=127.0.0.1"}, "0.0.0.0 81  "},
		{"--listen [::1]:81 -- run", nil, "::1 81  "},
		{"-- run", []string{"MCPHUB_PORT=82", "MCPHUB_AUTH_TOKEN=secret", "A=1"}, "0.0.0.0 82 secret "},
		{"-- run", []string{"MCPHUB_SERVERS=broken", "MCPHUB_SERVER_A_URL=x", "MCPHUB_CONFIG=none", "MCPHUB_DOCKER=on", "MCPHUB_LABEL_SECRET_X=y", "MCPHUB_HOST=127.0.0.1"},
			"127.0.0.1 8931  MCPHUB_CONFIG MCPHUB_DOCKER MCPHUB_LABEL_SECRET_X MCPHUB_SERVERS MCPHUB_SERVER_A_URL"},
		{"", nil, "err: bridge: no command is given; write mcphub bridge -- COMMAND"},
		{"--", nil, "err: bridge: no command is given; write mcphub bridge -- COMMAND"},
		{"--listen 81 -- run", nil, `err: bridge: invalid value "81" for flag -listen: write it as :8931 or 127.0.0.1:8931`},
		{"--listen :65536 -- run", nil, `err: bridge: invalid value ":65536" for flag -listen: write it as :8931 or 127.0.0.1:8931`},
		{"--port 81 -- run", nil, "err: bridge: flag provided but not defined: -port"},
		{"-- run", []string{"MCPHUB_PROT=1", "MCPHUB_MAX_BODY=x"}, "err: MCPHUB_PROT: unknown variable; did you mean MCPHUB_PORT?\nMCPHUB_MAX_BODY: \"x\" is no size; write e.g. 16MiB or 1000000"},
	} {
		s, err := loadBridge(strings.Fields(test.args), test.environ, io.Discard)
		got := fmt.Sprintf("err: %v", err)
		if err == nil {
			var ignored []string
			for _, warning := range s.Warnings {
				if name, _, found := strings.Cut(warning, " is not for mcphub bridge"); found {
					ignored = append(ignored, name)
				}
			}
			got = fmt.Sprintln(s.Host, s.Port, s.Auth.Default.Token, strings.Join(ignored, " "))
		}
		if got = strings.TrimSuffix(got, "\n"); got != test.want {
			t.Errorf("%q %q: got\n%s\nwant\n%s", test.args, test.environ, got, test.want)
		}
	}
}

// The command has the environment that it would have without the bridge.
func TestBridgedServer(t *testing.T) {
	s, err := loadBridge([]string{"--", "/usr/bin/mcp-fetch", "--x"}, []string{"API_KEY=k", "PATH=/bin", "MCPHUB_LOG_LEVEL=debug", "DOCKER_HOST=d", "MCPHUB_AUTH_TOKEN=t"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	server := s.Servers.Servers[0]
	got := fmt.Sprintln(server.ID, s.Bridge, server.Spec.Command, server.Spec.Env, server.Spec.Isolation, s.followsDocker())
	if want := fmt.Sprintln("mcp-fetch", "mcp-fetch", "[/usr/bin/mcp-fetch --x]", "map[API_KEY:k PATH:/bin]", discovery.IsolationSession, false); got != want {
		t.Errorf("got %swant %s", got, want)
	}
	odd, err := loadBridge([]string{"--", "./a b"}, nil, io.Discard)
	if err != nil || odd.Bridge != "server" {
		t.Errorf("an odd name: got %q, %v", odd.Bridge, err)
	}
}

func TestBridgeWithoutItsCommand(t *testing.T) {
	s, err := loadBridge([]string{"--", "there-is-no-such-program"}, nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err = s.checkCommand(); status(err) != 127 || !strings.Contains(fmt.Sprint(err), "there-is-no-such-program") {
		t.Errorf("got %v, status %d", err, status(err))
	}
}

func TestBridgeHelp(t *testing.T) {
	var said bytes.Buffer
	if _, err := loadBridge([]string{"--help"}, nil, &said); err == nil || !strings.Contains(said.String(), "mcphub bridge [--listen :8931] -- COMMAND") {
		t.Errorf("got %v, %s", err, &said)
	}
}

func TestInstall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mcphub")
	for range 2 { // again, over the old one
		s, err := loadBridge([]string{"--install", path}, []string{"MCPHUB_PROT=x"}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := install(s.Install); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 || info.Size() == 0 {
		t.Errorf("got %v, %v", info, err)
	}
	if err := install("/nowhere/mcphub"); err == nil || !strings.Contains(err.Error(), "run it as user 0") {
		t.Errorf("nowhere: got %v", err)
	}
}
