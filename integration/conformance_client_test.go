package integration

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The suite tests a client by starting a server and running a command with its URL. Through the hub the command is the
// test binary started again, with the path of a hub in hubVariable and that of a client in clientVariable.
const (
	hubVariable    = "INTEGRATION_HUB"
	clientVariable = "INTEGRATION_CLIENT"
	portOfHub      = "MCPHUB_PORT"
)

// latestLegacy is the revision that the scenarios for clients are asked for: the list for it has those of the revisions
// before, too. What exists from 2026-07-28 on only is left out, and so is authorization, as the hub is no OAuth client.
const latestLegacy = "2025-11-25"

// knownOfClients is how many checks go-sdk's client is known to pass without the hub, by the suite's version and scenario.
var knownOfClients = map[string]map[string]int{
	stableSuite: {"initialize": 1, "tools_call": 1, "elicitation-sep1034-client-defaults": 5, "sse-retry": 3},
	revisionSuite: {
		"initialize": 1, "tools_call": 2, "elicitation-sep1034-client-defaults": 5, "sse-retry": 3,
		"json-schema-2020-12-preservation": 9,
	},
}

// TestConformanceClient runs the suite's scenarios for clients against go-sdk's client, directly and with the hub between:
// as much must pass. To the suite's server the pair is two clients, as the hub has a session of its own there.
func TestConformanceClient(t *testing.T) {
	client := needPeer(t, "bin", "everything-client")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	hub := mustHub(t)
	for version, known := range knownOfClients {
		scenarios := clientScenarios(t, version)
		if want := slices.Sorted(maps.Keys(known)); !slices.Equal(scenarios, want) {
			t.Errorf("scenarios of %s: got %q, want %q", version, scenarios, want)
		}
		for _, scenario := range scenarios {
			t.Run(version+" "+scenario, func(t *testing.T) {
				if scenario != "sse-retry" { // it measures time
					t.Parallel()
				}
				direct := runClientScenario(t, version, scenario, client)
				direct.expect(t, "directly", known[scenario])
				through := runClientScenario(t, version, scenario, self, hubVariable+"="+hub, clientVariable+"="+client,
					fmt.Sprintf("%s=%d", portOfHub, freePort(t)), "MCPHUB_DOCKER=off")
				through.expect(t, "through the hub", direct.passed)
			})
		}
	}
}

var listedScenario = regexp.MustCompile(`(?m)^  - (\S+)`)

// clientScenarios returns the scenarios that the suite has for clients of the legacy era, sorted.
func clientScenarios(t *testing.T, version string) (scenarios []string) {
	t.Helper()
	list := runSuite(t, version, []string{"list", "--client", "--spec-version", latestLegacy})
	for _, line := range listedScenario.FindAllStringSubmatch(list, -1) {
		if !strings.HasPrefix(line[1], "auth/") {
			scenarios = append(scenarios, line[1])
		}
	}
	slices.Sort(scenarios)
	return scenarios
}

var clientTotals = regexp.MustCompile(`Passed: (\d+)/\d+, \d+ failed, \d+ warnings`)

// runClientScenario has the suite test a client. One scenario bounds how late a client may be: then a busy machine is
// given two more chances. A client that is early, or always late, fails.
func runClientScenario(t *testing.T, version, scenario, command string, env ...string) (s score) {
	t.Helper()
	args := []string{"client", "--command", command, "--scenario", scenario, "--spec-version", latestLegacy, "--timeout", "60000"}
	for range 3 {
		output := runSuite(t, version, args, env...)
		found := clientTotals.FindStringSubmatch(output)
		if found == nil {
			t.Fatalf("the suite gave no totals:\n%s", output)
		}
		passed, _ := strconv.Atoi(found[1])
		s = score{passed, strings.Contains(output, "OVERALL: PASSED"), output}
		if s.clean || !strings.Contains(output, "y late (") {
			break
		}
	}
	return s
}

// runThroughHub is the process of a hub's client: it starts a hub with the one server, and the client with the URL of
// that server at the hub. It returns the client's exit status.
func runThroughHub(server string) int {
	hub := exec.Command(os.Getenv(hubVariable))
	hub.Env = append(os.Environ(), "MCPHUB_SERVERS=x="+server)
	hub.Stdout, hub.Stderr = os.Stdout, os.Stderr
	if err := hub.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if hub.Process.Signal(os.Interrupt) != nil { // not every system has it
			hub.Process.Kill()
		}
		hub.Wait()
	}()
	url := "http://localhost:" + os.Getenv(portOfHub)
	for deadline := time.Now().Add(startLimit / 2); !connected(url, "x"); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, "the hub did not connect to", server)
			return 1
		}
	}
	client := exec.Command(os.Getenv(clientVariable), url+"/mcp/server/x")
	client.Stdout, client.Stderr = os.Stdout, os.Stderr
	if err := client.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return client.ProcessState.ExitCode()
}
