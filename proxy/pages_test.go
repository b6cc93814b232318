package proxy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// paged returns tools t0, t1 and so on, in pages, with a cursor of each page's
// number.
func paged(n, size int) func(method, cursor string) string {
	return func(method, cursor string) string {
		if method != "tools/list" {
			return ""
		}
		page := 0
		_, _ = fmt.Sscanf(cursor, `"page \u00e9 %d"`, &page)
		var out []string
		for i := page * size; i < min(n, (page+1)*size); i++ {
			out = append(out, tool(fmt.Sprintf("t%d", i)))
		}
		next := ""
		if (page+1)*size < n {
			next = fmt.Sprintf(`,"nextCursor":"page \u00e9 %d"`, page+1)
		}
		return `{"tools":[` + strings.Join(out, ",") + `]` + next + `}`
	}
}

// listed is one page of a list.
type listed struct {
	Tools []struct{ Name string }
	Next  string `json:"nextCursor"`
}

func (c *client) page(cursor string) (page listed) {
	c.t.Helper()
	params := `{}`
	if cursor != "" {
		params = `{"cursor":"` + cursor + `"}`
	}
	if err := json.Unmarshal([]byte(c.result("tools/list %s", params)), &page); err != nil {
		c.t.Fatal(err)
	}
	return page
}

// TestPages has 3,000 tools in pages of 500; clients get them in pages of 1,000.
func TestPages(t *testing.T) {
	onEach(t, wires, func(t *testing.T, w wire) {
		server := offering("srv", w)
		server.setLists(paged(3000, 500))
		f := newFleet(t, server)
		for _, at := range endpoints("srv") {
			client := f.connect(at.path, "c", `{}`)
			var sizes []int
			var names []string
			for cursor := ""; ; {
				page := client.page(cursor)
				sizes = append(sizes, len(page.Tools))
				for _, tool := range page.Tools {
					names = append(names, tool.Name)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			equal(t, at.path+": pages", fmt.Sprint(sizes), "[1000 1000 1000]")
			for i, name := range names {
				if want := fmt.Sprintf("%st%d", at.prefix, i); name != want {
					t.Fatalf("%s: tool %d is %s, want %s", at.path, i, name, want)
				}
			}
			if got := client.result(`tools/call {"name":"%st2999"}`, at.prefix); got != `{"content":[]}` {
				t.Errorf("%s: the last tool answers %s", at.path, got)
			}
			for _, bad := range []string{`""`, `"x"`, `5`, `"YWZ0ZXI6bm9uZQ"`} {
				if got := client.call(`tools/list {"cursor":%s}`, bad)[0]; !strings.Contains(got, `"code":-32602`) {
					t.Errorf("%s: cursor %s: got %.200s, want -32602", at.path, bad, got)
				}
			}
			if page := client.page(""); page.Next == "" || client.result(`tools/list {"cursor":null}`) != client.result(`tools/list`) {
				t.Errorf("%s: a null cursor is not the first page", at.path)
			}
		}
	})
}

// TestCursors has servers page in ways that never end, or look as if they ended.
func TestCursors(t *testing.T) {
	t.Parallel()
	page := func(name, next string) string { return `{"tools":[` + tool(name) + `],"nextCursor":` + next + `}` }
	for _, c := range []struct {
		name  string
		list  func(cursor string) string
		tools int
		want  string // problem
	}{
		{"the same cursor again", func(string) string { return page("a", `"x"`) }, 1, "came twice"},
		{"two in turn", func(cursor string) string {
			if cursor == `"x"` {
				return page("b", `"y"`)
			}
			return page("a", `"x"`)
		}, 2, "came twice"},
		{"the empty cursor", func(cursor string) string {
			if cursor == `""` {
				return `{"tools":[` + tool("b") + `]}`
			}
			return page("a", `""`)
		}, 2, ""},
		{"null", func(string) string { return page("a", `null`) }, 1, ""},
		{"a number", func(string) string { return page("a", `5`) }, 1, ""},
		{"ever new, nothing listed", func(cursor string) string {
			return `{"tools":[],"nextCursor":"x` + strings.Trim(cursor, `"`) + `"}`
		}, 0, "pages"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := offering("srv", overJSON)
			server.setLists(func(method, cursor string) string {
				if method == "tools/list" {
					return c.list(cursor)
				}
				return ""
			})
			f := newFleet(t, server)
			if got := f.hub.Status().Servers[0]; got.Tools != c.tools || !strings.Contains(strings.Join(got.Problems, ""), c.want) || c.want == "" && got.Problems != nil {
				t.Errorf("got %d tools and problems %q, want %d and %q", got.Tools, got.Problems, c.tools, c.want)
			}
		})
	}
}
