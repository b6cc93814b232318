package jsonrpc

import (
	"bytes"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Parse reads one message. It refuses with an *Error of code -32700 what is no
// valid JSON, and of -32600 what is no message or could be read as two different
// ones. The Message shares data's memory.
func Parse(data []byte) (*Message, error) {
	m := new(Message)
	if err := m.parse(data); err != nil {
		return nil, err
	}
	return m, nil
}

// The keys that the hub reads, by the object they stand in.
var (
	envelopeKeys = []string{"jsonrpc", "id", "method", "params", "result", "error"}
	paramsKeys   = []string{"name", "uri", "cursor", "taskId", "requestId", "progressToken", "ref", "_meta"}
	refKeys      = []string{"type", "name", "uri"}
	metaKeys     = []string{"progressToken", "io.modelcontextprotocol/protocolVersion"}
)

// The fields that paramsKeys, refKeys and metaKeys are, in the same order.
var (
	paramsFields = []Field{Name, URI, Cursor, TaskID, RequestID, ProgressToken, Ref, Meta}
	refFields    = []Field{RefType, RefName, RefURI}
	metaFields   = []Field{MetaProgressToken, MetaVersion}
)

func (m *Message) parse(data []byte) error {
	s := scanner{data: data}
	if s.next() != '{' {
		if err := s.skip(); err != nil {
			return err
		}
		return Errorf(CodeInvalidRequest, "a message is a JSON object")
	}
	var values [6]Raw // of envelopeKeys
	err := s.members(envelopeKeys, func(key int, _ []byte) *Error {
		if key < 0 {
			return Errorf(CodeInvalidRequest, "a message has no member but %q", envelopeKeys)
		}
		from := s.pos
		if err := m.scanMember(&s, envelopeKeys[key]); err != nil {
			return err
		}
		values[key] = s.data[from:s.pos]
		return nil
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return err
	}
	return m.set(&values)
}

// scanMember moves over the value of an envelope's member.
func (m *Message) scanMember(s *scanner, key string) *Error {
	if key != "params" {
		return s.skip()
	}
	if s.next() != '{' {
		return Errorf(CodeInvalidRequest, "params must be an object")
	}
	return m.scanParams(s, s.pos, paramsKeys, paramsFields)
}

// scanParams moves over an object inside params, noting where the fields lie
// that its keys stand for. origin is where params begin.
func (m *Message) scanParams(s *scanner, origin int, keys []string, fields []Field) *Error {
	return s.members(keys, func(key int, _ []byte) *Error {
		from := s.pos
		var err *Error
		switch {
		case key < 0 || s.data[s.pos] != '{':
			err = s.skip()
		case fields[key] == Meta:
			err = m.scanParams(s, origin, metaKeys, metaFields)
		case fields[key] == Ref:
			err = m.scanParams(s, origin, refKeys, refFields)
		default:
			err = s.skip()
		}
		if key >= 0 {
			m.fields[fields[key]] = span{from - origin, s.pos - origin}
		}
		return err
	})
}

// members moves over the object at pos and calls value at the start of each
// member's value, with the index of its key among keys (or -1) and the key as it
// stands between its quotes; value moves over the member's value. A key among
// keys that is repeated, escaped or of another case is refused.
func (s *scanner) members(keys []string, value func(key int, text []byte) *Error) *Error {
	s.pos++
	if s.next() == '}' {
		s.pos++
		return nil
	}
	var seen uint
	for {
		key, text, err := s.member(keys, &seen)
		if err != nil {
			return err
		}
		if err := value(key, text); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.errorf("expected ',' or '}'")
		}
	}
}

// member moves over a member's key and colon. seen has a bit for each key met.
func (s *scanner) member(keys []string, seen *uint) (key int, text []byte, err *Error) {
	if s.next() != '"' {
		return 0, nil, s.errorf("expected a key")
	}
	if text, err = s.text(); err != nil {
		return 0, nil, err
	}
	if key, err = identify(text, keys); err != nil {
		return 0, nil, err
	}
	if key >= 0 {
		if *seen&(1<<key) != 0 {
			return 0, nil, Errorf(CodeInvalidRequest, "the key %q is repeated", keys[key])
		}
		*seen |= 1 << key
	}
	if err = s.expect(':'); err != nil {
		return 0, nil, err
	}
	if s.next() == 0 {
		return 0, nil, s.errorf("unexpected end")
	}
	return key, text, nil
}

// identify returns the index of a key among keys, or -1 if it is none of them.
// text is the key as it stands between its quotes.
func identify(text []byte, keys []string) (int, *Error) {
	for i, key := range keys {
		if string(text) == key {
			return i, nil
		}
	}
	plainText := text
	if bytes.IndexByte(text, '\\') >= 0 {
		plainText = []byte(unescape(text))
	}
	for _, key := range keys {
		if bytes.EqualFold(plainText, []byte(key)) {
			return -1, Errorf(CodeInvalidRequest, "the key %q is to be written %q: some decoders would read it so", text, key)
		}
	}
	return -1, nil
}

// set fills m from the values of envelopeKeys and checks that they make a
// message.
func (m *Message) set(values *[6]Raw) error {
	version, id, method, params, result, failure := values[0], values[1], values[2], values[3], values[4], values[5]
	if string(version) != `"2.0"` {
		return Errorf(CodeInvalidRequest, `a message has "jsonrpc": "2.0"`)
	}
	m.ID, m.Params, m.Result, m.Error = id, params, result, failure
	if method != nil {
		return m.setMethod(method)
	}
	switch {
	case id == nil:
		return Errorf(CodeInvalidRequest, "a message has a method or an id")
	case !isID(id) && id[0] != 'n':
		return Errorf(CodeInvalidRequest, "an id is a string or a number")
	case (result == nil) == (failure == nil):
		return Errorf(CodeInvalidRequest, "a response has either a result or an error")
	case failure != nil && failure[0] != '{':
		return Errorf(CodeInvalidRequest, "an error is an object")
	case params != nil:
		return Errorf(CodeInvalidRequest, "a response has no params")
	}
	return nil
}

func (m *Message) setMethod(method Raw) error {
	if m.Result != nil || m.Error != nil {
		return Errorf(CodeInvalidRequest, "a message with a method has no result or error")
	}
	if m.ID != nil && !isID(m.ID) {
		return Errorf(CodeInvalidRequest, "an id is a string or a number")
	}
	name, ok := Unquote(method)
	if !ok || name == "" {
		return Errorf(CodeInvalidRequest, "a method is a non-empty string")
	}
	m.Method = name
	return nil
}

// isID reports whether raw, a piece of valid JSON, can be the id of a request.
func isID(raw Raw) bool {
	return len(raw) > 0 && (raw[0] == '"' || raw[0] == '-' || isDigit(raw[0]))
}
