package integration

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// together is a server that two clients use at once.
type together struct {
	name    string
	server  realServer
	env     func(*testing.T) []string // of the hub
	clients []realClient              // of the other SDKs
	sample  func(from string) step
	elicit  func(from string) step
}

var togethers = []together{
	{"go", goServer, overHTTP(goServer), realClients[1:], sampleOfGo, elicitOfGo},
	{"typescript", typescriptServer, overHTTP(typescriptServer), []realClient{realClients[0], realClients[2]}, sampleOfEverything, elicitOfEverything},
	{"typescript over sse", typescriptServer, everythingOverSSE, []realClient{realClients[0], realClients[2]}, sampleOfEverything, elicitOfEverything},
	{"typescript over stdio", typescriptServer, everythingOverStdio, []realClient{realClients[0], realClients[2]}, sampleOfEverything, elicitOfEverything},
	{"python", fastmcpServer, overHTTP(fastmcpServer), realClients[:2], sampleOfFastMCP, elicitOfFastMCP},
	{"python over stdio", fastmcpServer, fastmcpOverStdio, realClients[:2], sampleOfFastMCP, elicitOfFastMCP},
}

func sampleOfGo(from string) step {
	return step{Do: "call", Name: "test_sampling", Arguments: arguments{"prompt": from}, want: []string{"LLM response: sampled: " + from}}
}

func elicitOfGo(from string) step {
	return step{Do: "call", Name: "test_elicitation", Arguments: arguments{"message": "for " + from}, Answer: arguments{"username": from},
		want: []string{"map[username:" + from + "]"}}
}

func sampleOfEverything(from string) step {
	return step{Do: "call", Name: "trigger-sampling-request", Arguments: arguments{"prompt": from},
		want: []string{"sampled: Resource trigger-sampling-request context: " + from}}
}

func elicitOfEverything(from string) step {
	return step{Do: "call", Name: "trigger-elicitation-request", Answer: arguments{"name": from}, want: []string{"- Name: " + from}}
}

func sampleOfFastMCP(from string) step {
	return step{Do: "call", Name: "sample", Arguments: arguments{"prompt": from}, want: []string{"test-model says sampled: " + from}}
}

func elicitOfFastMCP(from string) step {
	return step{Do: "call", Name: "elicit", Arguments: arguments{"question": "for " + from}, Answer: arguments{"value": from}, want: []string{"accept: " + from}}
}

// TestRealClientsTogether lets two clients of different SDKs use one server at once, one at the server's endpoint and one
// at /mcp: both are asked before either answers, for samples, for input, and one for each, and each gets its own.
func TestRealClientsTogether(t *testing.T) {
	seat(t, func(s *seated) {
		for _, pair := range togethers {
			s.run(pair.name, func(t *testing.T) { testTogether(t, pair) })
		}
	})
}

func testTogether(t *testing.T, pair together) {
	hub := startHub(t, hubOptions{Env: pair.env(t)})
	waitConnected(t, hub, pair.server.id)
	place := startMeeting(t, len(pair.clients))
	var both sync.WaitGroup
	for i, client := range pair.clients {
		endpoint, prefix := "/mcp", pair.server.id+"__"
		if i == 0 {
			endpoint, prefix = "/mcp/server/"+pair.server.id, ""
		}
		steps := pair.steps(client.name, i, place.URL, prefix)
		both.Go(func() { checkAnswers(t, steps, client.run(t, script{hub.URL + endpoint, clientVersion, steps})) })
	}
	both.Wait()
	if place.alone() {
		t.Error("a client was asked without the other")
	}
}

// steps returns what the nth of the clients does.
func (p together) steps(name string, n int, place, prefix string) []step {
	asked := []step{p.sample("1 " + name), p.elicit("2 " + name), p.sample("3 " + name), p.elicit("4 " + name)}
	if n == 1 {
		asked[2], asked[3] = p.elicit("3 "+name), p.sample("4 "+name)
	}
	steps := []step{{Do: "initialize"}}
	for i, call := range asked {
		call.Meet = place + "/" + string(rune('1'+i))
		await := step{Do: "await", Name: onSampling, want: []string{name}}
		if call.Answer != nil {
			await = step{Do: "await", Name: onElicit, want: []string{name}}
		}
		if call.Answer != nil && p.server.id == typescriptServer.id {
			await.want = nil // its question says nothing of the call
		}
		for _, other := range p.clients {
			if other.name != name {
				await.not = append(await.not, other.name)
			}
		}
		steps = append(steps, call.prefixed(prefix), await)
	}
	return append(steps, step{Do: "end"})
}

// meeting answers a request when as many have come to the same path as are expected.
type meeting struct {
	URL string

	mu    sync.Mutex
	came  map[string]int
	all   map[string]chan struct{}
	given bool // somebody did not come
}

func startMeeting(t *testing.T, expected int) *meeting {
	t.Helper()
	m := &meeting{came: map[string]int{}, all: map[string]chan struct{}{}}
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-m.come(r.URL.Path, expected):
		case <-r.Context().Done():
		case <-time.After(startLimit):
			m.mu.Lock()
			defer m.mu.Unlock()
			m.given = true
		}
	}))
	t.Cleanup(web.Close)
	m.URL = web.URL
	return m
}

// come returns what is closed when all have come.
func (m *meeting) come(path string, expected int) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all[path] == nil {
		m.all[path] = make(chan struct{})
	}
	if m.came[path]++; m.came[path] == expected {
		close(m.all[path])
	}
	return m.all[path]
}

func (m *meeting) alone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.given || len(m.came) == 0
}

func overHTTP(server realServer) func(*testing.T) []string {
	return func(t *testing.T) []string { return []string{"MCPHUB_SERVERS=" + server.id + "=" + server.start(t)} }
}

func everythingOverSSE(t *testing.T) []string {
	return []string{"MCPHUB_SERVERS=typescript=sse+" + startEverythingAt(t, "sse", freePort(t)).URL}
}

func everythingOverStdio(t *testing.T) []string {
	return []string{"MCPHUB_SERVER_TYPESCRIPT_COMMAND=" + strings.Join(npmCommand(t, "server-everything", "stdio"), " "),
		"MCPHUB_SERVER_TYPESCRIPT_ISOLATION=session"}
}

func fastmcpOverStdio(t *testing.T) []string {
	script, err := filepath.Abs(filepath.Join("testdata", "features_server.py"))
	if err != nil {
		t.Fatal(err)
	}
	return []string{"MCPHUB_SERVER_PYTHON_COMMAND=" + pythonServer(t, "python") + " -B " + script,
		"MCPHUB_SERVER_PYTHON_ISOLATION=session", "MCPHUB_SERVER_PYTHON_ENV_PYTHONUNBUFFERED=1"}
}

// others returns the clients that use a server, without those of its own SDK.
func others(id string) []realClient {
	return slices.DeleteFunc(slices.Clone(realClients), func(c realClient) bool { return !c.uses(id) })
}
