package jsonrpc

import (
	"bytes"
	"encoding/json"
	"strings"
)

// readPaths are all that the hub reads of a message.
var readPaths = [][]string{
	{"jsonrpc"}, {"id"}, {"method"}, {"params"}, {"result"}, {"error"},
	{"params", "name"}, {"params", "uri"}, {"params", "cursor"}, {"params", "taskId"},
	{"params", "requestId"}, {"params", "progressToken"}, {"params", "ref"}, {"params", "_meta"},
	{"params", "ref", "type"}, {"params", "ref", "name"}, {"params", "ref", "uri"},
	{"params", "_meta", "progressToken"}, {"params", "_meta", "io.modelcontextprotocol/protocolVersion"},
}

// reading is how one kind of decoder takes the members of an object.
type reading int

const (
	firstWins reading = iota
	lastWins
	caseInsensitive // and last-wins, as encoding/json into structs
)

type decoded struct {
	raw  Raw
	kind reading
}

func decode(data []byte, kind reading) decoded { return decoded{data, kind} }

// at returns the bytes of the value that such a decoder finds at path.
func (d decoded) at(path []string) string {
	raw := d.raw
	for _, key := range path {
		if raw = d.member(raw, key); raw == nil {
			return ""
		}
	}
	return string(bytes.TrimSpace(raw))
}

// member finds a member by encoding/json's tokens, so that it shares no code
// with what it checks.
func (d decoded) member(object Raw, want string) (found Raw) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return found
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return found
		}
		name := key.(string)
		match := name == want || d.kind == caseInsensitive && strings.EqualFold(name, want)
		if match && (found == nil || d.kind != firstWins) {
			found = value
		}
	}
	return found
}
