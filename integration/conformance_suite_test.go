package integration

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// suiteLimit is for one run of the suite, which takes seconds.
const suiteLimit = 3 * time.Minute

// score is what a run of the suite came to.
type score struct {
	passed int
	clean  bool // nothing failed, and of a client nothing was warned of
	output string
}

// expect fails the test if fewer checks passed than want, or any did not.
func (s score) expect(t *testing.T, what string, want int) {
	t.Helper()
	if s.passed < want || !s.clean {
		t.Errorf("%s: %d passed (clean: %t), want %d\n%s", what, s.passed, s.clean, want, s.notPassed())
		return
	}
	t.Logf("%s: %d passed", what, s.passed)
}

// notPassed are the suite's lines about what did not pass, or else about each scenario: a warning about a server lowers
// only its scenario's count.
func (s score) notPassed() string {
	var bad, counts []string
	for line := range strings.SplitSeq(s.output, "\n") {
		switch {
		case problem.MatchString(line):
			bad = append(bad, line)
		case strings.Contains(line, " passed, "):
			counts = append(counts, line)
		}
	}
	if bad == nil {
		bad = counts
	}
	return strings.Join(bad, "\n")
}

var problem = regexp.MustCompile(`✗|FAILURE|WARNING|Error:|Warning:|Client exited|TIMED OUT|\b0 passed`)

// runSuite runs a command of the suite and returns its output.
func runSuite(t *testing.T, version string, args []string, env ...string) string {
	t.Helper()
	node := needPeer(t, "node22", "node_modules", "node", "bin", "node")
	suite := needPeer(t, "conformance-"+version, "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
	p := startProcess(t, 0, append([]string{node, suite}, args...), env...)
	select {
	case <-p.exited:
	case <-time.After(suiteLimit):
		t.Fatalf("waited %v for the suite to end\n%s", suiteLimit, p.Output())
	}
	return p.Output()
}

var serverTotals = regexp.MustCompile(`Total: (\d+) passed, (\d+) failed`)

// runServerSuite runs the suite against a server.
func runServerSuite(t *testing.T, version, url string, args []string) score {
	t.Helper()
	output := runSuite(t, version, append([]string{"server", "--url", url}, args...))
	found := serverTotals.FindStringSubmatch(output)
	if found == nil {
		t.Fatalf("the suite gave no totals:\n%s", output)
	}
	passed, _ := strconv.Atoi(found[1])
	return score{passed, found[2] == "0", output}
}

// waitConnected waits until /health has the servers as connected.
func waitConnected(t *testing.T, hub *process, ids ...string) {
	t.Helper()
	hub.waitFor(t, "connected servers", func() bool { return connected(hub.URL, ids...) })
}

// connected says whether the /health of the hub at url has the servers as connected.
func connected(url string, ids ...string) bool {
	resp, err := http.Get(url + "/health")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	for _, id := range ids {
		if !bytes.Contains(body, []byte(`"id":"`+id+`","connected":true`)) {
			return false
		}
	}
	return true
}
