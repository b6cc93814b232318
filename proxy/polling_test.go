package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
)

// poller is a server that closes the stream of a call before the response and asks
// its client to come back in a minute. Whoever comes gets the response.
func poller(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m, err := jsonrpc.Parse(body)
	w.Header().Set("Mcp-Session-Id", "s")
	switch {
	case r.Method == http.MethodGet && r.Header.Get("Last-Event-Id") != "":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "id: 2\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[]}}\n\n", r.Header.Get("Last-Event-Id"))
	case r.Method == http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case err != nil || m.Kind() != jsonrpc.Request:
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "tools/call":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "id: %s\nretry: 60000\ndata: \n\n", m.ID)
	default:
		result := map[string]string{
			"initialize": initializeResult(`{"tools":{}}`, ""), "tools/list": `{"tools":[` + tool("slow") + `]}`,
		}[m.Method]
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
	}
}

// TestClientPollsEarly has a client come back for the rest of a call before the
// time that the server asked for: then so does the hub, as the client would have
// done without it.
func TestClientPollsEarly(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(poller))
	t.Cleanup(web.Close)
	f := newHub(t)
	f.desired <- discovery.Desired{Servers: []discovery.Server{
		{ID: "srv", Spec: discovery.Spec{Transport: discovery.StreamableHTTP, URL: web.URL}},
	}}
	f.awaitPhase("srv", connected)
	client := f.connect("/mcp", "c", `{}`)
	parted := client.post(request(`tools/call {"name":"srv__slow"}`))
	if !parted.closes {
		t.Error("the client is not told that the connection ends, and may send its next request there")
	}
	primed := parted.text()
	id, _, _ := strings.Cut(primed[strings.LastIndex(primed, "id: ")+len("id: "):], "\n")
	if !strings.Contains(primed, "retry: 60000") || id == "" {
		t.Fatalf("the client was told %q, want an id and when to come back", primed)
	}
	client.resume(id).expect(`"result":{"content":[]}`)
}
