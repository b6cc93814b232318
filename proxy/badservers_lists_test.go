package proxy

import (
	"fmt"
	"strings"
)

// badLists are servers whose lists are bad.
var badLists = []badServer{
	{name: "repeats a cursor for ever", beside: overEvents, run: repeatsCursors},
	{name: "tools without a schema, with long names, listed twice", beside: overJSON, run: oddTools},
	{name: "list of tools that is always an error", beside: overStdio, run: listsNothing},
	{name: "huge number of tools", beside: overEvents, run: manyTools},
}

func repeatsCursors(x *trial) {
	h := x.host(overJSON, nil)
	pages := 0
	h.setLists(func(method, cursor string) string {
		switch method {
		case "tools/list":
			return `{"tools":[` + tool("do") + `],"nextCursor":"again"}`
		case "prompts/list":
			pages++
			return fmt.Sprintf(`{"prompts":[{"name":"p%d"}],"nextCursor":"%d"}`, pages, pages)
		}
		return ""
	})
	x.serve("bad", h.spec())
	x.expect("bad", connected, `tools/list: the cursor "again" came twice; the list ends there`, fmt.Sprintf("prompts/list: the list is cut at %d pages", maxPages))
	x.works("bad")
	want(x.t, "pages of tools", h.count("tools/list"), 2)
	h.offer("do")
	h.tellHub("notifications/tools/list_changed")
	x.await("no complaint", func(v *view) bool { return len(v.servers["bad"].features.problems) == 0 })
}

func oddTools(x *trial) {
	long := strings.Repeat("n", 300)
	h := x.host(overJSON, nil)
	h.setLists(listOf("tools/list", `{"name":"do"},{"name":"`+long+`","inputSchema":{"type":"object"}},{"name":"do","description":"again"}`))
	x.serve("bad", h.spec())
	x.expect("bad", connected, `tool "do": inputSchema made "type": "object"`, `"do" is listed twice; the first counts`)
	x.works("bad")
	public := publicName("bad", long)
	c := x.connect("/mcp", "user", `{}`)
	equal(x.t, "the list", c.result("tools/list"), `{"tools":[{"name":"bad__do","inputSchema":{"type":"object"}},`+tool(public)+`,`+tool("neighbour__fine")+`]}`)
	want(x.t, "length of the long name", len(public), maxName)
	equal(x.t, "the call", c.result(`tools/call {"name":"%s"}`, public), `{"content":[]}`)
	equal(x.t, "the name that the server sees", string(h.awaitMethod("tools/call").Params), `{"name":"do"}`)
	h.await("its own name", 0, func(m message) bool { return strings.Contains(m.text, `{"name":"`+long+`"}`) })
}

// listsNothing answers each list with an error. What its tools are is not known;
// why, is.
func listsNothing(x *trial) {
	h := x.host(overJSON, nil)
	h.setLists(func(method, _ string) string { return "" })
	h.initialize = initializeResult(`{"tools":{"listChanged":true}}`, "")
	h.set(spoiling("tools/list", failing(`{"code":-32000,"message":"the database is locked`+strings.Repeat("!", 1<<20)+`"}`)))
	x.serve("bad", h.spec())
	x.expect("bad", connected, "tools/list: the database is locked")
	want(x.t, "length of the reason", len(x.hub.Status().Servers[0].Problems[0]), 500)
	got := x.connect("/mcp", "user", `{}`).call(`tools/call {"name":"bad__do"}`)
	x.fails("a call", got, `unknown tool: bad__do`)
	h.offer("do")
	h.set(nil)
	h.tellHub("notifications/tools/list_changed")
	x.await("the tool", func(v *view) bool { return len(v.servers["bad"].features.lists[tools]) == 1 })
	x.works("bad")
}

func manyTools(x *trial) {
	const n = 12_000
	h := x.host(overJSON, nil)
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("t%05d", i)
	}
	list[0] = "do"
	h.offer(list...)
	x.serve("bad", h.spec())
	x.expect("bad", connected, fmt.Sprintf("tools/list: the list is cut at %d entries", maxFeatures))
	want(x.t, "tools", x.hub.Status().Servers[0].Tools, maxFeatures)
	x.works("bad")
}
