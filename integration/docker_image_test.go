package integration

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	docker "github.com/moby/moby/client"
)

// TestDockerfile builds the image as people do, and compares what it says of itself with what the tests' own image says.
func TestDockerfile(t *testing.T) {
	l := newLab(t)
	archive, err := repository()
	l.must(err)
	// The first stage is built by name, so that it is removed by label as well.
	l.must(buildImage(imageName("build"), bytes.NewReader(archive), "build"))
	l.must(buildImage(imageName("dockerfile"), bytes.NewReader(archive), ""))
	built, err := l.engine.ImageInspect(t.Context(), imageName("dockerfile"))
	l.must(err)
	quick, err := l.engine.ImageInspect(t.Context(), l.image(hubImage))
	l.must(err)
	if got, want := quoted(t, built.Config), quoted(t, quick.Config); got != want {
		t.Errorf("the image of the Dockerfile says\n%s, that of the tests\n%s", got, want)
	}
	const most = 20 << 20
	if built.Size > most {
		t.Errorf("the image has %d bytes, want at most %d", built.Size, most)
	}
	if user := built.Config.User; user != "65532:65532" {
		t.Errorf("the image's user is %q, want one without rights", user)
	}
	b := l.run(spec{Image: imageName("dockerfile"), Cmd: []string{"--version"}, Expose: []string{}})
	waited := l.engine.ContainerWait(t.Context(), b.id, docker.ContainerWaitOptions{})
	select {
	case end := <-waited.Result:
		if end.StatusCode != 0 {
			t.Errorf("mcphub --version ended with status %d", end.StatusCode)
		}
	case err := <-waited.Error:
		t.Fatal(err)
	}
	t.Logf("the image has %.1f MB", float64(built.Size)/1e6)
}

// repository is an archive of what the Dockerfile copies: the sources, without what is hidden.
func repository() ([]byte, error) {
	var archive bytes.Buffer
	l := &layer{Writer: tar.NewWriter(&archive), done: map[string]bool{}}
	err := filepath.WalkDir("..", func(at string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case at != ".." && strings.HasPrefix(name, "."), slices.Contains([]string{"testdata"}, name):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		return l.file(strings.TrimPrefix(filepath.ToSlash(at), "../"), at)
	})
	return archive.Bytes(), errors.Join(err, l.Close())
}

// TestPeersInContainers asks each peer's image directly, without the hub: what fails here is not the hub's.
func TestPeersInContainers(t *testing.T) {
	for _, peer := range []struct {
		name string
		spec spec
		port string
		tool string
	}{
		{"tests' own", spec{}, "8080", "whoami"},
		{"server-everything", everything(), "3001", "echo"},
		{"fastmcp", fastMCP(), "8000", "count"},
	} {
		t.Run(peer.name, func(t *testing.T) {
			l := newLab(t)
			if image := peer.spec.Image; image != "" {
				peer.spec.Image = l.image(image)
			}
			b := l.run(peer.spec)
			address := l.address(b, nil).String() + ":" + peer.port
			eventually(t, startLimit, "the server to listen", func() bool { return listensAt(address) })
			names, err := open(t, "http://"+address+"/mcp", "").tools(t.Context())
			if err != nil || !slices.Contains(names, peer.tool) {
				t.Errorf("tools: got %q, %v; want %s among them", names, err, peer.tool)
			}
		})
	}
}
