package integration

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	apinetwork "github.com/moby/moby/api/types/network"
	docker "github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
)

// spec says how a container is started. The zero value is the tests' own server on the engine's default network, without
// labels.
type spec struct {
	Image    string                          // the tests' own server if empty
	Name     string                          // the lab's is put before it; random if empty
	FullName string                          // instead of that
	Labels   []string                        // key=value; a key that begins with a dot is one of the hub's
	Env, Cmd []string                        // NAME=value; arguments
	Expose   []string                        // ports that the engine lists; 8080/tcp if nil
	Publish  []string                        // ports that are published at random ports of the engine's host, beside those
	Networks []*testcontainers.DockerNetwork // the engine's default if empty
	Address  netip.Addr                      // in the first of them; any if not valid
	Edit     func(*container.Config, *container.HostConfig)
}

// box is a container of a lab.
type box struct {
	lab  *lab
	id   string
	name string
	testcontainers.Container
}

// ownServer is the tests' own server with labels that declare it by the id, and more. Its requests say whom they are for.
func ownServer(id string, labels ...string) spec {
	labels = append([]string{".id=" + id, ".header.X-For=" + id}, labels...)
	return spec{Name: id, Env: []string{"NAME=" + id}, Labels: labels}
}

// on puts a container on networks in place of the engine's default.
func (s spec) on(networks ...*testcontainers.DockerNetwork) spec {
	s.Networks = networks
	return s
}

// serve starts the tests' own server on the engine's default network.
func (l *lab) serve(id string, labels ...string) *box {
	l.t.Helper()
	return l.run(ownServer(id, labels...))
}

// run creates a container and starts it.
func (l *lab) run(s spec) *box {
	l.t.Helper()
	b := l.create(s)
	l.must(b.Start(l.t.Context()))
	return b
}

func (l *lab) create(s spec) *box {
	l.t.Helper()
	if s.Image == "" {
		s.Image = l.image(serverImage)
	}
	request := testcontainers.ContainerRequest{
		Image: s.Image, Labels: l.labels(l.table(s.Labels)), Env: l.table(s.Env), Cmd: s.Cmd, ExposedPorts: s.Publish,
	}
	if request.Name = s.FullName; s.Name != "" {
		request.Name = l.name + "-" + s.Name
	}
	for _, n := range s.Networks {
		request.Networks = append(request.Networks, n.Name)
	}
	s.customize(&request)
	made, err := testcontainers.GenericContainer(l.t.Context(), testcontainers.GenericContainerRequest{ContainerRequest: request})
	l.must(err)
	b := &box{lab: l, id: made.GetContainerID(), name: request.Name, Container: made}
	l.t.Cleanup(b.tell)
	return b
}

// customize says what a request has no field for. testcontainers publishes what it exposes, which Compose does not, and it
// does so after it has called the modifiers, so the last word is a hook's.
func (s *spec) customize(request *testcontainers.ContainerRequest) {
	var config *container.Config
	var host *container.HostConfig
	request.ConfigModifier = func(c *container.Config) { config = c }
	request.HostConfigModifier = func(h *container.HostConfig) { host = h }
	last := func(context.Context, testcontainers.ContainerRequest) error {
		expose := s.Expose
		if expose == nil {
			expose = []string{"8080/tcp"}
		}
		for _, port := range expose {
			if config.ExposedPorts == nil {
				config.ExposedPorts = apinetwork.PortSet{}
			}
			parsed, err := apinetwork.ParsePort(port)
			if err != nil {
				return err
			}
			config.ExposedPorts[parsed] = struct{}{}
		}
		if s.Edit != nil {
			s.Edit(config, host)
		}
		return nil
	}
	request.EndpointSettingsModifier = func(all map[string]*apinetwork.EndpointSettings) {
		for _, endpoint := range all {
			if s.Address.IsValid() {
				endpoint.IPAMConfig = &apinetwork.EndpointIPAMConfig{IPv4Address: s.Address}
			}
		}
	}
	request.LifecycleHooks = []testcontainers.ContainerLifecycleHooks{{PreCreates: []testcontainers.ContainerRequestHook{last}}}
}

// table makes a map of key=value. A dot at the beginning stands for the hub's prefix of labels.
func (l *lab) table(pairs []string) map[string]string {
	all := map[string]string{}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(key, ".") {
			key = "mcphub" + key
		}
		all[key] = value
	}
	return all
}

// compose returns the labels that Compose gives a container of a service, which is not the lab's alone.
func compose(project, service, number string) []string {
	return []string{
		"com.docker.compose.project=" + project, "com.docker.compose.service=" + service,
		"com.docker.compose.container-number=" + number, "com.docker.compose.oneoff=False",
	}
}

// tell shows the end of the container's log in the log of a test that has failed.
func (b *box) tell() {
	if !b.lab.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), labLimit)
	defer cancel()
	logs, err := b.Container.Logs(ctx)
	if err != nil {
		return // it is not there any more
	}
	defer logs.Close()
	b.lab.t.Logf("log of %s:\n%s", b.name, tail(logs))
}

// stop asks the container to end.
func (b *box) stop() life {
	b.lab.t.Helper()
	began, limit := time.Now(), 5*time.Second
	b.lab.must(b.Container.Stop(b.lab.t.Context(), &limit))
	return life{began: began, died: b.died(began), ended: time.Now()}
}

func (b *box) start() {
	b.lab.t.Helper()
	b.lab.must(b.Container.Start(b.lab.t.Context()))
}

func (b *box) kill() {
	b.lab.t.Helper()
	_, err := b.lab.engine.ContainerKill(b.lab.t.Context(), b.id, docker.ContainerKillOptions{Signal: "KILL"})
	b.lab.must(err)
}

// restart asks the container to end and starts it again.
func (b *box) restart() life {
	b.lab.t.Helper()
	began := time.Now()
	_, err := b.lab.engine.ContainerRestart(b.lab.t.Context(), b.id, docker.ContainerRestartOptions{})
	b.lab.must(err)
	return life{began: began, died: b.died(began), ended: time.Now()}
}

// life says when something was done to a container that ended its process.
type life struct {
	began, died, ended time.Time
}

// died returns when the engine reported the end of the container's process, which has ended since a moment.
func (b *box) died(since time.Time) time.Time {
	b.lab.t.Helper()
	ctx, cancel := context.WithTimeout(b.lab.t.Context(), labLimit)
	defer cancel()
	stream := b.lab.engine.Events(ctx, docker.EventsListOptions{
		Since: strconv.FormatInt(since.Unix(), 10), Filters: docker.Filters{}.Add("container", b.id).Add("event", "die"),
	})
	for {
		select {
		case event := <-stream.Messages:
			if at := time.Unix(0, event.TimeNano); at.After(since) {
				return at
			}
		case err := <-stream.Err:
			b.lab.t.Fatalf("the end of %s is not among the engine's events: %v", b.name, err)
		}
	}
}

func (b *box) pause() {
	b.lab.t.Helper()
	_, err := b.lab.engine.ContainerPause(b.lab.t.Context(), b.id, docker.ContainerPauseOptions{})
	b.lab.must(err)
}

func (b *box) unpause() {
	b.lab.t.Helper()
	_, err := b.lab.engine.ContainerUnpause(b.lab.t.Context(), b.id, docker.ContainerUnpauseOptions{})
	b.lab.must(err)
}

// rename gives the container another name, before which the lab's is put.
func (b *box) rename(name string) {
	b.lab.t.Helper()
	b.name = b.lab.name + "-" + name
	_, err := b.lab.engine.ContainerRename(b.lab.t.Context(), b.id, docker.ContainerRenameOptions{NewName: b.name})
	b.lab.must(err)
}

// remove ends the container at once and removes it, as docker rm -f does.
func (b *box) remove() {
	b.lab.t.Helper()
	_, err := b.lab.engine.ContainerRemove(b.lab.t.Context(), b.id, docker.ContainerRemoveOptions{Force: true})
	b.lab.must(err)
}

// turn has the health check of the tests' own server say that it is good, or bad.
func (b *box) turn(health string) {
	b.lab.t.Helper()
	status, output, err := b.Exec(b.lab.t.Context(), []string{"/server", "health", health}, exec.Multiplexed())
	b.lab.must(err)
	if status != 0 {
		b.lab.t.Fatalf("health of %s: %s", b.name, tail(output))
	}
}
