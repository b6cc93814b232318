package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

type object = map[string]any

// tasker is a client that has servers do tasks, and answers what they ask meanwhile.
type tasker struct {
	*client
	t      *testing.T
	prefix string // of tools at the endpoint
	asked  []string
	answer func(method string, params json.RawMessage) any // the result for a server's request
}

// openTasker starts a session of a client that can be asked for input, at once or as a task.
func openTasker(t *testing.T, url, prefix string) *tasker {
	t.Helper()
	k := &tasker{client: &client{url: url}, t: t, prefix: prefix}
	var hello struct {
		Capabilities struct {
			Tasks struct {
				List, Cancel *object
				Requests     struct{ Tools struct{ Call *object } }
			}
		}
	}
	k.must(&hello, "initialize", object{
		"protocolVersion": clientVersion, "clientInfo": object{"name": "tasker", "version": "1"},
		"capabilities": object{"elicitation": object{}, "tasks": object{
			"list": object{}, "cancel": object{}, "requests": object{"elicitation": object{"create": object{}}},
		}},
	})
	if tasks := hello.Capabilities.Tasks; tasks.List == nil || tasks.Cancel == nil || tasks.Requests.Tools.Call == nil {
		t.Errorf("%s declares for tasks: %+v", url, tasks)
	}
	if err := k.send(t.Context(), object{"jsonrpc": "2.0", "method": "notifications/initialized"}); err != nil {
		t.Fatal(err)
	}
	return k
}

// ask posts a request, answers what the server asks on its stream, and returns the response.
func (k *tasker) ask(method string, params any) (message, error) {
	ctx, cancel := context.WithTimeout(k.t.Context(), requestLimit)
	defer cancel()
	id := fmt.Sprint(k.lastID.Add(1))
	body, err := json.Marshal(object{"jsonrpc": "2.0", "id": json.RawMessage(id), "method": method, "params": params})
	if err != nil {
		return message{}, err
	}
	resp, err := k.do(ctx, http.MethodPost, body)
	if err != nil {
		return message{}, err
	}
	defer resp.Body.Close()
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return response(resp, id)
	}
	events := bufio.NewScanner(resp.Body)
	for events.Scan() {
		m, ok, err := event(events.Bytes())
		switch {
		case err != nil || ok && m.Method == "" && string(m.ID) == id:
			return m, err
		case ok && m.ID != nil:
			k.asked = append(k.asked, m.Method)
			if err := k.send(ctx, object{"jsonrpc": "2.0", "id": m.ID, "result": k.answer(m.Method, m.Params)}); err != nil {
				return m, err
			}
		}
	}
	return message{}, fmt.Errorf("the stream ended before the response: %v", events.Err())
}

// must asks and reads the result.
func (k *tasker) must(result any, method string, params any) {
	k.t.Helper()
	m, err := k.ask(method, params)
	if err == nil && m.Error != nil {
		err = m.Error
	}
	if err == nil {
		err = json.Unmarshal(m.Result, result)
	}
	if err != nil {
		k.t.Fatalf("%s %v: %v", method, params, err)
	}
}

// refused asks what must be refused with a code.
func (k *tasker) refused(code int, method, id string) {
	k.t.Helper()
	m, err := k.ask(method, object{"taskId": id})
	if err != nil || m.Error == nil || m.Error.Code != code {
		k.t.Errorf("%s of %s: got %s, %v, %v; want the error %d", method, id, m.Result, m.Error, err, code)
	}
}
