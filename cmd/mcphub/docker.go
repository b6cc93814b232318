package main

import (
	"context"
	"errors"
	"fmt"

	"mcphub/discovery"
	"mcphub/discovery/docker"
	"mcphub/proxy"
	"mcphub/proxy/mcpclient"
)

// dockerMode says whether containers are looked at; auto: where there is an
// engine.
type dockerMode string

const (
	dockerAuto dockerMode = "auto"
	dockerOn   dockerMode = "on"
	dockerOff  dockerMode = "off"
)

// followsDocker reports whether servers come from the labels of containers too.
func (s *settings) followsDocker() bool {
	return s.Docker != dockerOff && (s.Docker != dockerAuto || s.inputs.engine)
}

func (s *settings) dockerOptions() docker.Options {
	return docker.Options{
		Host: s.DockerHost, LabelPrefix: s.DockerLabelPrefix, Filter: s.DockerFilter, RequireEnable: s.DockerRequireEnable,
		Network: s.DockerNetwork, Address: s.DockerAddress, HostAddress: s.DockerHostAddress, Self: s.DockerSelf,
		Instance: s.Instance, AllowURL: s.DockerAllowURL, Stdio: s.DockerStdio, Secrets: s.inputs.labelSecrets,
		Resync: s.DockerResync, Debounce: s.DockerDebounce, DebounceMax: s.DockerDebounceMax, Linger: s.DockerLinger,
	}
}

// checkDocker returns what is wrong with the settings of Docker, be it followed or
// not, and with Docker's own variables where it is.
func (s *settings) checkDocker() error {
	options := s.dockerOptions()
	err := options.Check()
	if err != nil || !s.followsDocker() {
		return err
	}
	if _, err = docker.New(options); err != nil && s.Docker == dockerAuto && s.DockerHost == "" {
		// Nobody has asked the hub for Docker: its variables are there for other programs.
		s.Docker = dockerOff
		s.Warnings = append(s.Warnings, fmt.Sprintf("containers are not looked at: %v; MCPHUB_DOCKER=off says that this is meant", err))
		return nil
	}
	return err
}

// warnOfContext notes a setting of Docker's own programs that the hub cannot follow.
func (s *settings) warnOfContext() {
	context, host := s.inputs.environ["DOCKER_CONTEXT"], s.inputs.environ["DOCKER_HOST"]
	if s.Docker != dockerOff && context != "" && context != "default" && host == "" && s.DockerHost == "" {
		s.Warnings = append(s.Warnings, fmt.Sprintf("DOCKER_CONTEXT: the hub does not read contexts; set MCPHUB_DOCKER_HOST to the host that docker context inspect %s shows", context))
	}
}

// openStreams opens the streams of a server over stdio in a container: of the command
// that it declares, or else of the container's own process.
func (a *app) openStreams(ctx context.Context, server discovery.Server, at discovery.Instance) (mcpclient.Streams, error) {
	streams, err := a.open(ctx, server, at)
	switch {
	case err == nil:
		return streams, nil
	case errors.Is(err, docker.ErrOutOfReach):
		return nil, fmt.Errorf("%w: %w", mcpclient.ErrOutOfReach, err)
	default:
		return nil, err
	}
}

func (a *app) open(ctx context.Context, server discovery.Server, at discovery.Instance) (mcpclient.Streams, error) {
	if len(server.Spec.Command) == 0 {
		return a.opener.Attach(ctx, at)
	}
	return a.opener.Exec(ctx, server.ID, server.Spec, at)
}

// status is what the hub knows, and which processes in containers have outlived their
// sessions.
func (a *app) status() proxy.Status {
	status := a.hub.Status()
	if a.opener == nil {
		return status
	}
	for i := range status.Servers {
		s := &status.Servers[i]
		s.Problems = append(s.Problems, a.opener.Left(s.ID)...)
	}
	return status
}
