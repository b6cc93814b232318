package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const batchVersion = "2025-03-26"

// startBatches starts a hub with npm's server-everything, and returns what posts to it in a session of 2025-03-26, as a
// client of that version does: without a version header.
func startBatches(t *testing.T) (post func(body string) *http.Response) {
	server := startEverything(t)
	hub := startHub(t, hubOptions{Env: []string{"MCPHUB_SERVERS=es=" + server.URL}})
	waitConnected(t, hub, "es")
	session := ""
	post = func(body string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, hub.URL+"/mcp", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		if session != "" {
			r.Header.Set("Mcp-Session-Id", session)
		}
		resp, err := (&http.Client{Timeout: requestLimit}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	hello := post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"` + batchVersion + `","capabilities":{},"clientInfo":{"name":"batches","version":"1"}}}`)
	if text := text(t, hello); !strings.Contains(text, `"protocolVersion":"`+batchVersion+`"`) {
		t.Fatalf("initialize: %d %s", hello.StatusCode, text)
	}
	session = hello.Header.Get("Mcp-Session-Id")
	return post
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestBatch sends messages of every kind in one array and gets one array back.
func TestBatch(t *testing.T) {
	post := startBatches(t)
	if resp := post(`[{"jsonrpc":"2.0","method":"notifications/initialized"}]`); resp.StatusCode != http.StatusAccepted {
		t.Errorf("a notification alone: %d %s", resp.StatusCode, text(t, resp))
	}
	resp := post(`[
		{"jsonrpc":"2.0","id":"tools","method":"tools/list"},
		{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"es__echo","arguments":{"message":"in a batch"}}},
		{"jsonrpc":"2.0","method":"notifications/roots/list_changed"},
		{"jsonrpc":"2.0","id":3,"method":"ping"},
		{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"es__get-sum","arguments":{"a":20,"b":22}}},
		{"jsonrpc":"2.0","id":5,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}]`)
	body := text(t, resp)
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "application/json" {
		t.Fatalf("got %d, %s: %s", resp.StatusCode, kind, body)
	}
	var answers []message
	if err := json.Unmarshal([]byte(body), &answers); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	want := map[string]string{`"tools"`: `"es__echo"`, "2": "in a batch", "3": "{}", "4": "42", "5": "initialize must not be part of a batch"}
	for _, a := range answers {
		got := string(a.Result)
		if a.Error != nil {
			got = a.Error.Message
		}
		if part, ok := want[string(a.ID)]; !ok || !strings.Contains(got, part) {
			t.Errorf("response to %s: got %s, want %q in it", a.ID, got, part)
		}
		delete(want, string(a.ID))
	}
	if len(want) > 0 {
		t.Errorf("without a response: %v", want)
	}
}

// TestBatchWithProgress has a call report progress: each message and each response is an event then.
func TestBatchWithProgress(t *testing.T) {
	post := startBatches(t)
	const steps = 4
	resp := post(fmt.Sprintf(`[
		{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"es__trigger-long-running-operation",
			"arguments":{"duration":0.8,"steps":%d},"_meta":{"progressToken":"its token"}}},
		{"jsonrpc":"2.0","id":2,"method":"ping"}]`, steps))
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("got %d, %s: %s", resp.StatusCode, kind, text(t, resp))
	}
	var got []string
	for events := bufio.NewScanner(resp.Body); events.Scan(); {
		m, ok, err := event(events.Bytes())
		switch {
		case err != nil:
			t.Fatal(err)
		case ok && m.Method != "":
			var params struct{ ProgressToken string }
			if err := json.Unmarshal(m.Params, &params); err != nil || params.ProgressToken != "its token" {
				t.Errorf("%s: %s, %v", m.Method, m.Params, err)
			}
			got = append(got, m.Method)
		case ok && m.Error == nil:
			got = append(got, "response to "+string(m.ID))
		}
	}
	ping := slices.Index(got, "response to 2") // at any time
	if ping < 0 {
		t.Fatalf("no response to the ping: %q", got)
	}
	got = slices.Delete(got, ping, ping+1)
	want := append(slices.Repeat([]string{"notifications/progress"}, steps), "response to 1")
	if !slices.Equal(got, want) {
		t.Errorf("events: got %q, want %q", got, want)
	}
}
