package integration

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestRealClientsTransports lets the clients use servers of the other SDKs over the transports that have one stream for
// all: the legacy HTTP+SSE, and stdio with a process for each session. They do what they do over Streamable HTTP.
func TestRealClientsTransports(t *testing.T) {
	seat(t, func(s *seated) {
		for _, test := range []struct {
			name   string
			server realServer
			env    func(*testing.T) []string // of the hub
		}{
			{"typescript over sse", typescriptServer, everythingOverSSE},
			{"typescript over stdio", typescriptServer, everythingOverStdio},
			{"python over stdio", fastmcpServer, fastmcpOverStdio},
			{"go over sse", goFeatures, goFeaturesOverSSE},
			{"go over stdio", goFeatures, goFeaturesOverStdio},
		} {
			for _, client := range others(test.server.id) {
				s.run(client.name+" to "+test.name, func(t *testing.T) {
					hub := startHub(t, hubOptions{Env: test.env(t)})
					waitConnected(t, hub, test.server.id)
					endpoint := "/mcp/server/" + test.server.id
					steps := test.server.stepsAt(endpoint)
					checkAnswers(t, steps, client.run(t, script{hub.URL + endpoint, clientVersion, steps}))
				})
			}
		}
	})
}

// TestRealClientsSharedProcess lets clients use one process that all share, which may ask nobody.
func TestRealClientsSharedProcess(t *testing.T) {
	seat(t, func(s *seated) {
		for _, test := range []struct {
			server realServer
			env    func(*testing.T) []string
		}{
			{typescriptServer, everythingOverStdio},
			{fastmcpServer, fastmcpOverStdio},
		} {
			s.run(test.server.id, func(t *testing.T) { testShared(t, test.server, test.env(t)) })
		}
	})
}

func testShared(t *testing.T, server realServer, env []string) {
	env = slices.DeleteFunc(env, func(variable string) bool { return strings.HasSuffix(variable, "_ISOLATION=session") })
	hub := startHub(t, hubOptions{Env: env})
	waitConnected(t, hub, server.id)
	steps := []step{{Do: "initialize"}, {Do: "ping"}}
	for _, step := range shortSteps[server.id] {
		if step.Name != "sample" && step.Name != "trigger-sampling-request" {
			steps = append(steps, step)
		}
	}
	steps = append(steps, step{Do: "end"})
	var clients sync.WaitGroup
	for _, client := range others(server.id) {
		clients.Go(func() {
			checkAnswers(t, steps, client.run(t, script{hub.URL + "/mcp/server/" + server.id, clientVersion, steps}))
		})
	}
	clients.Wait()
}

func goFeaturesOverSSE(t *testing.T) []string {
	port := freePort(t)
	startProcess(t, port, gosdkCommand(t), serverVariable+"=features sse", fmt.Sprintf("%s=%d", portVariable, port))
	return []string{"MCPHUB_SERVERS=gofeatures=sse+" + serverURL("sse", port)}
}

func goFeaturesOverStdio(t *testing.T) []string {
	return []string{"MCPHUB_SERVER_GOFEATURES_COMMAND=" + gosdkCommand(t)[0], "MCPHUB_SERVER_GOFEATURES_ISOLATION=session",
		"MCPHUB_SERVER_GOFEATURES_ENV_" + serverVariable + "=features stdio"}
}
