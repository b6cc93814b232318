package integration

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain runs the tests. A test binary that a test has started again is a server instead, see gosdkCommand, or a client,
// see runThroughHub, or the reaper of its containers.
func TestMain(m *testing.M) {
	if transport := os.Getenv(serverVariable); transport != "" {
		os.Exit(runServer(transport))
	}
	if os.Getenv(hubVariable) != "" {
		os.Exit(runThroughHub(os.Args[len(os.Args)-1]))
	}
	if run := os.Getenv(reaperVariable); run != "" {
		os.Exit(reap(run))
	}
	dir, err := os.MkdirTemp("", "mcphub-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	hubDir = dir
	runLabsTogether()
	status := m.Run()
	if err := endReaper(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

// hubOptions say how a hub is started. The zero value is a hub with nothing configured and Docker off.
type hubOptions struct {
	Env  []string // NAME=value; wins over what startHub sets
	Args []string // flags or a subcommand
	Port int      // a free one if 0; set it to start a hub again at its former address
	Attr *syscall.SysProcAttr
}

// startHub starts the hub's binary, and returns when /health answers. The URL of the process is the hub's, without a path.
func startHub(t testing.TB, options hubOptions) *process {
	t.Helper()
	binary := mustHub(t)
	port := cmp.Or(options.Port, freePort(t))
	env := append([]string{"MCPHUB_DOCKER=off", "MCPHUB_PORT=" + strconv.Itoa(port)}, options.Env...)
	p := startProcessAs(t, options.Attr, 0, append([]string{binary}, options.Args...), env...)
	p.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	p.waitFor(t, "/health", func() bool { return answers(p.URL + "/health") })
	return p
}

// answers says whether an HTTP server answers at all: a /health with a token does so with 200, too.
func answers(url string) bool {
	client := &http.Client{Timeout: time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

var hubDir string // where the hub is built, while TestMain runs the tests

// hubBinary builds the hub once in a run of tests: the way it is shipped, or with the race detector if the tests have it.
var hubBinary = sync.OnceValues(func() (string, error) {
	if !raceDetector {
		return shippedBinary()
	}
	return buildHub("mcphub-race", "CGO_ENABLED=1", "-race") // the detector is linked by a C compiler
})

func mustHub(t testing.TB) string {
	t.Helper()
	binary, err := hubBinary()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// shippedBinary builds the hub once the way it is shipped, for images that have nothing else.
var shippedBinary = sync.OnceValues(func() (string, error) { return buildHub("mcphub", "CGO_ENABLED=0") })

// buildHub builds the hub into a file of hubDir.
func buildHub(name, env string, flags ...string) (string, error) {
	binary := filepath.Join(hubDir, name+".exe") // the suffix is needed on Windows and harmless elsewhere
	build := exec.Command("go", slices.Concat([]string{"build"}, flags, []string{"-o", binary, "mcphub/cmd/mcphub"})...)
	build.Env = append(os.Environ(), env)
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the hub: %w\n%s", err, output)
	}
	return binary, nil
}
