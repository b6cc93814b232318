package integration

import "testing"

// typescriptServer is npm's server-everything, on the TypeScript SDK. Its lists change only with what clients declare.
var typescriptServer = realServer{
	id:    "typescript",
	start: func(t testing.TB) string { return startEverything(t).URL },
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
