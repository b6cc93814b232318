package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// step is one thing that a client does, and what should come of it. Its words:
//
//	initialize             connect; the answer has serverInfo, instructions, capabilities and protocolVersion
//	ping
//	list NAME              all pages of tools, prompts, resources or templates; the answer has pages and names
//	call NAME ARGUMENTS    call a tool, with a callback for progress
//	read URI               read a resource
//	prompt NAME ARGUMENTS  get a prompt
//	complete NAME|URI ARGUMENTS CONTEXT
//	level NAME             set the log level
//	subscribe, unsubscribe URI
//	root NAME URI          have one more root, and say that the roots changed
//	await NAME UNTIL       wait until a message of the method came that contains a text; the answer is all that came of it
//	                       since the method was last awaited
//	end                    end the session; always the last step
//
// Every client has the root file:///first, lets its model say "sampled: " and the prompt, and answers elicitations with
// the current step's answer; to a step that cancels they do not, and "withdrawn" comes when the server gives up. The answer to a step is the SDK's result as JSON, or {"error":{"code","message"}}.
type step struct {
	Do        string            `json:"do"`
	Name      string            `json:"name,omitempty"`
	URI       string            `json:"uri,omitempty"`
	Arguments map[string]any    `json:"arguments,omitempty"`
	Context   map[string]string `json:"context,omitempty"`
	Until     string            `json:"until,omitempty"`
	Answer    map[string]any    `json:"answer,omitempty"`
	Cancel    string            `json:"cancel,omitempty"` // cancel the call when a message of this method comes

	want    []string // parts of the answer, or some of the list's names
	once    []string // parts of the answer that must not be there twice, as nothing may come twice
	not     []string // what must not be in the answer
	refused bool     // the answer is an error
	at      place
}

// place says where a step is done.
type place string

const (
	everywhere place = ""
	viaHub     place = "through the hub"
)

// in reports whether the place includes an endpoint.
func (p place) in(endpoint string) bool {
	return p != viaHub || endpoint != direct
}

// script is what a client reads.
type script struct {
	URL   string `json:"url"`
	Steps []step `json:"steps"`
}

// realServer is a server made with one of the official SDKs, or on top of one.
type realServer struct {
	id    string
	start func(testing.TB) *process
	name  string   // in its serverInfo
	says  []string // parts of the rest of its answer to initialize
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

// TestRealClients lets the client of each official SDK use everything that the servers of the others offer: directly,
// where a failure is not the hub's, and through the hub.
func TestRealClients(t *testing.T) {
	for _, client := range []realClient{
		{"go", runGoClient, []realServer{typescriptServer, fastmcpServer}},
		{"typescript", runTypescriptClient, []realServer{goServer, fastmcpServer}},
		{"python", runPythonClient, []realServer{goServer, typescriptServer}},
	} {
		for _, server := range client.servers {
			for _, endpoint := range []string{direct, "/mcp/server/" + server.id, "/mcp"} {
				t.Run(client.name+" to "+server.id+"/"+strings.ReplaceAll(strings.Trim(endpoint, "/"), "/", "-"), func(t *testing.T) {
					testRealClient(t, client, server, endpoint)
				})
			}
		}
	}
}

// testRealClient starts a server, and a hub unless the endpoint is direct, and compares what comes of the server's steps.
func testRealClient(t *testing.T, client realClient, server realServer, endpoint string) {
	recorder := startRecorder(t, server.start(t).URL)
	url := recorder.URL
	if endpoint != direct {
		hub := startHub(t, hubOptions{Env: []string{"MCPHUB_SERVERS=" + server.id + "=" + recorder.URL}})
		waitConnected(t, hub, server.id)
		url = hub.URL + endpoint
	}
	steps := server.stepsAt(endpoint)
	answers := client.run(t, script{url, steps})
	for i, answer := range answers {
		if problem := steps[i].check(answer); problem != "" {
			t.Errorf("step %d, %s: %s\nanswer: %.2000s", i, steps[i], problem, answer)
		}
	}
	if len(answers) != len(steps) {
		t.Errorf("got %d answers to %d steps", len(answers), len(steps))
	}
	if t.Failed() {
		return
	}
	for _, want := range append(server.seen, "DELETE") {
		eventually(t, 10*time.Second, want+" at the server", func() bool { return recorder.has(want) })
	}
}

// stepsAt returns the server's steps with the names that an endpoint has for its features, from initialize to end.
func (s realServer) stepsAt(endpoint string) []step {
	name, prefix := s.name, ""
	if endpoint == "/mcp" {
		name, prefix = "mcphub", s.id+"__"
	}
	said := append([]string{`"name":"` + name + `"`, `"protocolVersion":"` + clientVersion + `"`}, s.says...)
	steps := []step{{Do: "initialize", want: said}}
	for _, step := range s.steps {
		if step.at.in(endpoint) {
			steps = append(steps, step.prefixed(prefix))
		}
	}
	return append(steps, step{Do: "end"})
}

// prefixed returns the step with the prefix before the names of tools and prompts.
func (s step) prefixed(prefix string) step {
	switch s.Do {
	case "call", "prompt", "complete":
		if s.Name != "" {
			s.Name = prefix + s.Name
		}
	case "list":
		var names []string
		for _, name := range s.want {
			if s.Name == "tools" || s.Name == "prompts" {
				name = prefix + name
			}
			names = append(names, strconv.Quote(name))
		}
		s.want = names
	}
	return s
}

func (s step) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", s.Do, s.Name, s.URI, s.Until))
}

// check says what is wrong with the answer to a step, nothing if it is right.
func (s step) check(answer string) string {
	if failed := strings.HasPrefix(answer, `{"error":`); failed != s.refused {
		return fmt.Sprintf("got an error: %t, want %t", failed, s.refused)
	}
	for _, part := range s.want {
		if !strings.Contains(answer, part) {
			return fmt.Sprintf("want %s in it", part)
		}
	}
	for _, part := range s.once {
		if n := strings.Count(answer, part); n != 1 {
			return fmt.Sprintf("got %s %d times in it, want 1", part, n)
		}
	}
	for _, part := range s.not {
		if strings.Contains(answer, part) {
			return fmt.Sprintf("want no %s in it", part)
		}
	}
	return ""
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
