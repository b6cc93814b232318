package mcpclient

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcphub/proxy/jsonrpc"
)

// BenchmarkStreamableCall measures a call over loopback against a server that
// does nothing else: bare is one RoundTrip of the same sizes without this package.
func BenchmarkStreamableCall(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"100B", 100}, {"100kB", 100_000}} {
		result := `{"content":[{"type":"text","text":"` + strings.Repeat("x", size.n) + `"}]}`
		for _, kind := range []string{"json", "events"} {
			b.Run(kind+"/"+size.name, func(b *testing.B) { benchCalls(b, kind, result) })
		}
		b.Run("bare/"+size.name, func(b *testing.B) { benchBare(b, result) })
	}
}

func benchServer(b *testing.B, kind, result string) (*httptest.Server, *http.Transport) {
	fake := &fakeHTTP{call: func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
		if kind == "events" {
			sendEvents(w, answerOf(m, result))
			return
		}
		sendJSON(w, string(jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(result))))
	}}
	server := httptest.NewServer(fake)
	b.Cleanup(server.Close)
	return server, &http.Transport{DisableCompression: true}
}

const benchParams = `{"name":"echo","arguments":{"text":"hello"},"_meta":{"progressToken":"theirs"}}`

func benchCalls(b *testing.B, kind, result string) {
	server, transport := benchServer(b, kind, result)
	defer transport.CloseIdleConnections()
	s, err := Dial(b.Context(), StreamableHTTP{URL: server.URL, HTTP: transport}, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	m, err := jsonrpc.Parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + benchParams + `}`))
	if err != nil {
		b.Fatal(err)
	}
	name := []jsonrpc.Edit{{Field: jsonrpc.Name, Value: []byte(`"other"`)}}
	b.ReportAllocs()
	for b.Loop() {
		answer, err := s.Call(b.Context(), &Call{Method: "tools/call", Message: m, Edits: name})
		if err != nil || answer.Result == nil {
			b.Fatal(err)
		}
	}
}

func benchBare(b *testing.B, result string) {
	server, transport := benchServer(b, "json", result)
	defer transport.CloseIdleConnections()
	b.ReportAllocs()
	for b.Loop() {
		body := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + benchParams + `}`)
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL, body)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}
