package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// deadline is how long a test waits for what takes a moment. It is far beyond that: what
// is tested is that things happen, and in which order.
const deadline = 30 * time.Second

// lab is a place on a real engine, apart from other people's, and with labels of its own
// prefix. Everything in it carries its labels; containers have them from its image.
type lab struct {
	t      *testing.T
	name   string
	client *client.Client
	image  string
}

// newLab skips the test where there is no engine, unless MCPHUB_TEST_DOCKER=required,
// and where MCPHUB_TEST_DOCKER=off.
func newLab(t *testing.T) *lab {
	t.Helper()
	missing := t.Skipf
	switch os.Getenv("MCPHUB_TEST_DOCKER") {
	case "required":
		missing = t.Fatalf
	case "off":
		t.Skip("no real engines: MCPHUB_TEST_DOCKER=off")
	}
	if testing.Short() {
		t.Skip("no real engines in short tests")
	}
	c, err := client.New(client.FromEnv)
	if err != nil {
		missing("no Docker engine: %v", err)
	}
	if _, err := c.Ping(t.Context(), client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		missing("no Docker engine: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	l := &lab{t: t, name: fmt.Sprintf("mcphubtest%d", time.Now().UnixNano()), client: c}
	t.Cleanup(l.clear)
	l.build()
	return l
}

// labelOf names the lab that an object belongs to.
const labelOf = "mcphub-test"

// labels are those of the lab's objects: whose they are, and a label that
// MCPHUB_TEST_LABEL names, by which the gate removes what a test has left that had no
// end.
func (l *lab) labels() map[string]string {
	labels := map[string]string{labelOf: l.name}
	if name := os.Getenv("MCPHUB_TEST_LABEL"); name != "" {
		labels[name] = "true"
	}
	return labels
}

// clear removes what carries the lab's name.
func (l *lab) clear() {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	mine := client.Filters{}.Add("label", labelOf+"="+l.name)
	found, err := l.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: mine})
	if err != nil {
		l.t.Error(err)
	}
	for _, c := range found.Items {
		if _, err := l.client.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			l.t.Error(err)
		}
	}
	networks, err := l.client.NetworkList(ctx, client.NetworkListOptions{Filters: mine})
	if err != nil {
		l.t.Error(err)
	}
	for _, n := range networks.Items {
		if _, err := l.client.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{}); err != nil {
			l.t.Error(err)
		}
	}
	if l.image != "" {
		if _, err := l.client.ImageRemove(ctx, l.image, client.ImageRemoveOptions{Force: true}); err != nil {
			l.t.Error(err)
		}
	}
}

// build makes an image of the test server alone: nothing is pulled.
func (l *lab) build() {
	l.t.Helper()
	binary := filepath.Join(l.t.TempDir(), "server")
	command := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./testdata/server")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := command.CombinedOutput(); err != nil {
		l.t.Fatalf("%v: %s", err, out)
	}
	content, err := os.ReadFile(binary)
	l.must(err)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	l.must(w.WriteHeader(&tar.Header{Name: "server", Mode: 0o755, Size: int64(len(content))}))
	_, err = w.Write(content)
	l.must(err)
	l.must(w.Close())
	changes := []string{`ENTRYPOINT ["/server"]`, "EXPOSE 8080"}
	for name, value := range l.labels() {
		changes = append(changes, "LABEL "+name+"="+value)
	}
	source := client.ImageImportSource{Source: &archive, SourceName: "-"}
	result, err := l.client.ImageImport(l.t.Context(), source, l.name, client.ImageImportOptions{Changes: changes})
	l.must(err)
	_, err = io.Copy(io.Discard, result)
	l.must(err)
	l.must(result.Close())
	l.image = l.name + ":latest"
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// run starts a container. Its name has the lab's before it; labels are key=value, with
// the lab's name for the prefix where they begin with a dot.
func (l *lab) run(name string, edit func(*api.Config, *api.HostConfig), labels ...string) string {
	l.t.Helper()
	table := map[string]string{l.name + ".enable": "true", l.name + ".id": name}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		if strings.HasPrefix(key, ".") {
			key = l.name + key
		}
		table[key] = value
	}
	config, host := &api.Config{Image: l.image, Labels: table, Env: []string{"NAME=" + name}}, &api.HostConfig{}
	if edit != nil {
		edit(config, host)
	}
	created, err := l.client.ContainerCreate(l.t.Context(), client.ContainerCreateOptions{Config: config, HostConfig: host, Name: l.name + "-" + name})
	l.must(err)
	_, err = l.client.ContainerStart(l.t.Context(), created.ID, client.ContainerStartOptions{})
	l.must(err)
	return created.ID
}

func (l *lab) network(name string) string {
	l.t.Helper()
	created, err := l.client.NetworkCreate(l.t.Context(), l.name+"_"+name, client.NetworkCreateOptions{Labels: l.labels()})
	l.must(err)
	return created.ID
}

// onNetwork puts a container on a network of the lab.
func (l *lab) onNetwork(name string) func(*api.Config, *api.HostConfig) {
	return func(_ *api.Config, host *api.HostConfig) {
		host.NetworkMode = api.NetworkMode(l.name + "_" + name)
	}
}

func (l *lab) restart(id string) {
	l.t.Helper()
	_, err := l.client.ContainerRestart(l.t.Context(), id, client.ContainerRestartOptions{})
	l.must(err)
}
