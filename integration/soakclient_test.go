package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// soakClient is one client of the soak test. It owns its session.
type soakClient struct {
	t      *testing.T
	fleet  *soakFleet
	number int
	random *rand.Rand

	*client
	calls, failed int
}

// run does one thing after another until ctx ends, and ends its session. It fails the test but does not end it, as only the
// test's own goroutine can.
func (c *soakClient) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.client = &client{url: c.fleet.url + "/mcp"}
		if err := c.initialize(context.Background(), `{}`); err != nil {
			c.t.Errorf("client %d is done: %v", c.number, err)
			return
		}
		for range 10 + c.random.IntN(50) {
			if ctx.Err() != nil {
				break
			}
			c.step(ctx)
		}
		c.end()
	}
}

func (c *soakClient) step(ctx context.Context) {
	server := c.fleet.servers[c.random.IntN(len(c.fleet.servers))]
	switch c.random.IntN(10) {
	case 0:
		c.cancelled(server)
	case 1:
		c.listed()
	case 2:
		c.heard(ctx)
	default:
		c.added(server)
	}
}

// added calls add with numbers that nobody else has.
func (c *soakClient) added(server *soakServer) {
	began := time.Now()
	a, b := c.number*1_000_000+c.calls, c.random.IntN(1000)
	c.calls++
	got, err := c.call(context.Background(), server.id+"__add", map[string]any{"a": a, "b": b})
	if err == nil && got != strconv.Itoa(a+b) {
		c.t.Errorf("client %d: %s: %d and %d is %q", c.number, server.id, a, b, got)
	}
	c.check(server, began, err)
}

// check lets a call fail only if its server was disturbed meanwhile.
func (c *soakClient) check(server *soakServer, began time.Time, err error) {
	if err == nil {
		return
	}
	c.failed++
	if !server.disturbed(began, time.Now()) {
		c.t.Errorf("client %d: %s was not disturbed: %v", c.number, server.id, err)
	}
}

// cancelled begins a call that would not end, and cancels it when it has begun.
func (c *soakClient) cancelled(server *soakServer) {
	began := time.Now()
	c.calls++
	id := c.lastID.Add(1)
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{},"_meta":{"progressToken":%d}}}`,
		id, server.id+"__wait", id)
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	resp, err := c.do(ctx, http.MethodPost, []byte(body))
	if err != nil {
		c.check(server, began, err)
		return
	}
	defer resp.Body.Close()
	m, err := firstMessage(resp)
	if err != nil || m.Method != "notifications/progress" {
		if err == nil && m.Error == nil {
			err = fmt.Errorf("a call of wait began with %s %s", m.Method, m.Result)
		} else if err == nil {
			err = m.Error
		}
		c.check(server, began, err)
		return
	}
	note := map[string]any{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": map[string]any{"requestId": id}}
	if err := c.send(ctx, note); err != nil {
		c.t.Errorf("client %d: cancel: %v", c.number, err)
	}
	if m, err := response(resp, strconv.FormatInt(id, 10)); err == nil && m.Result != nil {
		c.t.Errorf("client %d: %s: a cancelled call was answered with %s", c.number, server.id, m.Result)
	}
}

// listed lists all tools: those of the server in peace are always among them.
func (c *soakClient) listed() {
	names, err := c.tools(context.Background())
	if err != nil || !slices.Contains(names, "peace__add") || !slices.Contains(names, "peace__"+bigTool(bigTools-1)) {
		c.t.Errorf("client %d: %d tools, without those of peace: %v", c.number, len(names), err)
	}
}

// heard holds its own stream open until a list changes.
func (c *soakClient) heard(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, nil)
	if err != nil {
		if ctx.Err() == nil {
			c.t.Errorf("client %d: GET: %v", c.number, err)
		}
		return
	}
	defer resp.Body.Close()
	m, err := firstMessage(resp)
	if ctx.Err() == nil && (err != nil || !strings.HasSuffix(m.Method, "/list_changed")) {
		c.t.Errorf("client %d: the own stream: %s %v", c.number, m.Method, err)
	}
}

// end ends the session.
func (c *client) end() {
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	if resp, err := c.do(ctx, http.MethodDelete, nil); err == nil {
		resp.Body.Close()
	}
}

// firstMessage reads the answer's first message, be it JSON or an event.
func firstMessage(resp *http.Response) (m message, err error) {
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return m, json.NewDecoder(resp.Body).Decode(&m)
	}
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := resp.Body.Read(one); err != nil {
			return m, err
		}
		if line = append(line, one[0]); one[0] != '\n' {
			continue
		}
		if m, ok, err := event(line[:len(line)-1]); ok || err != nil {
			return m, err
		}
		line = line[:0]
	}
}

// report says how many calls there were, and how many failed.
func report(t *testing.T, clients []*soakClient) {
	t.Helper()
	var calls, failed int
	for _, c := range clients {
		calls += c.calls
		failed += c.failed
	}
	t.Logf("%d calls, %d failed at servers that were disturbed", calls, failed)
	if calls == 0 || failed == calls {
		t.Error("no call was answered")
	}
}
