package integration

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	docker "github.com/moby/moby/client"
)

// composeLimit is what Compose has for one thing, such as to build the hub's image.
const composeLimit = 10 * time.Minute

// project is a Compose project of a file of the repository. Edits, in a file of its own, say what is of this test alone:
// images, free ports, labels, and that the hub sees no other project.
type project struct {
	*lab
	command []string // Compose, the project's name and files
	env     []string
	edits   string // the path of the file
	file    edited
}

// edited is a Compose file. It is written as JSON, which is YAML too.
type edited struct {
	Services map[string]service `json:"services"`
	Networks map[string]any     `json:"networks"`
	Volumes  map[string]any     `json:"volumes,omitempty"`
}

type service struct {
	Image       string            `json:"image"`
	Build       map[string]any    `json:"build,omitempty"`
	Labels      map[string]string `json:"labels"`
	Environment map[string]string `json:"environment,omitempty"`
	Networks    []string          `json:"networks,omitempty"`
}

// newProject makes a project of a lab, of whose networks some are edited, too.
func newProject(l *lab, file string, networks map[string]any) *project {
	l.t.Helper()
	command := needCompose(l.t)
	socket := l.socketPath()
	group, err := fileGroup(socket)
	l.must(err)
	dir := l.t.TempDir()
	p := &project{lab: l, edits: filepath.Join(dir, "edits.json"), env: append(os.Environ(), "DOCKER_SOCKET="+socket, "DOCKER_GID="+group)}
	name := l.name + strings.ToLower(filepath.Base(dir)) // one lab may have several
	p.command = append(command, "--project-name", name, "--file", file, "--file", p.edits)
	p.file = edited{Services: map[string]service{}, Networks: networks}
	return p
}

// needCompose returns the command line of Docker Compose: that of the peers, or the plugin of Docker's client.
func needCompose(t testing.TB) []string {
	t.Helper()
	dir, err := peersDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{filepath.Join(dir, "bin", "docker-compose")}, {"docker", "compose"}} {
		if exec.Command(command[0], append(command[1:], "version")...).Run() == nil {
			return command
		}
	}
	engineMissing(t, "no Docker Compose; .ci/peers builds it")
	return nil
}

// ownNetwork edits a network whose name would be the same for all.
func (l *lab) ownNetwork() map[string]any {
	return map[string]any{"name": l.name + "-mcp", "labels": l.labels(nil)}
}

// edit adds to a service, or adds it.
func (p *project) edit(name string, s service) {
	p.t.Helper()
	s.Labels = p.lab.labels(s.Labels)
	if name == "mcphub" {
		s.Environment = map[string]string{"MCPHUB_DOCKER_FILTER": "label=" + labelOf + "=" + p.name}
	}
	p.file.Services[name] = s
	text, err := json.Marshal(p.file)
	p.must(err)
	// The one thing that JSON cannot say: the ports are not more, but others.
	text = bytes.Replace(text, []byte(`"mcphub":{`), []byte(`"mcphub":{"ports": !override ["127.0.0.1::7070"],`), 1)
	p.must(os.WriteFile(p.edits, text, 0o600))
}

// build is how this machine builds without leaving anything behind.
func (p *project) build() map[string]any {
	return map[string]any{"network": "host", "args": map[string]any{"GOPROXY": *goProxy()}, "labels": p.lab.labels(nil)}
}

// compose runs a command of Compose, and returns what it prints.
func (p *project) compose(args ...string) string {
	p.t.Helper()
	command := append(p.command[:len(p.command):len(p.command)], args...)
	run := exec.CommandContext(p.t.Context(), command[0], command[1:]...)
	run.Env, run.WaitDelay = p.env, time.Second
	var output, said bytes.Buffer
	run.Stdout, run.Stderr = &output, &said
	limit := time.AfterFunc(composeLimit, func() { _ = run.Process.Kill() })
	defer limit.Stop()
	if err := run.Run(); err != nil {
		p.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, tail(&said))
	}
	return strings.TrimSpace(output.String())
}

func (p *project) hubURL() string { return "http://" + p.compose("port", "mcphub", "7070") }

// token is the one in the file that the examples name.
func (p *project) token() string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "mcphub-token.example"))
	p.must(err)
	return strings.TrimSpace(string(text))
}

// container returns the id of a service's container.
func (p *project) container(service string) string {
	return p.compose("ps", "--all", "--quiet", service)
}

func (p *project) inspect(id string) container.InspectResponse {
	p.t.Helper()
	found, err := p.engine.ContainerInspect(p.t.Context(), id, docker.ContainerInspectOptions{})
	p.must(err)
	return found.Container
}

// health returns what the hub tells those who have its token; nothing while it does not listen.
func (p *project) health(url, token string) (report healthReport) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, url+"/health", nil)
	p.must(err)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return report
	}
	defer response.Body.Close()
	p.must(json.NewDecoder(response.Body).Decode(&report))
	return report
}
