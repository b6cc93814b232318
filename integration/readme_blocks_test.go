package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readmeBlock returns the block of the README under a mark, <!-- NAME -->.
func readmeBlock(t *testing.T, name, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n<!-- "+name+" -->\n```"+language+"\n")
	block, _, ended := strings.Cut(after, "```\n")
	if !found || !ended {
		t.Fatalf("README.md has no block of %s under <!-- %s -->", language, name)
	}
	return block
}

// readmeFile writes a block of the README into a file.
func readmeFile(t *testing.T, name, language string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "block."+language)
	if err := os.WriteFile(path, []byte(readmeBlock(t, name, language)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReadmeSnippet compares the README's test of a reader's own with the one that runs here.
func TestReadmeSnippet(t *testing.T) {
	const name = "TestThroughTheHub"
	source, err := os.ReadFile("readme_containers_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "\nfunc "+name)
	body = regexp.MustCompile(`(?m)^.*// not in the README\n`).ReplaceAllString("func "+name+body, "")
	body = strings.ReplaceAll(body, "l.image(hubImage)", `"mcphub"`)
	body = strings.ReplaceAll(body, "network.New(ctx,\n\t)", "network.New(ctx)")
	imports, rest, _ := strings.Cut(readmeBlock(t, "go:"+name, "go"), ")\n\n")
	if rest != body {
		t.Errorf("README.md has\n%s\nwant\n%s", rest, body)
	}
	if !strings.Contains(string(source), imports) {
		t.Errorf("README.md imports\n%s\nwhich is not in %s", imports, "readme_containers_test.go")
	}
}

// TestReadmeDockerRun types what the README says of docker run, but for the image's build, which TestDockerfile tries.
func TestReadmeDockerRun(t *testing.T) {
	l := newLab(t)
	if _, err := exec.LookPath("docker"); err != nil {
		engineMissing(t, "no client of Docker: %v", err)
	}
	build, run, _ := strings.Cut(readmeBlock(t, "docker:run", "sh"), "\n")
	if build != "docker build -t mcphub ." {
		t.Errorf("the image is built by %q", build)
	}
	port, labels := fmt.Sprint(freePort(t)), ""
	for name, value := range l.labels(nil) {
		labels += " --label " + name + "=" + value
	}
	for old, now := range map[string]string{
		"docker run": "exec docker run" + labels,
		":7070:":     ":" + port + ":", "' mcphub\n": "' " + l.image(hubImage) + "\n",
	} {
		if strings.Count(run, old) != 1 {
			t.Fatalf("%q has not one %q", run, old)
		}
		run = strings.Replace(run, old, now, 1)
	}
	shell := startProcess(t, 0, []string{needCommand(t, "bash"), "-c", run})
	shell.URL = "http://127.0.0.1:" + port
	shell.waitFor(t, "the hub", func() bool { return answers(shell.URL + "/health") })
	shell.waitFor(t, "its server", func() bool { return health(t, shell).server("demo").Connected })
	if _, err := open(t, shell.URL+"/mcp", "").call(t.Context(), "demo__add", map[string]any{"a": 2, "b": 40}); err != nil {
		t.Errorf("demo__add: %v", err)
	}
}
