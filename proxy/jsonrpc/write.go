package jsonrpc

import (
	"bytes"
	"strconv"
)

// Edit replaces the value of one field of params.
type Edit struct {
	Field Field
	Value []byte // valid JSON
}

// AppendParams appends m's params to dst, with some values replaced and every
// other byte as it came. An edit of a field that m does not have is ignored. No
// edit may lie inside another.
func (m *Message) AppendParams(dst []byte, edits ...Edit) []byte {
	from := 0
	for from < len(m.Params) {
		edit, at := m.nextEdit(from, edits)
		if edit == nil {
			break
		}
		dst = append(dst, m.Params[from:at.start]...)
		dst = append(dst, edit.Value...)
		from = at.end
	}
	return append(dst, m.Params[from:]...)
}

// nextEdit returns the edit whose field comes first at or after from.
func (m *Message) nextEdit(from int, edits []Edit) (next *Edit, at span) {
	for i := range edits {
		s := m.fields[edits[i].Field]
		if s.end > 0 && s.start >= from && (next == nil || s.start < at.start) {
			next, at = &edits[i], s
		}
	}
	return next, at
}

// AppendHead appends the beginning of a request or, with a nil id, of a
// notification to dst: all up to the value of params. The value and Tail are to
// follow.
func AppendHead(dst []byte, id Raw, method string) []byte {
	dst = append(dst, `{"jsonrpc":"2.0",`...)
	if id != nil {
		dst = append(append(append(dst, `"id":`...), id...), ',')
	}
	dst = appendMethod(append(dst, `"method":`...), method)
	return append(dst, `,"params":`...)
}

// Tail ends what AppendHead, AppendResultHead or AppendErrorHead began.
const Tail = '}'

// appendMethod appends a method's name as a string; all names that the
// specification knows need no escapes.
func appendMethod(dst []byte, method string) []byte {
	for i := range len(method) {
		if c := method[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return append(dst, Quote(method)...)
		}
	}
	return append(append(append(dst, '"'), method...), '"')
}

// AppendRequest appends a request or, with a nil id, a notification. Nil params
// are left out.
func AppendRequest(dst []byte, id Raw, method string, params Raw) []byte {
	dst = AppendHead(dst, id, method)
	if params == nil {
		dst = bytes.TrimSuffix(dst, []byte(`,"params":`))
	}
	return append(append(dst, params...), Tail)
}

// AppendNotification appends a notification.
func AppendNotification(dst []byte, method string, params Raw) []byte {
	return AppendRequest(dst, nil, method, params)
}

// AppendResultHead appends the beginning of a response: all up to its result.
func AppendResultHead(dst []byte, id Raw) []byte {
	dst = append(append(dst, `{"jsonrpc":"2.0","id":`...), id...)
	return append(dst, `,"result":`...)
}

// AppendResult appends a response with a result.
func AppendResult(dst []byte, id Raw, result Raw) []byte {
	return append(append(AppendResultHead(dst, id), result...), Tail)
}

// AppendError appends a response with an error. A nil id becomes null.
func AppendError(dst []byte, id Raw, e *Error) []byte {
	if id == nil {
		id = Raw("null")
	}
	dst = append(append(dst, `{"jsonrpc":"2.0","id":`...), id...)
	dst = append(dst, `,"error":`...)
	return append(append(dst, e.object()...), Tail)
}

// object returns e as the JSON object of the specification.
func (e *Error) object() Raw {
	if e.raw != nil {
		return e.raw
	}
	out := append([]byte(`{"code":`), strconv.FormatInt(e.Code, 10)...)
	out = append(append(out, `,"message":`...), Quote(e.Message)...)
	if e.Data != nil {
		out = append(append(out, `,"data":`...), e.Data...)
	}
	return append(out, '}')
}

// Flatten makes a message fit on one line, in place: between tokens CR and LF
// mean no more than a space, and inside strings a valid message has none.
func Flatten(message []byte) []byte {
	for _, c := range []byte{'\n', '\r'} {
		for i := 0; ; {
			next := bytes.IndexByte(message[i:], c)
			if next < 0 {
				break
			}
			message[i+next] = ' '
			i += next + 1
		}
	}
	return message
}
