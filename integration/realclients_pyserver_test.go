package integration

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
)

// fastmcpServer is testdata/features_server.py, on FastMCP.
var fastmcpServer = realServer{
	id: "python",
	start: func(t testing.TB) string {
		port := freePort(t)
		argv := []string{pythonServer(t, "python"), "-B", filepath.Join("testdata", "features_server.py"), strconv.Itoa(port)}
		startProcess(t, port, argv, "PYTHONUNBUFFERED=1")
		return fmt.Sprintf("http://127.0.0.1:%d/mcp", port)
	},
	name: "features",
	says: []string{"Ask for any feature.", `"completions":{}`, `"logging":{}`, `"listChanged":true`},
	steps: append([]step{
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
	}, featureSteps...),
	seen: []string{"cancelled wait", "notifications/roots/list_changed"},
}
