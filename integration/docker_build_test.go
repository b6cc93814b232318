package integration

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"

	docker "github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// buildImage has the engine build an image of the Dockerfile in an archive, up to a stage if one is named.
func buildImage(name string, archive io.ReadSeeker, stage string) error {
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return err
	}
	defer provider.Close()
	repo, tag, _ := strings.Cut(name, ":")
	var output strings.Builder
	_, err = provider.BuildImage(context.Background(), &testcontainers.ContainerRequest{FromDockerfile: testcontainers.FromDockerfile{
		ContextArchive: archive, Repo: repo, Tag: tag, BuildArgs: map[string]*string{"GOPROXY": goProxy()}, BuildLogWriter: &output,
		BuildOptionsModifier: func(o *docker.ImageBuildOptions) {
			o.Target, o.NetworkMode = stage, "host"
			o.Labels = runLabels()
		},
	}})
	return err
}

// goProxy is where this machine's Go takes modules from.
func goProxy() *string {
	said, err := exec.Command("go", "env", "GOPROXY").Output()
	if err != nil {
		return new(os.Getenv("GOPROXY"))
	}
	return new(strings.TrimSpace(string(said)))
}
