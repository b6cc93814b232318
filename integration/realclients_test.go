package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// realServer is a server made with one of the official SDKs, or on top of one.
type realServer struct {
	id    string
	start func(testing.TB) string // returns its URL
	name  string                  // in its serverInfo
	info  []string                // further parts of that
	says  []string                // parts of the rest of its answer to initialize
	steps []step
	seen  []string // what the server must have been told, in the words of recorder
}

// realClient is a client made with one of the official SDKs. Its run returns the answer to each step.
type realClient struct {
	name    string
	run     func(*testing.T, script) []string
	servers []realServer // of the other SDKs
}

const direct = "direct" // the endpoint without a hub

var realClients = []realClient{
	{"go", runGoClient, []realServer{typescriptServer, typescriptFeatures, fastmcpServer}},
	{"typescript", runTypescriptClient, []realServer{goServer, goFeatures, fastmcpServer}},
	{"python", runPythonClient, []realServer{goServer, goFeatures, typescriptServer, typescriptFeatures}},
}

// TestRealClients lets the client of each official SDK use everything that the servers of the others offer: directly,
// where a failure is not the hub's, and through the hub.
func TestRealClients(t *testing.T) {
	seat(t, func(s *seated) {
		for _, client := range realClients {
			for _, server := range client.servers {
				for _, endpoint := range []string{direct, "/mcp/server/" + server.id, "/mcp"} {
					name := client.name + " to " + server.id + "/" + strings.ReplaceAll(strings.Trim(endpoint, "/"), "/", "-")
					s.run(name, func(t *testing.T) { testRealClient(t, client, server, endpoint) })
				}
			}
		}
	})
}

// testRealClient starts a server, and a hub unless the endpoint is direct, and compares what comes of the server's steps.
func testRealClient(t *testing.T, client realClient, server realServer, endpoint string) {
	recorder := startRecorder(t, server.start(t))
	url := recorder.URL
	if endpoint != direct {
		url = startHubOf(t, server.id, recorder.URL).URL + endpoint
	}
	steps := server.stepsAt(endpoint)
	checkAnswers(t, steps, client.run(t, script{url, clientVersion, steps}))
	if t.Failed() {
		return
	}
	for _, want := range append(server.seen, "DELETE") {
		eventually(t, 10*time.Second, want+" at the server", func() bool { return recorder.has(want) })
	}
}

// stepsAt returns the server's steps with the names that an endpoint has for its features, from initialize to end.
func (s realServer) stepsAt(endpoint string) []step {
	name, info, prefix := s.name, s.info, ""
	if endpoint == "/mcp" {
		name, info, prefix = "mcphub", nil, s.id+"__"
	}
	said := append([]string{`"name":"` + name + `"`, `"protocolVersion":"` + clientVersion + `"`}, slices.Concat(s.says, info)...)
	steps := []step{{Do: "initialize", want: said}}
	for _, step := range s.steps {
		if step.at.in(endpoint) {
			steps = append(steps, step.prefixed(prefix))
		}
	}
	return append(steps, step{Do: "end"})
}

func startTypescriptFeatures(t testing.TB) string {
	t.Helper()
	port, modules := freePort(t), filepath.Dir(needPeer(t, "node_modules"))
	argv := []string{needCommand(t, "node"), filepath.Join("testdata", "features_server.mjs"), strconv.Itoa(port), modules}
	startProcess(t, port, argv)
	return fmt.Sprintf("http://127.0.0.1:%d/mcp", port)
}

func runTypescriptClient(t *testing.T, s script) []string {
	t.Helper()
	modules := filepath.Dir(needPeer(t, "node_modules"))
	return runClientProcess(t, s, needCommand(t, "node"), filepath.Join("testdata", "client.mjs"), modules)
}

func runPythonClient(t *testing.T, s script) []string {
	t.Helper()
	return runClientProcess(t, s, pythonServer(t, "python"), filepath.Join("testdata", "client.py"))
}

// runClientProcess gives the script to a client in a process of its own, and returns the lines that it prints.
func runClientProcess(t *testing.T, s script, name string, args ...string) []string {
	t.Helper()
	input, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), name, args...)
	timer := time.AfterFunc(2*time.Minute, func() { command.Process.Kill() })
	defer timer.Stop()
	var output, complaints bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), &output, &complaints
	if err := command.Run(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, &complaints)
	}
	return strings.Split(strings.TrimSpace(output.String()), "\n")
}
