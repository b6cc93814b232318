package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	requestLimit  = 60 * time.Second // for an answer; the hub holds a call for 10 s at most
	clientVersion = "2025-11-25"
)

// client is an MCP client over Streamable HTTP in a few lines. It retries nothing and hides nothing, unlike an SDK's.
type client struct {
	url     string
	token   string // sent as Bearer if not empty
	session string // Mcp-Session-Id
	lastID  atomic.Int64
}

// message is any message of the protocol.
type message struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *rpcError       `json:"error,omitempty"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *rpcError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// statusError is an answer whose status is not 2xx.
type statusError struct {
	code int
	body string
}

func (e *statusError) Error() string { return fmt.Sprintf("HTTP %d: %.200s", e.code, e.body) }

// lostError says that the connection was refused or broke: nobody answered.
type lostError struct{ error }

// open starts a session at an endpoint, of a client that declares nothing.
func open(t testing.TB, url, token string) *client {
	t.Helper()
	return openAs(t, url, token, `{}`)
}

// openAs starts a session of a client with capabilities, as JSON.
func openAs(t testing.TB, url, token, capabilities string) *client {
	t.Helper()
	c := &client{url: url, token: token}
	if err := c.initialize(t.Context(), capabilities); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return c
}

// initialize starts the client's session.
func (c *client) initialize(ctx context.Context, capabilities string) error {
	_, err := c.request(ctx, "initialize", map[string]any{
		"protocolVersion": clientVersion,
		"capabilities":    json.RawMessage(capabilities),
		"clientInfo":      map[string]any{"name": "integration", "version": "1"},
	})
	if err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	if c.session == "" {
		return errors.New("initialize: no Mcp-Session-Id")
	}
	if err := c.send(ctx, map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"}); err != nil {
		return fmt.Errorf("initialized: %w", err)
	}
	return nil
}

// do sends one HTTP request. The error is a *statusError, or a lostError. A session id that differs from the known one is
// an error, too.
func (c *client) do(ctx context.Context, method string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.session != "" {
		req.Header.Set("Mcp-Session-Id", c.session)
		req.Header.Set("MCP-Protocol-Version", clientVersion)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, lostError{err}
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return nil, &statusError{resp.StatusCode, string(text)}
	}
	return resp, c.keep(resp)
}

// keep takes the session's id from the first answer; no later one may change it.
func (c *client) keep(resp *http.Response) error {
	id := resp.Header.Get("Mcp-Session-Id")
	if c.session == "" {
		c.session = id
	}
	if id != "" && id != c.session {
		resp.Body.Close()
		return fmt.Errorf("the session's id changed from %.20q to %.20q", c.session, id)
	}
	return nil
}

// send posts a notification.
func (c *client) send(ctx context.Context, notification any) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	body, err := json.Marshal(notification)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, http.MethodPost, body)
	if err == nil {
		resp.Body.Close()
	}
	return err
}

// request posts a request and returns its result. The error is one of do's, or a *rpcError.
func (c *client) request(ctx context.Context, method string, params any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	id := c.lastID.Add(1)
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	resp, err := c.do(ctx, http.MethodPost, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := response(resp, fmt.Sprint(id))
	if err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	return answer.Result, nil
}

// response reads the answer to the request with the id, be it JSON or the last event of a stream.
func response(resp *http.Response, id string) (message, error) {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		var m message
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return m, lostError{err}
		}
		return m, json.Unmarshal(text, &m)
	}
	events := bufio.NewScanner(resp.Body)
	events.Buffer(nil, 16<<20)
	for events.Scan() {
		m, ok, err := event(events.Bytes())
		if err != nil || ok && m.Method == "" && string(m.ID) == id {
			return m, err
		}
	}
	return message{}, lostError{fmt.Errorf("the stream ended before the response: %v", events.Err())}
}

// call calls a tool and returns the text of its result.
func (c *client) call(ctx context.Context, tool string, arguments map[string]any) (string, error) {
	result, err := c.request(ctx, "tools/call", map[string]any{"name": tool, "arguments": arguments})
	if err != nil {
		return "", err
	}
	var answer struct {
		Content []struct{ Text string }
		IsError bool
	}
	if err := json.Unmarshal(result, &answer); err != nil || len(answer.Content) != 1 {
		return "", fmt.Errorf("call %s: the result is %s: %v", tool, result, err)
	}
	if answer.IsError {
		return "", fmt.Errorf("call %s: %s", tool, answer.Content[0].Text)
	}
	return answer.Content[0].Text, nil
}

// tools returns the names of all tools, page by page.
func (c *client) tools(ctx context.Context) (names []string, err error) {
	params := map[string]any{}
	for {
		result, err := c.request(ctx, "tools/list", params)
		if err != nil {
			return nil, err
		}
		var page struct {
			Tools      []struct{ Name string }
			NextCursor *string
		}
		if err := json.Unmarshal(result, &page); err != nil {
			return nil, err
		}
		for _, tool := range page.Tools {
			names = append(names, tool.Name)
		}
		if page.NextCursor == nil {
			return names, nil
		}
		params["cursor"] = *page.NextCursor
	}
}
