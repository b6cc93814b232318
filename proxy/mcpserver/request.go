package mcpserver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcphub/proxy/jsonrpc"
)

// The versions of the protocol that are spoken to clients, the oldest first.
// Versions from ModernVersion on are of the modern era.
var legacyVersions = []string{"2024-11-05", "2025-03-26", "2025-06-18", LatestLegacy}

const (
	// LatestLegacy is the last version of the legacy era.
	LatestLegacy = "2025-11-25"
	// ModernVersion is the first version of the modern era.
	ModernVersion = "2026-07-28"
)

const (
	headerSession = "Mcp-Session-Id"
	headerVersion = "Mcp-Protocol-Version"
	headerEvent   = "Last-Event-Id"
)

// parse reads and checks the one message of a POST. On an error the message is
// what is known of it, never nil.
func parse(r *http.Request, body []byte) (*jsonrpc.Message, error) {
	m, err := jsonrpc.Parse(body)
	if err != nil {
		return new(jsonrpc.Message), &refusal{http.StatusBadRequest, asError(err)}
	}
	if version := modern(r, m); version != "" {
		return m, unsupported(version)
	}
	return m, nil
}

// checkHeaders refuses what the transport's rules do not allow. Clients that
// send no Accept, or one for everything, are taken at their best.
func checkHeaders(r *http.Request) error {
	if content := r.Header.Get("Content-Type"); content != "" && !mediaType(content, "application/json") {
		return refuse(http.StatusUnsupportedMediaType, jsonrpc.CodeInvalidRequest, "Content-Type is %.100q; it must be application/json", content)
	}
	if !accepts(r, "application/json") || !accepts(r, "text/event-stream") {
		return refuse(http.StatusNotAcceptable, jsonrpc.CodeInvalidRequest, "Accept must have application/json and text/event-stream")
	}
	return checkVersion(r)
}

// checkOnce refuses a header that could be read in two ways: one part of the way
// takes the first of two values, another the last.
func checkOnce(r *http.Request) error {
	for _, name := range singleHeaders {
		if values := r.Header[name]; len(values) > 1 {
			return refuse(http.StatusBadRequest, jsonrpc.CodeInvalidRequest, "%s is there %d times; send it once", name, len(values))
		}
	}
	return nil
}

var singleHeaders = []string{headerSession, headerVersion, headerEvent, "Content-Type"}

func checkVersion(r *http.Request) error {
	version := r.Header.Get(headerVersion)
	if version == "" || version >= ModernVersion || slices.Contains(legacyVersions, version) {
		return nil
	}
	return refuse(http.StatusBadRequest, jsonrpc.CodeInvalidRequest, "MCP-Protocol-Version %.40q is none of %s", version, strings.Join(legacyVersions, ", "))
}

func mediaType(header, want string) bool {
	got, _, _ := strings.Cut(header, ";")
	return strings.EqualFold(strings.TrimSpace(got), want)
}

// accepts reports whether the Accept header allows a media type (RFC 9110,
// section 12.5.1; weights are not looked at).
func accepts(r *http.Request, want string) bool {
	accept := r.Header["Accept"]
	if len(accept) == 0 {
		return true
	}
	family, _, _ := strings.Cut(want, "/")
	for _, header := range accept {
		for part := range strings.SplitSeq(header, ",") {
			if mediaType(part, want) || mediaType(part, "*/*") || mediaType(part, family+"/*") {
				return true
			}
		}
	}
	return false
}

// modern returns the protocol version of a request of the modern era, empty if it
// is a legacy one.
func modern(r *http.Request, m *jsonrpc.Message) string {
	if version, ok := m.Text(jsonrpc.MetaVersion); ok {
		return version
	}
	if version := r.Header.Get(headerVersion); version >= ModernVersion {
		return version
	}
	return ""
}

// unsupported tells a modern client which versions there are
// (2026-07-28/basic/versioning), so that it falls back to initialize.
func unsupported(version string) error {
	e := jsonrpc.Errorf(codeUnsupportedVersion, "protocol version %.40s is not served here", version)
	e.Data = fmt.Appendf(nil, `{"supported":["%s"],"requested":%s}`, strings.Join(legacyVersions, `","`), jsonrpc.Quote(fmt.Sprintf("%.40s", version)))
	return &refusal{http.StatusBadRequest, e}
}
