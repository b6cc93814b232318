package integration

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	apinetwork "github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
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
	Publish  []string                        // ports that are published as well
	Networks []*testcontainers.DockerNetwork // the engine's default if empty
	Address  netip.Addr                      // in the first of them; any if not valid
	Edit     func(*container.Config, *container.HostConfig)
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
	l.customize(s, &request)
	made, err := testcontainers.GenericContainer(l.t.Context(), testcontainers.GenericContainerRequest{ContainerRequest: request})
	l.must(err)
	b := &box{lab: l, id: made.GetContainerID(), name: request.Name, Container: made}
	l.t.Cleanup(b.tell)
	return b
}

// customize says what a request has no field for. testcontainers publishes what it exposes, which Compose does not, and it
// does so after it has called the modifiers, so the last word is a hook's.
func (l *lab) customize(s spec, request *testcontainers.ContainerRequest) {
	var config *container.Config
	var host *container.HostConfig
	request.ConfigModifier = func(c *container.Config) { config = c }
	request.HostConfigModifier = func(h *container.HostConfig) { host, h.PortBindings = h, l.publish(s.Publish) }
	last := func(context.Context, testcontainers.ContainerRequest) error {
		s.expose(config)
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

// expose adds ports to those that the engine lists.
func (s *spec) expose(config *container.Config) {
	ports := s.Expose
	if ports == nil {
		ports = []string{"8080/tcp"}
	}
	if config.ExposedPorts == nil {
		config.ExposedPorts = apinetwork.PortSet{}
	}
	for _, port := range ports {
		config.ExposedPorts[apinetwork.MustParsePort(port)] = struct{}{}
	}
}

// publish binds ports to free ones of the engine's host. Those that the engine would take may be in use: by connections from
// there, as tests make many.
func (l *lab) publish(ports []string) apinetwork.PortMap {
	l.t.Helper()
	all := apinetwork.PortMap{}
	for _, port := range ports {
		all[apinetwork.MustParsePort(port)] = []apinetwork.PortBinding{{HostPort: strconv.Itoa(freePort(l.t))}}
	}
	return all
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
