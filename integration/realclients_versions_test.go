package integration

import (
	"slices"
	"testing"
	"time"
)

// legacyVersions are all that the SDKs' clients agree upon by initialize.
var legacyVersions = []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}

// shortSteps is a little of everything that was there from the first version on, by the server's id.
var shortSteps = map[string][]step{
	goServer.id: {
		{Do: "list", Name: "tools", want: []string{"test_simple_text"}},
		{Do: "call", Name: "test_simple_text", want: []string{`"text":"This is a simple text response for testing."`}},
		{Do: "call", Name: "test_sampling", Arguments: arguments{"prompt": "what?"}, want: []string{"LLM response: sampled: what?"}},
		{Do: "read", URI: "test://static-text", want: []string{`"text":"This is the content of the static text resource."`}},
		{Do: "prompt", Name: "test_simple_prompt", want: []string{`"text":"This is a simple prompt for testing."`}},
	},
	typescriptServer.id: {
		{Do: "list", Name: "tools", want: []string{"echo"}},
		{Do: "call", Name: "get-sum", Arguments: arguments{"a": 40, "b": 2}, want: []string{"The sum of 40 and 2 is 42."}},
		{Do: "call", Name: "trigger-sampling-request", Arguments: arguments{"prompt": "what?"}, want: []string{"sampled: Resource trigger-sampling-request context: what?"}},
		{Do: "read", URI: "demo://resource/dynamic/text/7", want: []string{`"text":"Resource 7: This is a plaintext resource`}},
		{Do: "prompt", Name: "simple-prompt", want: []string{`"text":"This is a simple prompt without arguments."`}},
	},
	fastmcpServer.id: {
		{Do: "list", Name: "tools", want: []string{"add"}},
		{Do: "call", Name: "add", Arguments: arguments{"a": 40, "b": 2}, want: []string{`"text":"42"`}},
		{Do: "call", Name: "sample", Arguments: arguments{"prompt": "what?"}, want: []string{"test-model says sampled: what?"}},
		{Do: "read", URI: "data://text", want: []string{`"text":"a text"`}},
		{Do: "prompt", Name: "greet", Arguments: arguments{"name": "Ada"}, want: []string{`"text":"Greet Ada."`}},
	},
}

// TestRealClientsVersions lets each SDK's client speak each legacy version through the hub, which speaks the same to the
// server.
func TestRealClientsVersions(t *testing.T) {
	seat(t, func(s *seated) {
		for _, server := range []realServer{goServer, typescriptServer, fastmcpServer} {
			url := server.start(t)
			for _, client := range others(server.id) {
				for _, version := range legacyVersions {
					name := client.name + " to " + server.id + " at " + version
					s.run(name, func(t *testing.T) { testVersion(t, client, server, url, version) })
				}
			}
		}
	})
}

func testVersion(t *testing.T, client realClient, server realServer, url, version string) {
	recorder := startRecorder(t, url)
	hub := startHubOf(t, server.id, recorder.URL)
	initialize := step{Do: "initialize", want: []string{`"name":"` + server.name + `"`, `"protocolVersion":"` + version + `"`}}
	steps := slices.Concat([]step{initialize}, shortSteps[server.id], []step{{Do: "end"}})
	checkAnswers(t, steps, client.run(t, script{hub.URL + "/mcp/server/" + server.id, version, steps}))
	want := "initialize " + client.name + " " + version
	eventually(t, 10*time.Second, want+" at the server", func() bool { return recorder.has(want) })
}

// uses reports whether the server is among those of the client.
func (c realClient) uses(id string) bool {
	return slices.ContainsFunc(c.servers, func(s realServer) bool { return s.id == id })
}
