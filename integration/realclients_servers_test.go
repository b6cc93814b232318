package integration

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
)

const (
	onMessage  = "notifications/message"
	onProgress = "notifications/progress"
	onUpdated  = "notifications/resources/updated"
	onSampling = "sampling/createMessage"
	onElicit   = "elicitation/create"
)

type arguments = map[string]any

// goServer is go-sdk's everything-server. It has no structured content, its completions are empty, and it asks legacy
// clients for no roots.
var goServer = realServer{
	id: "go",
	start: func(t testing.TB) *process {
		port := freePort(t)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		p := startProcess(t, port, []string{needPeer(t, "bin", "everything-server"), "-http", address, "-stateless=false"})
		p.URL = "http://" + address + "/mcp"
		return p
	},
	name: "mcp-conformance-test-server",
	says: []string{`"subscribe":true`, `"completions":{}`, `"logging":{}`, `"listChanged":true`},
	steps: []step{
		{Do: "ping"},
		{Do: "list", Name: "tools", want: []string{"test_simple_text", "json_schema_2020_12_tool"}, not: []string{"__transient"}},
		{Do: "call", Name: "test_simple_text", want: []string{`"text":"This is a simple text response for testing."`}},
		{Do: "call", Name: "test_image_content", want: []string{`"type":"image"`, `"mimeType":"image/png"`, `"data":"iVBORw0KGgo`}},
		{Do: "call", Name: "test_audio_content", want: []string{`"type":"audio"`, `"mimeType":"audio/wav"`}},
		{Do: "call", Name: "test_embedded_resource", want: []string{`"uri":"test://embedded-resource"`, `"text":"This is an embedded resource"`}},
		{Do: "call", Name: "test_error_handling", want: []string{`"isError":true`, "this tool intentionally returns an error"}},
		{Do: "call", Name: "no_such_tool", refused: true, want: []string{`"code":-32602`, "no_such_tool"}},
		{Do: "call", Name: "test_tool_with_progress"},
		{Do: "await", Name: onProgress, Until: `"progress":100`, once: []string{`"progress":0`, `"progress":50`, `"message":"Completed step 50 of 100"`}, want: []string{`"total":100`}},

		// The server logs nothing before the level is set.
		{Do: "call", Name: "test_tool_with_logging"},
		{Do: "level", Name: "info"},
		{Do: "call", Name: "test_logging_tool"},
		{Do: "await", Name: onMessage, Until: "test_logging_tool executed", want: []string{`"level":"info"`}, not: []string{"Tool execution"}},
		{Do: "call", Name: "test_tool_with_logging"},
		{Do: "await", Name: onMessage, Until: "Tool execution completed", once: []string{"Tool execution started", "Tool processing data"}},

		{Do: "call", Name: "test_sampling", Arguments: arguments{"prompt": "what?"}, want: []string{"LLM response: sampled: what?"}},
		{Do: "await", Name: onSampling, want: []string{`"maxTokens":100`, `"text":"what?"`}},
		{Do: "call", Name: "test_elicitation", Arguments: arguments{"message": "who?"}, Answer: arguments{"username": "ada"},
			want: []string{"action=accept, content=map[username:ada]"}},
		{Do: "await", Name: onElicit, want: []string{`"message":"who?"`, `"description":"Your preferred username"`}},
		{Do: "call", Name: "test_elicitation", Arguments: arguments{"message": "again?"}, Cancel: onElicit, want: []string{`"cancelled":true`}},
		// The server leaves the question open; the hub withdraws what nobody waits for.
		{Do: "await", Name: "withdrawn", at: viaHub},

		{Do: "list", Name: "resources", want: []string{"test://static-text", "test://static-binary", "test://watched-resource"}},
		{Do: "read", URI: "test://static-text", want: []string{`"text":"This is the content of the static text resource."`, `"mimeType":"text/plain"`}},
		{Do: "read", URI: "test://static-binary", want: []string{`"blob":"iVBORw0KGgo`, `"mimeType":"image/png"`}},
		{Do: "list", Name: "templates", want: []string{"test://template/{id}/data"}},
		{Do: "read", URI: "test://template/42/data", want: []string{"Data for ID: 42"}},
		{Do: "read", URI: "test://nothing", refused: true, want: []string{"esource not found"}},
		{Do: "subscribe", URI: "test://watched-resource"},
		{Do: "await", Name: onUpdated, Until: "test://watched-resource"},
		{Do: "unsubscribe", URI: "test://watched-resource"},

		{Do: "list", Name: "prompts", want: []string{"test_simple_prompt", "test_prompt_with_arguments"}, not: []string{"__transient"}},
		{Do: "prompt", Name: "test_simple_prompt", want: []string{`"text":"This is a simple prompt for testing."`}},
		{Do: "prompt", Name: "test_prompt_with_arguments", Arguments: arguments{"arg1": "one", "arg2": "two"}, want: []string{"arg1='one', arg2='two'"}},
		{Do: "complete", Name: "test_prompt_with_arguments", Arguments: arguments{"name": "arg1", "value": "o"}, want: []string{`"values":[]`}},

		{Do: "call", Name: "test_trigger_tool_change"},
		{Do: "await", Name: "notifications/tools/list_changed"},
		{Do: "list", Name: "tools", want: []string{"test_simple_text", "__transient_tool_for_list_changed"}},
		{Do: "call", Name: "test_trigger_prompt_change"},
		{Do: "await", Name: "notifications/prompts/list_changed"},
		{Do: "list", Name: "prompts", want: []string{"__transient_prompt_for_list_changed"}},
	},
	seen: []string{"cancelled test_elicitation"},
}

// typescriptServer is npm's server-everything, on the TypeScript SDK. Its lists change only with what clients declare.
var typescriptServer = realServer{
	id:    "typescript",
	start: startEverything,
	name:  "mcp-servers/everything",
	says:  []string{"Everything Server – Server Instructions", `"subscribe":true`, `"completions":{}`, `"logging":{}`, `"listChanged":true`},
	steps: []step{
		{Do: "ping"},
		{Do: "list", Name: "tools", want: []string{"echo", "trigger-long-running-operation"}},
		{Do: "call", Name: "get-sum", Arguments: arguments{"a": 40, "b": 2}, want: []string{"The sum of 40 and 2 is 42."}},
		{Do: "call", Name: "get-structured-content", Arguments: arguments{"location": "Chicago"},
			want: []string{`"structuredContent":{`, `"conditions":"Light rain / drizzle"`}},
		{Do: "call", Name: "get-tiny-image", want: []string{`"type":"image"`, `"mimeType":"image/png"`, `"data":"iVBORw0KGgo`}},
		{Do: "call", Name: "get-sum", Arguments: arguments{"a": "many"}, want: []string{`"isError":true`, "Input validation error"}},
		{Do: "call", Name: "trigger-long-running-operation", Arguments: arguments{"duration": 0.3, "steps": 3}, want: []string{"Long running operation completed"}},
		{Do: "await", Name: onProgress, Until: `"progress":3`, once: []string{`"progress":1`, `"progress":2`}, want: []string{`"total":3`}},
		{Do: "call", Name: "trigger-long-running-operation", Arguments: arguments{"duration": 60, "steps": 300}, Cancel: onProgress, want: []string{`"cancelled":true`}},

		// The server asks for roots when the session has begun, and again when they change, outside of any call.
		{Do: "await", Name: onMessage, Until: "Roots updated: 1 root(s)", once: []string{"Roots updated"}},
		{Do: "root", Name: "second", URI: "file:///second"},
		{Do: "await", Name: onMessage, Until: "Roots updated: 2 root(s)", once: []string{"Roots updated"}},
		{Do: "call", Name: "get-roots-list", want: []string{"first", "URI: file:///first", "second", "URI: file:///second"}},

		{Do: "call", Name: "trigger-sampling-request", Arguments: arguments{"prompt": "what?"},
			want: []string{"test-model", "sampled: Resource trigger-sampling-request context: what?"}},
		{Do: "await", Name: onSampling, want: []string{`"temperature":0.7`, `"systemPrompt":"You are a helpful test server."`}},
		{Do: "call", Name: "trigger-elicitation-request", Answer: arguments{"name": "Ada", "integer": 7}, want: []string{"- Name: Ada", "- Favorite Integer: 7"}},
		{Do: "await", Name: onElicit, want: []string{`"enumNames":["Cats"`, `"description":"Your full, legal name"`}},

		{Do: "list", Name: "resources", want: []string{"demo://resource/static/document/features.md"}},
		{Do: "read", URI: "demo://resource/static/document/features.md", want: []string{`"mimeType":"text/markdown"`, "# Everything Server"}},
		{Do: "list", Name: "templates", want: []string{"demo://resource/dynamic/text/{resourceId}", "demo://resource/dynamic/blob/{resourceId}"}},
		{Do: "read", URI: "demo://resource/dynamic/text/7", want: []string{`"text":"Resource 7: This is a plaintext resource`}},
		{Do: "read", URI: "demo://resource/dynamic/blob/7", want: []string{`"blob":"UmVzb3VyY2UgNzog`}},
		{Do: "read", URI: "demo://resource/dynamic/text/none", refused: true, want: []string{"demo://resource/dynamic/text/none"}},
		{Do: "call", Name: "gzip-file-as-resource", Arguments: arguments{"name": "tiny.gz", "data": "data:text/plain,hello", "outputType": "resourceLink"},
			want: []string{`"type":"resource_link"`, "demo://resource/session/tiny.gz"}},
		{Do: "await", Name: "notifications/resources/list_changed"},
		{Do: "list", Name: "resources", want: []string{"demo://resource/session/tiny.gz"}},
		{Do: "read", URI: "demo://resource/session/tiny.gz", want: []string{`"blob":"H4sI`, `"mimeType":"application/gzip"`}},

		{Do: "level", Name: "debug"},
		{Do: "subscribe", URI: "demo://resource/dynamic/text/7"},
		{Do: "await", Name: onMessage, Until: "Received Subscribe Resource request for URI: demo://resource/dynamic/text/7"},
		{Do: "call", Name: "toggle-subscriber-updates", want: []string{"Started simulated resource updated notifications"}},
		{Do: "await", Name: onUpdated, Until: "demo://resource/dynamic/text/7"},
		{Do: "call", Name: "toggle-subscriber-updates", want: []string{"Stopped simulated resource updates"}},
		{Do: "subscribe", URI: "demo://resource/dynamic/text/8"},
		{Do: "unsubscribe", URI: "demo://resource/dynamic/text/7"},
		{Do: "await", Name: onMessage, Until: "Received Unsubscribe Resource request: demo://resource/dynamic/text/7"},
		{Do: "call", Name: "toggle-subscriber-updates", want: []string{"Started simulated resource updated notifications"}},
		{Do: "await", Name: onUpdated, Until: "demo://resource/dynamic/text/8", not: []string{"text/7"}},
		{Do: "call", Name: "toggle-simulated-logging", want: []string{"Started simulated, random-leveled logging"}},
		{Do: "await", Name: onMessage, Until: "level"},

		{Do: "list", Name: "prompts", want: []string{"simple-prompt", "args-prompt", "completable-prompt", "resource-prompt"}},
		{Do: "prompt", Name: "simple-prompt", want: []string{`"text":"This is a simple prompt without arguments."`}},
		{Do: "prompt", Name: "args-prompt", Arguments: arguments{"city": "Graz", "state": "Styria"}, want: []string{"What's weather in Graz, Styria?"}},
		{Do: "prompt", Name: "args-prompt", refused: true, want: []string{`"code":-32602`, "city"}},
		{Do: "complete", Name: "completable-prompt", Arguments: arguments{"name": "department", "value": "S"}, want: []string{`"values":["Sales","Support"]`}},
		{Do: "complete", Name: "completable-prompt", Arguments: arguments{"name": "name", "value": ""}, Context: map[string]string{"department": "Sales"},
			want: []string{`"values":["David","Eve","Frank"]`}},
		{Do: "complete", URI: "demo://resource/dynamic/text/{resourceId}", Arguments: arguments{"name": "resourceId", "value": "12"}, want: []string{`"values":["12"]`}},
	},
	seen: []string{"cancelled trigger-long-running-operation", "notifications/roots/list_changed"},
}

// fastmcpServer is testdata/features_server.py, on FastMCP.
var fastmcpServer = realServer{
	id: "python",
	start: func(t testing.TB) *process {
		port := freePort(t)
		argv := []string{pythonServer(t, "python"), filepath.Join("testdata", "features_server.py"), strconv.Itoa(port)}
		p := startProcess(t, port, argv, "PYTHONUNBUFFERED=1")
		p.URL = fmt.Sprintf("http://127.0.0.1:%d/mcp", port)
		return p
	},
	name: "features",
	says: []string{"Ask for any feature.", `"completions":{}`, `"logging":{}`, `"listChanged":true`},
	steps: []step{
		{Do: "ping"},
		{Do: "list", Name: "tools", want: []string{"add", "was_cancelled"}, not: []string{"late"}},
		{Do: "call", Name: "add", Arguments: arguments{"a": 40, "b": 2}, want: []string{`"text":"42"`, `"structuredContent":{"result":42}`}},
		{Do: "call", Name: "picture", want: []string{`"type":"image"`, `"mimeType":"image/png"`, `"data":"iVBORw0KGgo="`}},
		{Do: "call", Name: "fail", want: []string{`"isError":true`, "as asked"}},
		{Do: "call", Name: "count", Arguments: arguments{"steps": 3}, want: []string{"counted 3"}},
		{Do: "await", Name: onProgress, Until: `"progress":3`, once: []string{`"progress":1`, `"progress":2`, `"message":"step 2"`}, want: []string{`"total":3`}},
		{Do: "call", Name: "wait", Cancel: onProgress, want: []string{`"cancelled":true`}},
		{Do: "call", Name: "was_cancelled", want: []string{"wait was cancelled"}},

		{Do: "level", Name: "warning"},
		{Do: "call", Name: "log", Arguments: arguments{"level": "info", "text": "too quiet"}},
		{Do: "call", Name: "log", Arguments: arguments{"level": "error", "text": "loud enough"}},
		{Do: "await", Name: onMessage, Until: "loud enough", once: []string{`"level":"error"`}, not: []string{"too quiet"}},

		{Do: "call", Name: "sample", Arguments: arguments{"prompt": "what?"}, want: []string{"test-model says sampled: what?"}},
		{Do: "await", Name: onSampling, want: []string{`"maxTokens":10`, `"text":"what?"`}},
		{Do: "call", Name: "elicit", Arguments: arguments{"question": "who?"}, Answer: arguments{"value": "Ada"}, want: []string{"accept: Ada"}},
		{Do: "await", Name: onElicit, want: []string{`"message":"who?"`, `"requestedSchema":{`}},
		{Do: "call", Name: "roots", want: []string{"first at file:///first"}, not: []string{"second"}},
		{Do: "root", Name: "second", URI: "file:///second"},
		{Do: "call", Name: "roots", want: []string{"first at file:///first, second at file:///second"}},

		{Do: "list", Name: "resources", want: []string{"data://text", "data://bytes", "data://number/0", "data://number/1099"}, not: []string{`"pages":1,`}},
		{Do: "read", URI: "data://text", want: []string{`"text":"a text"`, `"mimeType":"text/plain"`}},
		{Do: "read", URI: "data://bytes", want: []string{`"blob":"iVBORw0KGgo="`, `"mimeType":"image/png"`}},
		{Do: "read", URI: "data://number/1099", want: []string{`"text":"number 1099"`}},
		{Do: "list", Name: "templates", want: []string{"data://greeting/{name}"}},
		{Do: "read", URI: "data://greeting/Ada", want: []string{`"text":"Hello, Ada!"`}},

		{Do: "list", Name: "prompts", want: []string{"greet"}},
		{Do: "prompt", Name: "greet", Arguments: arguments{"name": "Ada"}, want: []string{`"text":"Greet Ada."`}},
		{Do: "prompt", Name: "greet", refused: true, want: []string{"name"}},
		{Do: "complete", Name: "greet", Arguments: arguments{"name": "name", "value": "A"}, want: []string{`"values":["Ada of the prompt","Alan of the prompt"]`}},
		{Do: "complete", Name: "greet", Arguments: arguments{"name": "name", "value": ""}, Context: map[string]string{"language": "COBOL"},
			want: []string{`"values":["Grace of the prompt"]`}},
		{Do: "complete", URI: "data://greeting/{name}", Arguments: arguments{"name": "name", "value": "G"}, want: []string{`"values":["Grace of the template"]`}},

		{Do: "call", Name: "add_tool", Arguments: arguments{"name": "late"}, want: []string{"added"}},
		{Do: "await", Name: "notifications/tools/list_changed"},
		{Do: "list", Name: "tools", want: []string{"add", "late"}},
		{Do: "call", Name: "late", want: []string{"this is late"}},
	},
	seen: []string{"cancelled wait", "notifications/roots/list_changed"},
}
