package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestListsByCapabilities lists server-everything, which has more tools for clients that can do more: directly and at
// every kind of endpoint, for clients of each kind in turn.
func TestListsByCapabilities(t *testing.T) {
	server := startEverything(t)
	hub := startHub(t, hubOptions{Env: []string{"MCPHUB_SERVERS=ev=" + server.URL, "MCPHUB_GROUPS=g=ev"}})
	waitConnected(t, hub, "ev")
	for _, c := range []struct {
		capabilities string
		tools        int
	}{
		{`{}`, 13},
		{`{"sampling":{},"elicitation":{},"roots":{"listChanged":true}}`, 16},
		{`{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{"listChanged":true}}`, 17},
		{`{"sampling":{}}`, 0}, // as many as directly, as below
		{`{"elicitation":{"form":{}}}`, 0},
		{`{"elicitation":{"form":{},"url":{}}}`, 0},
		{`{"roots":{}}`, 0},
	} {
		want := toolNames(t, server.URL, c.capabilities, "")
		if c.tools != 0 && len(want) != c.tools {
			t.Errorf("%s: the server has %d tools, want %d: %q", c.capabilities, len(want), c.tools, want)
		}
		for endpoint, prefix := range map[string]string{"/mcp/server/ev": "", "/mcp/group/g": "ev__", "/mcp": "ev__"} {
			if got := toolNames(t, hub.URL+endpoint, c.capabilities, prefix); !slices.Equal(got, want) {
				t.Errorf("%s at %s: got %d tools, want %d\n got %q\nwant %q", c.capabilities, endpoint, len(got), len(want), got, want)
			}
		}
	}
}

// toolNames returns the names of the tools, without the prefix, that a new session's first list has.
func toolNames(t *testing.T, url, capabilities, prefix string) (names []string) {
	t.Helper()
	result, err := openAs(t, url, "", capabilities).request(t.Context(), "tools/list", map[string]any{})
	if err != nil {
		t.Fatalf("tools/list at %s: %v", url, err)
	}
	var list struct{ Tools []struct{ Name string } }
	if err := json.Unmarshal(result, &list); err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		name, ok := strings.CutPrefix(tool.Name, prefix)
		if !ok {
			t.Errorf("%s lists %q, without the prefix %q", url, tool.Name, prefix)
		}
		names = append(names, name)
	}
	return names
}
