package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/mcpserver"
)

func idleHub(t *testing.T, r Reconnect) *Hub {
	keys, err := mcpserver.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Version: "test", Keys: keys, Reconnect: r, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
}

// bubbleHub runs a hub for remotes until the test ends.
func bubbleHub(t *testing.T, r Reconnect, remotes ...*remote) *Hub {
	h := idleHub(t, r)
	ctx, stop := context.WithCancel(context.Background())
	var d discovery.Desired
	for _, r := range remotes {
		server := r.declaration()
		l := newLink(ctx, h, server)
		l.dial = r.dial
		s := &state{link: l, server: server, phase: starting, since: time.Now()}
		h.states[r.id] = s
		h.links.Go(func() { l.run(*s) })
		d.Servers = append(d.Servers, server)
	}
	desired := make(chan discovery.Desired)
	beside(t, func() { h.Run(ctx, desired) }, stop)
	desired <- d
	return h
}

// bubbleClient is a session of a client at /mcp.
type bubbleClient struct {
	hub     *Hub
	session string
}

func newBubbleClient(t *testing.T, h *Hub) *bubbleClient { return newCapableClient(t, h, `{}`) }

func newCapableClient(t *testing.T, h *Hub, capabilities string) *bubbleClient {
	c := &bubbleClient{hub: h}
	w := c.post(helloOf("c", capabilities))
	if c.session = w.Header().Get("Mcp-Session-Id"); c.session == "" {
		t.Fatalf("initialize: %s", w.Body)
	}
	return c
}

var requestIDs atomic.Int64

func (c *bubbleClient) post(body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(body))
	r.Header.Set("Mcp-Session-Id", c.session)
	w := httptest.NewRecorder()
	c.hub.clients.Serve(w, r, "/mcp")
	return w
}

// delete ends the session.
func (c *bubbleClient) delete() {
	r := httptest.NewRequest(http.MethodDelete, "/mcp", nil)
	r.Header.Set("Mcp-Session-Id", c.session)
	c.hub.clients.Serve(httptest.NewRecorder(), r, "/mcp")
}

func (c *bubbleClient) request(method, params string) *httptest.ResponseRecorder {
	return c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, requestIDs.Add(1), method, params))
}

// tools returns whether the list of tools has each server's.
func (c *bubbleClient) has(tool string) bool {
	return strings.Contains(c.request("tools/list", `{}`).Body.String(), `"`+tool+`"`)
}

func phaseOf(h *Hub, id string) phase { return h.view().servers[id].phase }

// want compares.
func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
