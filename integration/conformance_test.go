package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// conformanceRuns are the runs of the official suite
// (https://github.com/modelcontextprotocol/conformance) that the legacy era has.
var conformanceRuns = []struct {
	name, version string
	args          []string
}{
	{"stable", "0.1.16", nil},
	{"requirements of 2025-11-25", "0.2.0-alpha.12", []string{"--requirements", "2025-11-25"}},
}

// TestConformance runs the official suite against go-sdk's everything-server,
// directly and through the hub at every kind of endpoint: as much must pass.
func TestConformance(t *testing.T) {
	port := freePort(t)
	fixtureURL := fmt.Sprintf("http://127.0.0.1:%d/mcp", port)
	startProcess(t, port, []string{needPeer(t, "bin", "everything-server"), "-http", fmt.Sprintf("127.0.0.1:%d", port), "-stateless=false"})
	second := startEverything(t)
	hub := startHub(t, hubOptions{Env: []string{
		"MCPHUB_SERVERS=es=" + fixtureURL + "\nsecond=" + second.URL,
		"MCPHUB_GROUPS=both=es,second",
	}})
	waitConnected(t, hub, "es", "second")
	for _, run := range conformanceRuns {
		t.Run(run.name, func(t *testing.T) {
			direct := runConformance(t, run.version, fixtureURL, run.args)
			for name, url := range map[string]string{
				"server":    hub.URL + "/mcp/server/es",
				"aggregate": unprefixed(t, hub.URL+"/mcp", "es__"),
				"group":     unprefixed(t, hub.URL+"/mcp/group/both", "es__"),
			} {
				if got := runConformance(t, run.version, url, run.args); got.passed < direct.passed || got.failed > direct.failed {
					t.Errorf("through the hub (%s): %d passed, %d failed; directly: %d passed, %d failed\n%s",
						name, got.passed, got.failed, direct.passed, direct.failed, got.notPassed())
				} else {
					t.Logf("%s: %d passed, %d failed; directly: %d passed, %d failed", name, got.passed, got.failed, direct.passed, direct.failed)
				}
			}
		})
	}
}

// waitConnected waits until /health has the servers as connected.
func waitConnected(t *testing.T, hub *process, ids ...string) {
	t.Helper()
	hub.waitFor(t, "connected servers", func() bool {
		resp, err := http.Get(hub.URL + "/health")
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
	})
}

// score is what a run of the suite came to.
type score struct {
	passed, failed int
	output         string
}

// notPassed are the suite's lines about what did not pass.
func (s score) notPassed() string {
	var lines []string
	for line := range strings.SplitSeq(s.output, "\n") {
		if strings.Contains(line, "✗") || strings.Contains(line, "FAILURE") || strings.Contains(line, "WARNING") || strings.Contains(line, "0 passed") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

var totals = regexp.MustCompile(`Total: (\d+) passed, (\d+) failed`)

func runConformance(t *testing.T, version, url string, args []string) score {
	t.Helper()
	node := needPeer(t, "node22", "node_modules", "node", "bin", "node")
	suite := needPeer(t, "conformance-"+version, "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
	command := exec.CommandContext(t.Context(), node, append([]string{suite, "server", "--url", url}, args...)...)
	command.Dir = t.TempDir()
	output, err := command.CombinedOutput()
	found := totals.FindSubmatch(output)
	if found == nil {
		t.Fatalf("the suite gave no totals: %v\n%s", err, output)
	}
	passed, _ := strconv.Atoi(string(found[1]))
	failed, _ := strconv.Atoi(string(found[2]))
	return score{passed, failed, string(output)}
}

// unprefixed returns the URL of a proxy that takes the prefix off the names that
// an endpoint of many servers shows, and puts it before those that it is asked
// for: the suite's names are fixed.
func unprefixed(t *testing.T, endpoint, prefix string) string {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.Path = to.Scheme, to.Host, to.Path
			r.Out.Host = r.In.Host // what the suite calls the server is part of its tests
			addPrefix(r.Out, prefix)
		},
		ModifyResponse: func(r *http.Response) error { return removePrefix(r, prefix) },
		FlushInterval:  -1,
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/mcp"
}

// addPrefix changes the name in a request for a tool, a prompt or a prompt's
// completion.
func addPrefix(r *http.Request, prefix string) {
	if r.Method != http.MethodPost {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var message map[string]any
	if json.Unmarshal(body, &message) == nil {
		params, _ := message["params"].(map[string]any)
		holder := params
		if ref, ok := params["ref"].(map[string]any); ok {
			holder = ref
		}
		name, named := holder["name"].(string)
		switch message["method"] {
		case "tools/call", "prompts/get", "completion/complete":
			if named {
				holder["name"] = prefix + name
				body, _ = json.Marshal(message)
			}
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
}

// removePrefix changes the names in lists, which come as plain JSON.
func removePrefix(r *http.Response, prefix string) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	body = bytes.ReplaceAll(body, []byte(`"name":"`+prefix), []byte(`"name":"`))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}
