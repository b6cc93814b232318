package docker

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		environ []string
		want    string
	}{
		{nil, "map[]"},
		{[]string{"MCPHUB_LABEL_SECRET_A=x", "MCPHUB_LABEL_SECRET_B_C_FILE=" + file, "OTHER=y"}, "map[A:{x []} B_C:{from file []}]"},
		{[]string{"MCPHUB_LABEL_SECRET_A=x", "MCPHUB_LABEL_SECRET_A_SERVERS=files, mail,"}, "map[A:{x [files mail]}]"},
		{[]string{"MCPHUB_LABEL_SECRET_A=s3", "MCPHUB_LABEL_SECRET_A_FILE=" + file}, "MCPHUB_LABEL_SECRET_A: set together with MCPHUB_LABEL_SECRET_A_FILE; keep one of them"},
		{[]string{"MCPHUB_LABEL_SECRET_A_SERVERS=files"}, "MCPHUB_LABEL_SECRET_A: the secret is empty; give it a value, or remove all variables MCPHUB_LABEL_SECRET_A*"},
		{[]string{"MCPHUB_LABEL_SECRET_A=s3", "MCPHUB_LABEL_SECRET_A_SERVERS=my files", "MCPHUB_LABEL_SECRET_b=s3"}, `MCPHUB_LABEL_SECRET_A_SERVERS: "my files" is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends
MCPHUB_LABEL_SECRET_b: "b" is no name of a secret; take upper case letters, digits and _`},
		{[]string{"MCPHUB_LABEL_SECRET_=s3"}, `MCPHUB_LABEL_SECRET_: "" is no name of a secret; take upper case letters, digits and _`},
	} {
		environ := map[string]string{}
		for _, entry := range test.environ {
			name, value, _ := strings.Cut(entry, "=")
			environ[name] = value
		}
		secrets, err := ParseSecrets(environ)
		got := fmt.Sprint(map[string]Secret(secrets))
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q: got\n%s\nwant\n%s", test.environ, got, test.want)
		}
	}
}

func TestManySecretsOfOneName(t *testing.T) {
	secrets := Secrets{"A": {Value: "x", Servers: []string{"files"}}}
	if got, err := secrets.expand("{secret:a}{secret: A }", "FILES"); err != nil || got != "xx" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := secrets.expand("{secret:a b}{secret:b}", "files"); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %q, %v, want two errors", got, err)
	}
}

// The container is known by the engine's own mounts where the host name says nothing.
func TestSelf(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	other := strings.Repeat("f", 64)
	const root = "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
	for _, test := range []struct {
		name     string
		said     string
		files    map[string]string
		hostname string
		want     self
	}{
		{"no container", "", map[string]string{"/proc/self/mountinfo": root}, "pc", self{}},
		{"nothing to read", "", nil, "pc", self{}},
		{"docker", "", map[string]string{"/proc/self/mountinfo": root + "90 80 8:1 /var/lib/docker/containers/" + id + "/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"}, "web", self{[]string{id}, true}},
		{"podman", "", map[string]string{"/proc/self/mountinfo": "90 80 0:25 /containers/overlay-containers/" + id + "/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw\n"}, "web", self{[]string{id}, true}},
		{"the engine's host", "", map[string]string{"/proc/self/mountinfo": root + "91 27 0:50 / /var/lib/docker/containers/" + other + "/mounts/shm rw - tmpfs shm rw\n"}, "pc", self{}},
		{"cgroup", "", map[string]string{"/proc/self/cgroup": "12:pids:/docker/" + id + "\n"}, "web", self{[]string{id}, true}},
		{"cgroup of systemd", "", map[string]string{"/proc/self/cgroup": "1:name=systemd:/system.slice/docker-" + id + ".scope\n"}, "web", self{[]string{id}, true}},
		{"host name", "", nil, id[:12], self{[]string{id[:12]}, true}},
		{"unknown", "", map[string]string{"/.dockerenv": ""}, "web", self{nil, true}},
		{"said", "hub", map[string]string{"/.dockerenv": ""}, id[:12], self{[]string{"hub"}, true}},
		{"said not to be", NotContained, map[string]string{"/.dockerenv": ""}, id[:12], self{}},
	} {
		read := func(path string) ([]byte, error) {
			if content, exists := test.files[path]; exists {
				return []byte(content), nil
			}
			return nil, fs.ErrNotExist
		}
		if got := findSelf(test.said, read, test.hostname); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
	all := []container{{id: other, name: "hub2"}, {id: id, name: "hub"}}
	for _, candidate := range []string{id, id[:12], "hub"} {
		if got := (self{candidates: []string{"x", candidate}}).among(all); got == nil || got.id != id {
			t.Errorf("%s: got %v", candidate, got)
		}
	}
	if got := (self{candidates: []string{"f", id[:6]}}).among(all); got != nil {
		t.Errorf("got %v by a few letters", got)
	}
}

func TestNewRefusesMistakes(t *testing.T) {
	t.Setenv("DOCKER_HOST", "ssh://me@engine")
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{}, "DOCKER_HOST: ssh:// needs a program that the hub does not have; take tcp:// with TLS (DOCKER_TLS_VERIFY, DOCKER_CERT_PATH), or a socket proxy"},
		{Options{Host: "ssh://x"}, "MCPHUB_DOCKER_HOST: ssh:// needs a program that the hub does not have; take tcp:// with TLS (DOCKER_TLS_VERIFY, DOCKER_CERT_PATH), or a socket proxy"},
		{Options{Host: "http://engine:2375"}, "MCPHUB_DOCKER_HOST: http:// is no way to an engine; write tcp://engine:2375"},
	} {
		if _, err := New(test.options); err == nil || err.Error() != test.want {
			t.Errorf("%+v: got %v, want %s", test.options, err, test.want)
		}
	}
	t.Setenv("DOCKER_HOST", "")
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{LabelPrefix: "mcp hub"}, `MCPHUB_DOCKER_LABEL_PREFIX: "mcp hub" is no prefix of labels; write e.g. mcphub or io.acme.mcphub`},
		{Options{Filter: "label"}, `MCPHUB_DOCKER_FILTER: "label" is no filter; write e.g. label=com.docker.compose.project=mcp`},
		{Options{Address: "publish"}, `MCPHUB_DOCKER_ADDRESS: "publish" is not known; did you mean published?`},
		{Options{Resync: -time.Second}, "MCPHUB_DOCKER_RESYNC: -1s is less than nothing"},
		{Options{HostAddress: "http://x"}, `MCPHUB_DOCKER_HOST_ADDRESS: "http://x" is no host; write e.g. host.docker.internal or 192.168.1.10, without scheme and port`},
		{Options{HostAddress: "x:80"}, `MCPHUB_DOCKER_HOST_ADDRESS: "x:80" is no host; write e.g. host.docker.internal or 192.168.1.10, without scheme and port`},
		{Options{HostAddress: "fe80::1", Instance: "a,b"}, `MCPHUB_INSTANCE: "a,b" is no name that a label can list; write it without commas and spaces`},
		{Options{Filter: "x", Linger: -1}, "MCPHUB_DOCKER_FILTER: \"x\" is no filter; write e.g. label=com.docker.compose.project=mcp\nMCPHUB_DOCKER_LINGER: -1ns is less than nothing"},
	} {
		if _, err := New(test.options); err == nil || err.Error() != test.want {
			t.Errorf("%+v: got %v, want %s", test.options, err, test.want)
		}
	}
	t.Setenv("DOCKER_HOST", "engine:2375")
	if _, err := New(Options{}); err == nil || !strings.HasPrefix(err.Error(), "DOCKER_HOST, DOCKER_CERT_PATH or DOCKER_API_VERSION: ") {
		t.Errorf("a host without a scheme: %v", err)
	}
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CERT_PATH", t.TempDir())
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "DOCKER_CERT_PATH") {
		t.Errorf("no certificates: %v", err)
	}
}

func TestFilter(t *testing.T) {
	filters, err := parseFilter("label=a=b label=c\n status=running")
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(filters)
	if want := `{"label":{"a=b":true,"c":true},"status":{"running":true}}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHealthOfAnyEngine(t *testing.T) {
	for _, test := range []struct{ health, status, want string }{
		{``, "Up 2 hours", ""},
		{``, "Up 2 hours (healthy)", "healthy"},
		{``, "Up 2 hours (unhealthy)", "unhealthy"},
		{``, "Up 2 seconds (health: starting)", "starting"},
		{`{"Status": "unhealthy", "FailingStreak": 3}`, "Up 2 hours", "unhealthy"},
		{`{"Status": "none"}`, "Up 2 hours (Paused)", ""},
		{`"healthy"`, "", "healthy"},
		{`null`, "Up (healthy)", "healthy"},
		{`7`, "Up 2 hours (Paused)", ""},
	} {
		raw := `{"Id": "x", "Status": ` + strconv.Quote(test.status)
		if test.health != "" {
			raw += `, "Health": ` + test.health
		}
		if c, err := decode([]byte(raw + "}")); err != nil || c.health != test.want {
			t.Errorf("%s: got %q, %v, want %q", raw, c.health, err, test.want)
		}
	}
}

// Many wrong labels are told of within bounds.
func TestManyMistakes(t *testing.T) {
	c := container{id: "x", name: "box", state: running, labels: map[string]string{}}
	for i := range 100 {
		c.labels[fmt.Sprintf("mcphub.x%d%s", i, strings.Repeat("y", 10*i))] = ""
		c.labels[fmt.Sprintf("mcphub.server.s%d.port", i)] = "80"
	}
	o := Options{}.withDefaults()
	readings := read(c, &o)
	last := readings[len(readings)-1]
	if len(readings) != maxServers+1 || len(last.errs) != 1 || last.errs[0] != "mcphub.server.*: the container declares 100 servers; 64 is the most" {
		t.Errorf("%d servers, the last says %q", len(readings), last.errs)
	}
	if n := len(readings[0].warnings); n != maxRemarks+1 || readings[0].warnings[n-1] != "and more" {
		t.Errorf("%d warnings", n)
	}
}

// Every field has its parser or its place, and every parser its field.
func TestFieldsAreComplete(t *testing.T) {
	elsewhere := []string{"enable", "id", "group", "instance"}
	want := slices.Sorted(slices.Values(plainFields))
	got := slices.Sorted(slices.Values(slices.AppendSeq(elsewhere, maps.Keys(parsers))))
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
