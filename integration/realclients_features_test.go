package integration

const (
	onComplete     = "notifications/elicitation/complete"
	onRootsChanged = "notifications/roots/list_changed"
)

// featureSteps are what clients do with the servers that were made for these tests, one with each SDK: each offers the same,
// of which the SDKs' own examples offer little. Descriptions have all that may be in them.
var featureSteps = []step{
	{Do: "show", Name: "tools", Of: "described", want: append([]string{
		`"name":"`, `"description":"Has all that a tool may have."`, `"readOnlyHint":true`, `"destructiveHint":false`, `"idempotentHint":true`,
		`"openWorldHint":false`, `"outputSchema":{`, `"degrees":{`, `"inputSchema":{`}, described...)},
	{Do: "show", Name: "resources", Of: "described://text", want: append([]string{
		`"mimeType":"text/plain"`, `"audience":["user"]`, `"priority":0.5`, `"lastModified":"2025-01-12T15:00:58Z"`}, described...)},
	{Do: "show", Name: "templates", Of: "described://{name}/text", want: append([]string{`"mimeType":"text/plain"`, `"priority":0.5`}, described...)},
	{Do: "show", Name: "prompts", Of: "described", want: append([]string{`"arguments":[{`, `"name":"whom"`, `"required":true`}, described...)},

	{Do: "call", Name: "described", Arguments: arguments{"city": "Graz"},
		want: []string{`"structuredContent":{`, `"city":"Graz"`, `"degrees":21.5`, `"_meta":{`, `"example.com/result":"kept"`}},
	{Do: "call", Name: "contents", want: []string{
		`"type":"audio"`, `"data":"UklGRg=="`, `"mimeType":"audio/wav"`,
		`"type":"image"`, `"data":"iVBORw0KGgo="`, `"audience":["assistant"]`, `"priority":0.25`,
		`"type":"resource"`, `"uri":"embedded://text"`, `"text":"an embedded text"`, `"uri":"embedded://bytes"`, `"blob":"AAEC"`,
		`"type":"resource_link"`, `"uri":"linked://text"`, `"title":"A linked text"`, `"size":11`, `"src":"https://example.com/icon.png"`}},

	{Do: "call", Name: "open", want: []string{"accept"}},
	{Do: "await", Name: onElicit, want: []string{`"mode":"url"`, `"elicitationId":"open-1"`, `"url":"https://example.com/open?a=b&c=d"`, `"message":"Please open this."`}},
	{Do: "await", Name: onComplete, once: []string{`"elicitationId":"open-1"`}},
	{Do: "call", Name: "locked", refused: true, want: []string{`"code":-32042`, `"data":{"elicitations":[{`, `"mode":"url"`, `"elicitationId":"lock-1"`,
		`"url":"https://example.com/unlock"`, `"message":"Please unlock."`}},
	{Do: "await", Name: onComplete, once: []string{`"elicitationId":"lock-1"`}},
	{Do: "call", Name: "locked", want: []string{"unlocked"}},

	{Do: "call", Name: "weather", want: []string{"test-model says sampled: 21.5 degrees in Graz"}},
	{Do: "await", Name: onSampling, want: []string{`"toolChoice":{"mode":"required"}`, `"tools":[{`, `"name":"thermometer"`,
		`"type":"tool_use"`, `"id":"use-1"`, `"input":{"city":"Graz"}`, `"type":"tool_result"`, `"toolUseId":"use-1"`}},
	{Do: "call", Name: "form", Answer: arguments{"name": "Ada", "colour": "red", "fruits": []string{"apple", "plum"}, "size": "l"},
		want: []string{"accept", "Ada", "red", "plum", "size"}},
	{Do: "await", Name: onElicit, want: []string{`"message":"Fill in."`, `"default":"Grace"`, `"minLength":2`, `"enum":["red","green"]`, `"default":"green"`,
		`"enum":["apple","plum"]`, `"oneOf":[{`, `"const":"l"`, `"title":"Large"`, `"format":"email"`, `"default":true`, `"required":["name"]`}},
	{Do: "call", Name: "ping", want: []string{"pong"}},

	// The server closes the stream of the call, and clients come back for the rest.
	{Do: "call", Name: "poll", want: []string{"polled"}},
	{Do: "await", Name: onProgress, Until: "after", once: []string{`"message":"before"`, `"message":"after"`}},
}

// described is what every description has, beside the members of its kind.
var described = []string{`"title":"Described"`, `"icons":[{`, `"src":"https://example.com/icon.png"`, `"mimeType":"image/png"`, `"sizes":["48x48"]`,
	`"_meta":{`, `"example.com/kept":{"number":9007199254740991}`}

// moreSteps are for the two servers that have nothing else.
var moreSteps = []step{
	{Do: "ping"},
	{Do: "list", Name: "tools", want: []string{"described", "contents", "open", "locked", "weather", "form", "ping", "poll", "count"}},
	{Do: "call", Name: "count", Arguments: arguments{"steps": 3}, want: []string{"counted 3"}},
	{Do: "await", Name: onProgress, Until: "step 3", once: []string{`"message":"step 1"`, `"message":"step 2"`}, want: []string{`"total":3`}},
	{Do: "level", Name: "info"},
	{Do: "root", Name: "second", URI: "file:///second"},
	{Do: "await", Name: onMessage, Until: "first, second", want: []string{`"level":"notice"`}},
	{Do: "read", URI: "described://text", want: []string{`"text":"a text"`}},
	{Do: "read", URI: "described://Ada/text", want: []string{`"text":"a text of Ada"`}},
	{Do: "prompt", Name: "described", Arguments: arguments{"whom": "Ada"}, want: []string{"Greet Ada.", `"description":"A greeting"`}},
	{Do: "complete", Name: "described", Arguments: arguments{"name": "whom", "value": "A"}, Context: map[string]string{"language": "English"},
		want: []string{`"values":["A in English"]`, `"total":7`, `"hasMore":true`}},
}

// goFeatures is the tests' own server made with go-sdk.
var goFeatures = realServer{
	id:    "gofeatures",
	start: startGoFeatures,
	name:  "features",
	says:  []string{"Ask for any feature.", `"completions":{}`, `"logging":{}`},
	info:  []string{`"title":"Features"`, `"websiteUrl":"https://example.com"`, `"src":"https://example.com/icon.png"`},
	steps: append(append([]step{}, moreSteps...), featureSteps...),
	seen:  []string{onRootsChanged},
}

// typescriptFeatures is testdata/features_server.mjs.
var typescriptFeatures = realServer{
	id:    "tsfeatures",
	start: startTypescriptFeatures,
	name:  "features",
	says:  goFeatures.says,
	info:  goFeatures.info,
	steps: goFeatures.steps,
	seen:  []string{onRootsChanged},
}
