package integration

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	docker "github.com/moby/moby/client"
)

// The images that the tests use are made once in a run, when a test first asks for them. Nothing is pulled.
const (
	hubImage    = "hub"    // what the Dockerfile makes of the hub that this machine's Go has built
	serverImage = "server" // folder server
	nodeImage   = "node"   // Node and the servers that .ci/peers has installed
	pythonImage = "python" // Python and its SDKs, likewise
	suiteImage  = "suite"  // go-sdk's server for the official conformance suite, likewise
)

var images = map[string]func() error{
	hubImage:    sync.OnceValue(makeHubImage),
	serverImage: sync.OnceValue(makeServerImage),
	nodeImage:   sync.OnceValue(makeNodeImage),
	pythonImage: sync.OnceValue(makePythonImage),
	suiteImage:  sync.OnceValue(makeSuiteImage),
}

// image returns the name of an image after it was made.
func (l *lab) image(kind string) string {
	l.t.Helper()
	switch kind { // a peer that is missing is the test's to tell
	case nodeImage:
		needCommand(l.t, "node")
		npmServer(l.t, "server-everything")
	case pythonImage:
		pythonServer(l.t, "python")
	case suiteImage:
		needPeer(l.t, "bin", "everything-server")
	}
	if err := images[kind](); err != nil {
		l.t.Fatalf("make the image %s: %v", kind, err)
	}
	return imageName(kind)
}

func imageName(kind string) string { return "mcphub-test/" + kind + ":" + runName }

// importImage makes an image of one layer, with changes as a Dockerfile has them.
func importImage(kind string, fill func(*layer) error, changes ...string) error {
	engine, err := findEngine()
	if err != nil {
		return err
	}
	read, write := io.Pipe()
	go func() {
		l := &layer{Writer: tar.NewWriter(write), done: map[string]bool{}}
		write.CloseWithError(errors.Join(fill(l), l.Close()))
	}()
	for name, value := range runLabels() {
		changes = append(changes, "LABEL "+name+"="+value)
	}
	source := docker.ImageImportSource{Source: read, SourceName: "-"}
	result, err := engine.ImageImport(context.Background(), source, imageName(kind), docker.ImageImportOptions{Changes: changes})
	if err != nil {
		return errors.Join(err, read.Close())
	}
	_, err = io.Copy(io.Discard, result)
	return errors.Join(err, result.Close(), read.Close())
}

// makeServerImage makes an image of the tests' own server. It exposes no port.
func makeServerImage() error {
	dir, err := os.MkdirTemp("", "mcphub-test")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "server")
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, "mcphub/integration/server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, output)
	}
	return importImage(serverImage, func(l *layer) error {
		return errors.Join(l.temporary(), l.file("/server", binary))
	}, `ENTRYPOINT ["/server"]`)
}

// makeNodeImage makes an image with Node, npm's servers, a shell and the hub, which can be a bridge.
func makeNodeImage() error {
	hub, err := shippedBinary()
	if err != nil {
		return err
	}
	peers, err := peersDir()
	if err != nil {
		return err
	}
	return importImage(nodeImage, func(l *layer) error {
		return errors.Join(l.temporary(), l.shell(), l.program("/usr/bin/node", "node"), l.file("/mcphub", hub),
			l.tree("/srv/node_modules", filepath.Join(peers, "node_modules")))
	}, "WORKDIR /srv", "ENV PATH=/usr/bin:/bin")
}

// makePythonImage makes an image with the Python of the peers and what is installed there, at the paths of this machine.
func makePythonImage() error {
	peers, err := peersDir()
	if err != nil {
		return err
	}
	venv := filepath.Join(peers, "venv")
	said, err := exec.Command(filepath.Join(venv, "bin", "python"), "-c", `import os, sys, sysconfig
print(os.path.realpath(sys.executable), sysconfig.get_path("stdlib"), sep="\n")`).Output()
	if err != nil {
		return err
	}
	python, library, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	return importImage(pythonImage, func(l *layer) error {
		return errors.Join(l.temporary(), l.links(filepath.Join(venv, "bin", "python")), l.program(python, python), l.tree(library, library, "test", "site-packages", "idlelib"),
			l.tree(venv, venv), l.extensions(library, venv), l.file("/srv/fastmcp_server.py", filepath.Join("testdata", "fastmcp_server.py")))
	}, "WORKDIR /srv", `ENTRYPOINT ["`+filepath.Join(venv, "bin", "python")+`"]`, "ENV PYTHONUNBUFFERED=1")
}

// makeSuiteImage makes an image of the server for the conformance suite.
func makeSuiteImage() error {
	peers, err := peersDir()
	if err != nil {
		return err
	}
	return importImage(suiteImage, func(l *layer) error {
		return errors.Join(l.temporary(), l.program("/fixture", filepath.Join(peers, "bin", "everything-server")))
	}, `ENTRYPOINT ["/fixture"]`)
}

// makeHubImage makes the image of the repository's Dockerfile, of a binary that was built here: the last stage is the
// Dockerfile's own, and takes two files from a directory instead of from the stage that builds them. TestDockerfile
// builds all of it.
func makeHubImage() error {
	binary, err := shippedBinary()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join("..", "Dockerfile"))
	if err != nil {
		return err
	}
	_, last, found := strings.Cut(string(text), "\nFROM scratch\n")
	if !found || !strings.Contains(last, "COPY --from=build ") {
		return errors.New("the Dockerfile has no stage FROM scratch that copies from the stage build")
	}
	last = "FROM scratch\n" + strings.ReplaceAll(last, "COPY --from=build ", "COPY ")
	var archive bytes.Buffer
	l := &layer{Writer: tar.NewWriter(&archive), done: map[string]bool{}}
	err = errors.Join(l.text("/Dockerfile", last), l.file("/mcphub", binary),
		l.text("/etc/ssl/certs/ca-certificates.crt", "no test here speaks TLS\n"), l.Close())
	if err != nil {
		return err
	}
	return buildImage(imageName(hubImage), bytes.NewReader(archive.Bytes()), "")
}
