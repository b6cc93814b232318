package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
)

func TestDockerSettings(t *testing.T) {
	inDirectory(t, map[string]string{"secret": "s3cret\n"})
	defaults := load(t, nil, "MCPHUB_DOCKER=off").dockerOptions()
	got := fmt.Sprintf("%+v", defaults)
	want := "{Host: LabelPrefix:mcphub Filter: RequireEnable:false Network: Address:auto HostAddress: Self: Instance:default AllowURL:false Stdio:true " +
		"Secrets:map[] Resync:1m0s Debounce:250ms DebounceMax:2s Linger:10s Log:<nil>}"
	if got != want {
		t.Errorf("defaults:\n got %s\nwant %s", got, want)
	}
	got = fmt.Sprintf("%+v", load(t, nil, "MCPHUB_DOCKER=on", "MCPHUB_DOCKER_HOST=tcp://proxy:2375", "MCPHUB_DOCKER_LABEL_PREFIX=io.acme",
		"MCPHUB_DOCKER_FILTER=label=a label=b", "MCPHUB_DOCKER_REQUIRE_ENABLE=yes", "MCPHUB_DOCKER_NETWORK=mcp", "MCPHUB_DOCKER_ADDRESS=published",
		"MCPHUB_DOCKER_HOST_ADDRESS=10.0.0.1", "MCPHUB_DOCKER_SELF=hub", "MCPHUB_DOCKER_RESYNC=5m", "MCPHUB_DOCKER_DEBOUNCE=1s", "MCPHUB_DOCKER_DEBOUNCE_MAX=3s",
		"MCPHUB_DOCKER_LINGER=1m", "MCPHUB_DOCKER_ALLOW_URL=on", "MCPHUB_DOCKER_STDIO=off", "MCPHUB_INSTANCE=home",
		"MCPHUB_LABEL_SECRET_FILES_FILE=secret", "MCPHUB_LABEL_SECRET_FILES_SERVERS=files, notes").dockerOptions())
	want = "{Host:tcp://proxy:2375 LabelPrefix:io.acme Filter:label=a label=b RequireEnable:true Network:mcp Address:published HostAddress:10.0.0.1 Self:hub " +
		"Instance:home AllowURL:true Stdio:false Secrets:map[FILES:{Value:s3cret Servers:[files notes]}] Resync:5m0s Debounce:1s DebounceMax:3s Linger:1m0s Log:<nil>}"
	if got != want {
		t.Errorf("all set:\n got %s\nwant %s", got, want)
	}
}

func TestDockerErrorsAreReportedAtOnce(t *testing.T) {
	inDirectory(t, map[string]string{"empty": ""})
	_, err := loadSettings(nil, []string{"MCPHUB_DOCKER=off", // which makes them no less wrong
		"MCPHUB_DOCKER_ALLOW_EXEC=true", "MCPHUB_DOCKER_RESINC=5m", "MCPHUB_DOCKER_RESYNC=0s", "MCPHUB_DOCKER_STDIO=maybe", "MCPHUB_DOCKER_LINGER=10",
		"MCPHUB_DOCKER_FILTER=label", "MCPHUB_DOCKER_LABEL_PREFIX=.", "MCPHUB_DOCKER_ADDRESS=publish", "MCPHUB_DOCKER_HOST_ADDRESS=10.0.0.1:80",
		"MCPHUB_INSTANCE=home,work", "MCPHUB_LABEL_SECRET_FILES_FILE=empty", "MCPHUB_LABEL_SECRET_API_SERVERS=api",
		"MCPHUB_LABEL_SECRET_MAIL=s3cret", "MCPHUB_LABEL_SECRET_MAIL_SERVERS=my mail", "MCPHUB_LABEL_SECRET_both=s3cret"}, io.Discard)
	if err == nil {
		t.Fatal("accepted")
	}
	const want = `mcphub: 14 configuration errors:
  MCPHUB_DOCKER_ALLOW_EXEC: unknown variable; did you mean MCPHUB_DOCKER_ALLOW_URL?
  MCPHUB_DOCKER_RESINC: unknown variable; did you mean MCPHUB_DOCKER_RESYNC?
  MCPHUB_LABEL_SECRET_API: the secret is empty; give it a value, or remove all variables MCPHUB_LABEL_SECRET_API*
  MCPHUB_LABEL_SECRET_FILES_FILE: empty is empty
  MCPHUB_LABEL_SECRET_MAIL_SERVERS: "my mail" is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends
  MCPHUB_LABEL_SECRET_both: "both" is no name of a secret; take upper case letters, digits and _
  MCPHUB_DOCKER_RESYNC: "0s" is not longer than nothing; write e.g. 30s
  MCPHUB_DOCKER_LINGER: "10" has no unit; add a unit, e.g. 10s
  MCPHUB_DOCKER_STDIO: "maybe" is neither true nor false
  MCPHUB_DOCKER_LABEL_PREFIX: "." is no prefix of labels; write e.g. mcphub or io.acme.mcphub
  MCPHUB_DOCKER_FILTER: "label" is no filter; write e.g. label=com.docker.compose.project=mcp
  MCPHUB_DOCKER_ADDRESS: "publish" is not known; did you mean published?
  MCPHUB_DOCKER_HOST_ADDRESS: "10.0.0.1:80" is no host; write e.g. host.docker.internal or 192.168.1.10, without scheme and port
  MCPHUB_INSTANCE: "home,work" is no name that a label can list; write it without commas and spaces
`
	if got := report(err); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestWhetherDockerIsFollowed(t *testing.T) {
	const (
		refused = "ssh:// needs a program that the hub does not have; take tcp:// with TLS (DOCKER_TLS_VERIFY, DOCKER_CERT_PATH), or a socket proxy"
		off     = "; MCPHUB_DOCKER=off says that this is meant"
	)
	for _, test := range []struct {
		host    string // DOCKER_HOST
		environ string
		want    string // whether it is, and the warnings; or the error
	}{
		{"tcp://engine:2375", "", "true []"},
		{"tcp://engine:2375", "MCPHUB_DOCKER=off", "false []"},
		{"", "MCPHUB_DOCKER_HOST=tcp://engine:2375", "true []"},
		{"", "MCPHUB_DOCKER=on", "true []"},
		{"", "MCPHUB_DOCKER=off MCPHUB_DOCKER_HOST=tcp://engine:2375 DOCKER_CONTEXT=remote", "false []"},
		{"ssh://me@engine", "", "false [containers are not looked at: DOCKER_HOST: " + refused + off + "]"},
		{"ssh://me@engine", "MCPHUB_DOCKER=off", "false []"},
		{"ssh://me@engine", "MCPHUB_DOCKER=on", "DOCKER_HOST: " + refused},
		{"", "MCPHUB_DOCKER_HOST=ssh://me@engine", "MCPHUB_DOCKER_HOST: " + refused},
		{"", "MCPHUB_DOCKER=on DOCKER_CONTEXT=remote", "true [DOCKER_CONTEXT: the hub does not read contexts; set MCPHUB_DOCKER_HOST to the host that docker context inspect remote shows]"},
		{"", "MCPHUB_DOCKER=on DOCKER_CONTEXT=default", "true []"},
		{"tcp://engine:2375", "DOCKER_CONTEXT=remote", "true []"},
	} {
		t.Setenv("DOCKER_HOST", test.host)
		environ := append(strings.Fields(test.environ), "DOCKER_HOST="+test.host)
		s, err := loadSettings(nil, environ, io.Discard)
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(s.followsDocker(), " ", s.Warnings)
		}
		if got != test.want {
			t.Errorf("%q:\n got %s\nwant %s", environ, got, test.want)
		}
	}
}

// With nothing declared, the hub says what to do next.
func TestNextStep(t *testing.T) {
	t.Setenv("DOCKER_HOST", "")
	const nowhere = "no servers are declared yet: set MCPHUB_SERVERS='name=https://…/mcp', or give --config FILE, or try --demo, or give the hub Docker's socket or DOCKER_HOST, and containers labels"
	if got := (&app{settings: &settings{Docker: dockerAuto}}).nextStep(); got != nowhere {
		t.Errorf("no engine:\n got %s\nwant %s", got, nowhere)
	}
	for _, test := range []struct{ environ, want string }{
		{"MCPHUB_DOCKER=off", "no servers are declared yet: set MCPHUB_SERVERS='name=https://…/mcp', or give --config FILE, or try --demo"},
		{"MCPHUB_DOCKER=on MCPHUB_DOCKER_LABEL_PREFIX=acme", "serving the containers that have a label acme.enable=true, and acme.port=PORT unless the image exposes one port; for others, set MCPHUB_SERVERS='name=https://…/mcp', or give --config FILE, or try --demo"},
	} {
		a := &app{settings: load(t, nil, strings.Fields(test.environ)...), log: slog.New(slog.DiscardHandler)}
		if err := a.makeSources(); err != nil {
			t.Fatal(err)
		}
		if got := a.nextStep(); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.environ, got, test.want)
		}
	}
}

// Secrets of labels are not read again with the file: it may be gone by then.
func TestLabelSecretsOutliveReload(t *testing.T) {
	inDirectory(t, map[string]string{"secret": "s3cret"})
	s := load(t, nil, "MCPHUB_DOCKER=off", "MCPHUB_LABEL_SECRET_A_FILE=secret")
	if err := os.Remove("secret"); err != nil {
		t.Fatal(err)
	}
	next, err := s.reload(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := next.dockerOptions().Secrets["A"].Value; got != "s3cret" {
		t.Errorf("got %q", got)
	}
}
