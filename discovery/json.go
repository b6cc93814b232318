package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// kind is what a JSON value is, in the words of an error.
type kind string

const (
	object  kind = "an object"
	array   kind = "a list"
	text    kind = "a string"
	number  kind = "a number"
	boolean kind = "true or false"
	null    kind = "null"
)

// value is a JSON value that has kept what encoding/json drops when it fills a
// struct: the order of keys, and keys that are repeated.
type value struct {
	kind   kind
	text   string   // of a string, a number or a boolean
	keys   []string // of an object, beside values
	values []value  // of an object or a list
}

// parseJSON reads the one JSON value that data is. The error names the line
// and column, under the name that people know data by.
func parseJSON(name string, data []byte) (value, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // some editors write one
	if !utf8.Valid(data) {
		return value{}, fmt.Errorf("%s: not UTF-8 text; save it as UTF-8", name)
	}
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return value{}, syntaxError(name, data, err)
	}
	tokens := json.NewDecoder(bytes.NewReader(raw))
	tokens.UseNumber()
	return readValue(tokens)
}

func readValue(tokens *json.Decoder) (v value, err error) {
	token, err := tokens.Token()
	if err != nil {
		return v, err
	}
	switch t := token.(type) {
	case string:
		return value{kind: text, text: t}, nil
	case json.Number:
		return value{kind: number, text: t.String()}, nil
	case bool:
		return value{kind: boolean, text: fmt.Sprint(t)}, nil
	case nil:
		return value{kind: null}, nil
	case json.Delim:
		v.kind = array
		if t == '{' {
			v.kind = object
		}
	}
	for tokens.More() {
		if v.kind == object {
			key, err := tokens.Token()
			if err != nil {
				return v, err
			}
			v.keys = append(v.keys, key.(string))
		}
		item, err := readValue(tokens)
		if err != nil {
			return v, err
		}
		v.values = append(v.values, item)
	}
	_, err = tokens.Token() // the closing bracket
	return v, err
}

func syntaxError(name string, data []byte, err error) error {
	bad, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	// The offset counts the bytes read, the offending one included; at an
	// unexpected end there is none.
	at, reason := int(bad.Offset), bad.Error()
	ended := reason == "unexpected end of JSON input"
	if !ended {
		at--
	}
	line := 1 + bytes.Count(data[:at], []byte("\n"))
	column := 1 + utf8.RuneCount(data[bytes.LastIndexByte(data[:at], '\n')+1:at])
	if !ended && bytes.HasSuffix(bytes.TrimSpace(data[:at]), []byte(",")) && (data[at] == '}' || data[at] == ']') {
		reason = fmt.Sprintf("a comma stands before %q; remove it", data[at])
	}
	return fmt.Errorf("%s:%d:%d: %s", name, line, column, reason)
}
