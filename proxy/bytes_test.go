package proxy

import (
	"fmt"
	"strings"
	"testing"

	"mcphub/proxy/jsonrpc"
)

// survivors are the messages that decoding and encoding again would change. NAME
// stands for the tool's name, TOKEN for the progress token: the only values that
// are not the same at both ends.
var survivors = []struct {
	name   string
	id     string // the client's
	method string
	params string
	before string // params of a notification before the response
	result string
	err    string
}{
	{
		name: "big integers", id: `71`, method: "tools/call",
		params: `{"name":NAME,"arguments":{"n":9007199254740993,"f":1.0,"e":1e2,"z":-0},"_meta":{"progressToken":TOKEN,"x":9007199254740993}}`,
		before: `{"progressToken":TOKEN,"progress":1.0,"total":9007199254740993}`,
		result: `{"content":[],"structuredContent":{"n":9007199254740993,"f":1.0,"e":1e2},"_meta":{"n":9007199254740993}}`,
	},
	{
		name: "key order and whitespace", id: `"a"`, method: "tools/call",
		params: `{ "z" : 1 , "arguments" : { "b" : 1 , "a" : [ 1 , 2 ] } , "name" : NAME , "a" : 2 }`,
		result: `{ "structuredContent" : { "z" : 1 , "a" : 2 } , "content" : [ ] }`,
	},
	{
		name: "unknown fields", id: `71.0`, method: "tools/call",
		params: `{"name":NAME,"arguments":{},"task":{"ttl":60000},"unknown":{"deep":[null,true]}}`,
		before: `{"progressToken":TOKEN,"progress":1,"unknown":{"a":null}}`,
		result: `{"content":[{"type":"text","text":"x","unknown":1,"annotations":{"priority":0,"unknown":2}}],"isError":false,"unknown":{"a":[]}}`,
	},
	{
		name: "unknown content type", id: `-5`, method: "tools/call",
		params: `{"name":NAME}`,
		result: `{"content":[{"type":"video","data":"AAAA","mimeType":"video/mp4"},{"type":"audio","data":" QUFB\tQUFB ","mimeType":"x"}]}`,
	},
	{
		name: "task", id: `"task é \u00e9"`, method: "tools/call",
		params: `{"name":NAME,"arguments":{},"task":{"ttl":60000}}`,
		result: `{"task":{"taskId":"786512\u0065\/","status":"working","ttl":9007199254740993,"pollInterval":5e3,"unknown":[1.0]},"unknown":null,"_meta":{"io.modelcontextprotocol/model-immediate-response":"\u00e9"}}`,
	},
	{
		name: "null and empty values", id: `0`, method: "tools/call",
		params: `{"name":NAME,"arguments":{"a":null,"b":"","c":[],"d":{}},"_meta":{}}`,
		result: `{"content":[{"type":"resource","resource":{"uri":"x:y","text":""}},{"type":"resource_link","uri":"x:y","name":""}],"structuredContent":null,"isError":false}`,
	},
	{
		name: "escapes", id: `"\u0041\/"`, method: "tools/call",
		params: `{"name":NAME,"arguments":{"a\u00e9":"\u00e9\/\ud83d\ude00\ud800 é😀 \"\\\b\f\n\r\t<>&\u2028"}}`,
		result: `{"content":[{"type":"text","text":"\u00e9\/\ud83d\ude00\udfff é😀 \u003c<>&\u2028 "}]}`,
	},
	{
		name: "base64 with whitespace", id: `1e3`, method: "tools/call",
		params: `{"name":NAME,"arguments":{"blob":"QUFB\nQUFB=="}}`,
		result: `{"content":[{"type":"image","data":"QUFB\r\nQUFB\n","mimeType":"image/png"}]}`,
	},
	{
		name: "error data", id: `9007199254740993`, method: "tools/call",
		params: `{"name":NAME}`,
		err:    `{"code":-32000,"message":"no \u00e9","data":{"n":9007199254740993,"f":1.0,"nested":[{"b":1,"a":2}]},"unknown":true}`,
	},
	{
		name: "url elicitation required", id: `"x"`, method: "tools/call",
		params: `{"name":NAME,"arguments":{}}`,
		err:    `{"code":-32042,"message":"sign in","data":{"elicitations":[{"mode":"url","elicitationId":"550e8400","url":"https:\/\/example.com\/?a=1&b=2","message":"go"}]}}`,
	},
	{
		name: "error without data, null data", id: `1`, method: "prompts/get",
		params: `{"name":NAME,"arguments":{"a":"9007199254740993"}}`,
		err:    `{"data":null,"message":"","code":-32602.0}`,
	},
	{
		name: "prompt", id: `1`, method: "prompts/get",
		params: `{"arguments":{"b":"1","a":"2"},"name":NAME,"unknown":1.50}`,
		result: `{"messages":[{"role":"narrator","content":{"type":"hologram","x":1.0}}],"description":""}`,
	},
	{
		name: "resource", id: `1`, method: "resources/read",
		params: `{"uri":"fake:\/\/a\u002Fb","_meta":{"traceparent":"00-x","n":1.0}}`,
		result: `{"contents":[{"uri":"fake://a/b","text":"","_meta":{"n":9007199254740993}},{"uri":"fake://a/b","blob":"QQ ==","unknown":0}]}`,
	},
	{
		name: "completion", id: `1`, method: "completion/complete",
		params: `{"ref":{"type":"ref/prompt","name":NAME,"title":"\u00e9"},"argument":{"name":"a","value":""},"context":{"arguments":{"z":"1"}}}`,
		result: `{"completion":{"values":[],"total":9007199254740993,"hasMore":false,"unknown":1}}`,
	},
	{
		name: "result that is no object of the schema", id: `1`, method: "tools/call",
		params: `{"name":NAME}`, result: `{"resultType":"task","taskId":"t","\u0061":1}`,
	},
}

// survivor is the server of TestBytesSurvive: each case's tool has the name of
// its number.
func survivor(id string, w wire, pretty bool) *fake {
	named := make([]string, len(survivors))
	for i := range survivors {
		named[i] = fmt.Sprintf(`{"name":"case%d","inputSchema":{"type":"object"}}`, i)
	}
	all := strings.Join(named, ",")
	return &fake{
		id: id, wire: w,
		lists: listOf("tools/list", all, "prompts/list", all, "resources/list", `{"uri":"fake://a/b","name":""}`),
		answer: func(x *exchange) {
			for i, c := range survivors {
				if c.method != x.Method || !strings.Contains(x.text, fmt.Sprintf(`"case%d"`, i)) && c.method != "resources/read" {
					continue
				}
				if c.before != "" && w != overJSON && x.token() != "" {
					x.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":` + strings.ReplaceAll(c.before, "TOKEN", x.token()) + `}`)
				}
				result, e := c.result, c.err
				if pretty {
					result, e = spread(result), spread(e)
				}
				if e != "" {
					x.fail(e)
				} else {
					x.respond(result)
				}
				return
			}
			x.fail(`{"code":-1,"message":"no such case"}`)
		},
	}
}

// spread puts a line break after each comma between tokens, and an indent: what
// is pretty-printed stays one message.
func spread(text string) string {
	var out strings.Builder
	inString := false
	for i := 0; i < len(text); i++ {
		out.WriteByte(text[i])
		switch {
		case text[i] == '\\':
			i++
			out.WriteByte(text[i])
		case text[i] == '"':
			inString = !inString
		case !inString && (text[i] == ',' || text[i] == '{'):
			out.WriteString("\n  ")
		}
	}
	return out.String()
}

// TestBytesSurvive sends what decoders and encoders change through the hub, over
// every transport and at every endpoint, and compares bytes at both ends.
func TestBytesSurvive(t *testing.T) {
	t.Parallel()
	for _, w := range wires {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			server := survivor("srv", w, false)
			f := newFleet(t, server)
			for _, at := range endpoints("srv") {
				client := f.connect(at.path, "bytes", `{}`)
				for i, c := range survivors {
					t.Run(at.path+" "+c.name, func(t *testing.T) { client.survives(t, server, i, at.prefix) })
				}
			}
		})
	}
}

// survives makes the call of a case and compares.
func (c *client) survives(t *testing.T, server *fake, i int, prefix string) {
	in := survivors[i]
	const token = `"t\u00e9"`
	server.mu.Lock()
	skip := len(server.got)
	server.mu.Unlock()
	fill := func(text, name, token string) string {
		return strings.NewReplacer("NAME", `"`+name+`"`, "TOKEN", token).Replace(text)
	}
	own := fmt.Sprintf("case%d", i)
	got := c.post(`{"jsonrpc":"2.0","id":` + in.id + `,"method":"` + in.method + `","params":` + fill(in.params, prefix+own, token) + `}`).all()

	m, _ := server.await(in.method, skip, func(m message) bool { return m.Method == in.method })
	equal(t, "the server got params", string(m.Params), fill(in.params, own, string(m.Field(jsonrpc.MetaProgressToken))))

	want := `{"jsonrpc":"2.0","id":` + in.id + `,"result":` + in.result + `}`
	if in.err != "" {
		want = `{"jsonrpc":"2.0","id":` + in.id + `,"error":` + in.err + `}`
	}
	equal(t, "the client got", got[len(got)-1], want)
	if in.before != "" && strings.Contains(in.params, "TOKEN") && server.wire != overJSON {
		equal(t, "before that", got[0], `{"jsonrpc":"2.0","method":"notifications/progress","params":`+fill(in.before, "", token)+`}`)
	} else if len(got) != 1 {
		t.Errorf("got %d messages, want 1: %q", len(got), got)
	}
}

// TestPrettyPrinted sends results with line breaks between tokens. Where they go
// out as JSON they are the same bytes; as events, the breaks become spaces.
func TestPrettyPrinted(t *testing.T) {
	t.Parallel()
	for _, w := range wires {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			server := survivor("srv", w, true)
			f := newFleet(t, server)
			client := f.connect("/mcp", "bytes", `{}`)
			for i, c := range survivors {
				if c.method != "tools/call" {
					continue
				}
				want := `{"jsonrpc":"2.0","id":1,"result":` + spread(c.result) + `}`
				if c.err != "" {
					want = `{"jsonrpc":"2.0","id":1,"error":` + spread(c.err) + `}`
				}
				a := client.post(request(`tools/call {"name":"srv__case%d","_meta":{"progressToken":1}}`, i))
				if a.events() {
					want = strings.ReplaceAll(want, "\n", " ")
				}
				got := a.all()
				equal(t, c.name, got[len(got)-1], want)
			}
		})
	}
}
