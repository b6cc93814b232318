package jsonrpc

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Unquote returns the text of a JSON string; ok is false if raw is no string.
func Unquote(raw Raw) (text string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	return unescape(inner), true
}

// unescape returns what a valid string says, given as it stands between its
// quotes.
func unescape(inner []byte) string {
	quoted := make([]byte, 0, len(inner)+2)
	quoted = append(append(append(quoted, '"'), inner...), '"')
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return string(inner)
	}
	return text
}

// Quote returns text as a JSON string.
func Quote(text string) Raw {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(text) != nil {
		return Raw(`""`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// IsObject reports whether raw, a piece of valid JSON, is an object.
func IsObject(raw Raw) bool { return len(raw) > 0 && raw[0] == '{' }

// Lookup returns the values of some keys of an object, nil for each that is
// absent. It refuses, with an *Error, what is no valid JSON object, and an object
// in which one of the keys is repeated, escaped, or written in another case.
func Lookup(object Raw, keys ...string) ([]Raw, error) {
	values := make([]Raw, len(keys))
	spans, err := locate(object, keys)
	if err != nil {
		return values, err
	}
	for i, at := range spans {
		if at.end > 0 {
			values[i] = object[at.start:at.end:at.end]
		}
	}
	return values, nil
}

// locate returns where the values of some keys of an object lie; see Lookup.
func locate(object Raw, keys []string) ([]span, error) {
	spans := make([]span, len(keys))
	s := scanner{data: object}
	if s.next() != '{' {
		return nil, Errorf(CodeInvalidRequest, "expected an object")
	}
	err := s.members(keys, func(key int, _ []byte) *Error {
		from := s.pos
		err := s.skip()
		if key >= 0 {
			spans[key] = span{from, s.pos}
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, err
	}
	return spans, nil
}

// Get returns the value of one key of an object, or nil if the object cannot be
// read or has no such key.
func Get(object Raw, key string) Raw {
	values, err := Lookup(object, key)
	if err != nil {
		return nil
	}
	return values[0]
}

// Text returns the value of one key of an object if it is a string, unquoted.
func Text(object Raw, key string) string {
	text, _ := Unquote(Get(object, key))
	return text
}

// Elements yields the elements of an array, which must be valid JSON. Of
// anything else it yields nothing.
func Elements(array Raw) iter.Seq[Raw] {
	return func(yield func(Raw) bool) {
		s := scanner{data: array}
		if s.next() != '[' {
			return
		}
		s.pos++
		for s.next() != ']' {
			from := s.pos
			if s.skip() != nil || !yield(array[from:s.pos:s.pos]) {
				return
			}
			if s.next() == ',' {
				s.pos++
			}
		}
	}
}

// Members yields the keys and values of an object, which must be valid JSON, in
// their order. Of anything else it yields nothing.
func Members(object Raw) iter.Seq2[string, Raw] {
	return func(yield func(string, Raw) bool) {
		s := scanner{data: object}
		if s.next() != '{' {
			return
		}
		stop := new(Error)
		_ = s.members(nil, func(_ int, text []byte) *Error {
			from := s.pos
			if err := s.skip(); err != nil {
				return err
			}
			if !yield(unescape(text), object[from:s.pos:s.pos]) {
				return stop
			}
			return nil
		})
	}
}

// Set returns a copy of an object in which the member key has the value given,
// and all else is the same bytes. A member that is absent is added at the end. An
// object in which key is ambiguous is returned as it is.
func Set(object Raw, key string, value Raw) Raw {
	spans, err := locate(object, []string{key})
	if err != nil {
		return object
	}
	at := spans[0]
	if at.end == 0 {
		return appendMember(object, key, value)
	}
	out := make(Raw, 0, len(object)-(at.end-at.start)+len(value))
	out = append(out, object[:at.start]...)
	out = append(out, value...)
	return append(out, object[at.end:]...)
}

// appendMember returns a copy of an object with one member more.
func appendMember(object Raw, key string, value Raw) Raw {
	end := bytes.LastIndexByte(object, '}')
	out := make(Raw, 0, len(object)+len(key)+len(value)+4)
	out = append(out, object[:end]...)
	if len(bytes.TrimSpace(out)) > 1 {
		out = append(out, ',')
	}
	out = append(out, Quote(key)...)
	out = append(out, ':')
	out = append(out, value...)
	return append(out, object[end:]...)
}

// Remove returns a copy of an object without the member key.
func Remove(object Raw, key string) Raw {
	out := Raw("{}")
	for k, value := range Members(object) {
		if k != key {
			out = appendMember(out, k, value)
		}
	}
	return out
}
