package mcpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mcphub/proxy/jsonrpc"
)

// Era is one of the two ways of speaking MCP.
type Era int

// The eras.
const (
	Legacy Era = iota + 1 // up to 2025-11-25: initialize, then a session
	Modern                // from 2026-07-28: every request speaks for itself
)

// String implements fmt.Stringer.
func (e Era) String() string {
	switch e {
	case Legacy:
		return "legacy"
	case Modern:
		return "modern"
	default:
		return fmt.Sprintf("Era(%d)", int(e))
	}
}

// latestLegacy is the last version of the legacy era.
const latestLegacy = "2025-11-25"

// legacyVersions are those a server may answer initialize with.
var legacyVersions = []string{"2024-11-05", "2025-03-26", "2025-06-18", latestLegacy}

const (
	methodInitialize = "initialize"
	methodPing       = "ping"
)

// agreement is what the handshake found out; not changed afterwards.
type agreement struct {
	era          Era
	version      string
	id           string // of the session, given by the server over HTTP; may be empty
	result       jsonrpc.Raw
	capabilities jsonrpc.Raw
	serverInfo   jsonrpc.Raw
	instructions string
}

// initialize agrees with the server on a version and capabilities.
func (s *Session) initialize(ctx context.Context) error {
	began := time.Now()
	answer, err := s.Call(ctx, &Call{Method: methodInitialize, Raw: initializeParams(s.options.Identity)})
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrNotSent) {
		return fmt.Errorf("initialize: the server has not answered within %s: %w", time.Since(began).Round(time.Millisecond), err)
	}
	if err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	if answer.Error != nil {
		return fmt.Errorf("initialize: %w", refusal(answer))
	}
	if err := s.agree(answer.Result); err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	s.id = s.wire.established(s.version)
	if err := s.Notify(ctx, "notifications/initialized", nil); err != nil {
		return fmt.Errorf("say that the session is initialized: %w", err)
	}
	return nil
}

// refusal is what is told of an answer to initialize that is an error: as text, for it
// is no answer to any call of a client.
func refusal(answer *jsonrpc.Message) error {
	return fmt.Errorf("the server refused: %s", printable([]byte(jsonrpc.PeerError(answer.Error).Message), 300))
}

// initializeParams returns the parameters of initialize for a client.
func initializeParams(id Identity) jsonrpc.Raw {
	version := id.ProtocolVersion
	if !slices.Contains(legacyVersions, version) {
		version = latestLegacy
	}
	params := append(jsonrpc.Raw(`{"protocolVersion":`), jsonrpc.Quote(version)...)
	params = append(append(params, `,"capabilities":`...), orElse(id.Capabilities, `{}`)...)
	params = append(append(params, `,"clientInfo":`...), orElse(id.ClientInfo, `{"name":"mcphub","version":"0"}`)...)
	return append(params, '}')
}

func orElse(object jsonrpc.Raw, otherwise string) jsonrpc.Raw {
	if jsonrpc.IsObject(object) {
		return object
	}
	return jsonrpc.Raw(otherwise)
}

// agree reads the result of initialize.
func (s *Session) agree(result jsonrpc.Raw) error {
	result = slices.Clone(result)
	values, err := jsonrpc.Lookup(result, "protocolVersion", "capabilities", "serverInfo", "instructions")
	if err != nil {
		return fmt.Errorf("read the result: %w", err)
	}
	version, _ := jsonrpc.Unquote(values[0])
	if !slices.Contains(legacyVersions, version) {
		return fmt.Errorf("the server speaks protocol version %.100q, the hub %v", version, legacyVersions)
	}
	if !jsonrpc.IsObject(values[1]) {
		return fmt.Errorf("read the result: capabilities are no object but %s", cmp.Or(printable(values[1], 50), "missing"))
	}
	s.era, s.version, s.result = Legacy, version, result
	s.capabilities, s.serverInfo = values[1], orElse(values[2], `{}`)
	s.instructions, _ = jsonrpc.Unquote(values[3])
	return nil
}
