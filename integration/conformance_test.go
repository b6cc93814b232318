package integration

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
)

// The releases of the official suite (https://github.com/modelcontextprotocol/conformance): the stable one, and the one
// that has the frozen requirements of each revision.
const (
	stableSuite   = "0.1.16"
	revisionSuite = "0.2.0-alpha.12"
)

// conformanceRuns are the runs against servers that the legacy era has.
var conformanceRuns = []struct {
	name, version string
	args          []string
}{
	{"stable", stableSuite, nil},
	{"requirements of 2025-11-25", revisionSuite, []string{"--requirements", "2025-11-25"}},
}

// conformanceFixtures are servers on two SDKs that have what the suite asks for by name. Known is how many checks each is
// known to pass, by the suite's version: one that passes fewer is no measure of the hub.
var conformanceFixtures = []struct {
	name  string
	start func(testing.TB) *process
	known map[string]int
}{
	{"go-sdk", startGoConformance, map[string]int{stableSuite: 40, revisionSuite: 82}},
	{"typescript-sdk", startTypeScriptConformance, map[string]int{stableSuite: 40, revisionSuite: 84}},
}

// TestConformance runs the official suite against the fixtures, directly and through the hub at every kind of endpoint: as
// much must pass.
func TestConformance(t *testing.T) {
	second := startEverything(t)
	for _, fixture := range conformanceFixtures {
		t.Run(fixture.name, func(t *testing.T) {
			server := fixture.start(t)
			hub := startHub(t, hubOptions{Env: []string{
				"MCPHUB_SERVERS=es=" + server.URL + "\nsecond=" + second.URL,
				"MCPHUB_GROUPS=both=es,second",
			}})
			waitConnected(t, hub, "es", "second")
			for _, run := range conformanceRuns {
				t.Run(run.name, func(t *testing.T) {
					t.Parallel()
					direct := runServerSuite(t, run.version, server.URL, run.args)
					direct.expect(t, "directly", fixture.known[run.version])
					for name, url := range map[string]string{
						"server":    hub.URL + "/mcp/server/es",
						"aggregate": unprefixed(t, hub.URL+"/mcp", "es__"),
						"group":     unprefixed(t, hub.URL+"/mcp/group/both", "es__"),
					} {
						runServerSuite(t, run.version, url, run.args).expect(t, "through the hub: "+name, direct.passed)
					}
				})
			}
		})
	}
}

// startGoConformance starts go-sdk's own fixture.
func startGoConformance(t testing.TB) *process {
	t.Helper()
	port := freePort(t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	p := startProcess(t, port, []string{needPeer(t, "bin", "everything-server"), "-http", address, "-stateless=false"})
	p.URL = serverURL("streamable-http", port)
	return p
}

// startTypeScriptConformance starts testdata/conformance_server.mjs.
func startTypeScriptConformance(t testing.TB) *process {
	t.Helper()
	port := freePort(t)
	peers := filepath.Dir(needPeer(t, "node_modules"))
	script := filepath.Join("testdata", "conformance_server.mjs")
	p := startProcess(t, port, []string{needCommand(t, "node"), script, peers, strconv.Itoa(port)})
	p.URL = serverURL("streamable-http", port)
	return p
}
