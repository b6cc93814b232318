package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// watchRaces returns the variable with which a process, and all that inherit it, write the data races that they find to files
// of the test's own, where even a kill leaves them. The cleanup fails the test for each, so it must be registered before the
// one that stops the process.
func watchRaces(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		for _, race := range races(dir) {
			t.Errorf("a process of this test has a data race:\n%s", race)
		}
	})
	return raceVariable(dir)
}

// raceVariable has the race detector write to a folder. By itself it would also keep each process for a second at its end, for
// races that come late.
func raceVariable(dir string) string {
	return "GORACE=atexit_sleep_ms=0 log_path=" + filepath.Join(dir, "race")
}

// races returns what race detectors wrote to a folder, process by process.
func races(dir string) (found []string) {
	files, _ := filepath.Glob(filepath.Join(dir, "race.*")) // the pattern is a good one
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			text = []byte(err.Error())
		}
		found = append(found, string(text))
	}
	return found
}

// racing, as the transport of the tests' own server, is a process that has a data race and ends.
const racing = "race"

func race() {
	n, done := 0, make(chan struct{})
	go func() {
		n++
		close(done)
	}()
	n++
	<-done
}

// TestRacesAreFound has a process race: without this no data race in a hub would fail anything.
func TestRacesAreFound(t *testing.T) {
	if !raceDetector {
		t.Skip("data races are found by go test -race")
	}
	dir := t.TempDir()
	cmd := exec.Command(gosdkCommand(t)[0])
	cmd.Env = append(os.Environ(), serverVariable+"="+racing, raceVariable(dir))
	output, err := cmd.CombinedOutput()
	if found := races(dir); len(found) != 1 || !strings.Contains(found[0], "WARNING: DATA RACE") {
		t.Errorf("got %q, want one race; the process ended with %v and wrote\n%s", found, err, output)
	}
}
