package integration

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// unprefixed returns the URL of a proxy that takes the prefix off the names that
// an endpoint of many servers shows, and puts it before those that it is asked
// for: the suite's names are fixed.
func unprefixed(t *testing.T, endpoint, prefix string) string {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.Path = to.Scheme, to.Host, to.Path
			r.Out.Host = r.In.Host // what the suite calls the server is part of its tests
			addPrefix(r.Out, prefix)
		},
		ModifyResponse: func(r *http.Response) error { return removePrefix(r, prefix) },
		FlushInterval:  -1,
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/mcp"
}

// addPrefix changes the name in a request for a tool, a prompt or a prompt's
// completion.
func addPrefix(r *http.Request, prefix string) {
	if r.Method != http.MethodPost {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var message map[string]any
	if json.Unmarshal(body, &message) == nil {
		params, _ := message["params"].(map[string]any)
		holder := params
		if ref, ok := params["ref"].(map[string]any); ok {
			holder = ref
		}
		name, named := holder["name"].(string)
		switch message["method"] {
		case "tools/call", "prompts/get", "completion/complete":
			if named {
				holder["name"] = prefix + name
				body, _ = json.Marshal(message)
			}
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
}

// removePrefix changes the names in lists, which come as plain JSON.
func removePrefix(r *http.Response, prefix string) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	body = bytes.ReplaceAll(body, []byte(`"name":"`+prefix), []byte(`"name":"`))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}
