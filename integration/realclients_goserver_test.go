package integration

import (
	"fmt"
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
	start: func(t testing.TB) string {
		port := freePort(t)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		startProcess(t, port, []string{needPeer(t, "bin", "everything-server"), "-http", address, "-stateless=false"})
		return "http://" + address + "/mcp"
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
		{Do: "call", Name: "test_multiple_content_types", want: []string{`"type":"text"`, `"type":"image"`, `"type":"resource"`}},
		{Do: "show", Name: "tools", Of: "json_schema_2020_12_tool", want: []string{`"$schema":"https://json-schema.org/draft/2020-12/schema"`,
			`"$defs":{`, `"$anchor":"addressDef"`, `"if":{`, `"additionalProperties":false`}},
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

		{Do: "call", Name: "test_elicitation_sep1034_defaults", Answer: arguments{"name": "Ada", "age": 36}, want: []string{"accept", "Ada", "36"}},
		{Do: "await", Name: onElicit, want: []string{`"default":"John Doe"`, `"default":30`, `"default":95.5`, `"default":"active"`, `"default":true`}},
		// The SDK refuses its example's schema once it is answered: a list with titles must not say the type of its items.
		{Do: "call", Name: "test_elicitation_sep1330_enums", Answer: arguments{"untitledSingle": "option2"}, want: []string{"titledMulti"}},
		{Do: "await", Name: onElicit, want: []string{`"oneOf":[{`, `"anyOf":[{`, `"enumNames":["`, `"enum":["option1","option2","option3"]`}},

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
		{Do: "prompt", Name: "test_prompt_with_embedded_resource", Arguments: arguments{"resourceUri": "test://some"},
			want: []string{`"type":"resource"`, `"uri":"test://some"`}},
		{Do: "prompt", Name: "test_prompt_with_image", want: []string{`"type":"image"`, `"data":"iVBORw0KGgo`}},
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
