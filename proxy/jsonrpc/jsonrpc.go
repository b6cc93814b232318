// Package jsonrpc reads and writes JSON-RPC 2.0 messages as bytes.
//
// A proxy must not change what it carries. Decoding a message into Go values
// and encoding it again rounds large integers, reorders and drops members, and
// costs more than everything else a hop does. So a Message keeps the bytes it
// came in: one pass over them finds the envelope (id, method, params or result
// or error) and where the few values lie that a hub reads or replaces, and
// checks that the whole is valid JSON. To pass a message on, its envelope is
// written anew around the same bytes, with single values replaced in place.
//
// What two decoders would read differently is refused: in the objects that the
// hub itself reads, a key it reads may stand once, unescaped, in its own case.
// So what the hub understood is what the receiver will understand.
//
// See https://www.jsonrpc.org/specification and
// https://modelcontextprotocol.io/specification/2025-11-25/basic.
package jsonrpc

import (
	"encoding/json"
	"fmt"
)

// Raw is a piece of valid JSON as the bytes it came in. It shares memory with
// the message it was read from.
type Raw = json.RawMessage

// Kind tells a request, a notification and a response apart.
type Kind int

// The kinds of message.
const (
	Request Kind = iota + 1
	Notification
	Response
)

// Message is one JSON-RPC message. Its members share memory with the bytes
// given to Parse: whoever owns those must leave them alone as long as the
// Message is used.
type Message struct {
	ID     Raw    // a string or a number as it came; nil in a notification; may be null in a response
	Method string // empty in a response
	Params Raw    // an object; nil if there is none
	Result Raw    // nil if there is none
	Error  Raw    // an object; nil if there is none

	fields [fieldCount]span // where values lie in Params
}

// Kind returns which kind of message m is.
func (m *Message) Kind() Kind {
	switch {
	case m.Method == "":
		return Response
	case m.ID == nil:
		return Notification
	default:
		return Request
	}
}

// Field names a value inside params that the hub reads or replaces.
type Field int

// The fields, by their path inside params.
const (
	Name              Field = iota // name
	URI                            // uri
	Cursor                         // cursor
	TaskID                         // taskId
	RequestID                      // requestId, in notifications/cancelled
	ProgressToken                  // progressToken, in notifications/progress
	Ref                            // ref, in completion/complete
	RefType                        // ref.type
	RefName                        // ref.name
	RefURI                         // ref.uri
	Meta                           // _meta
	MetaProgressToken              // _meta.progressToken
	MetaVersion                    // _meta."io.modelcontextprotocol/protocolVersion"
	fieldCount
)

// span is where a value lies; end 0 says that there is none, for no value ends
// before the byte that opens its object.
type span struct{ start, end int }

// Field returns the value of a field of params, or nil if there is none.
func (m *Message) Field(f Field) Raw {
	s := m.fields[f]
	if s.end == 0 {
		return nil
	}
	return m.Params[s.start:s.end]
}

// Text returns the value of a field that is a string, unquoted. ok is false if
// the field is absent or no string.
func (m *Message) Text(f Field) (text string, ok bool) {
	return Unquote(m.Field(f))
}

// Error is a JSON-RPC error object. As an error value it is what the caller of
// a method is to be told.
type Error struct {
	Code    int64
	Message string
	Data    Raw // nil if there is none

	raw Raw // the whole object as a peer sent it, passed on as it is; nil if the hub made the error
}

// The error codes of JSON-RPC 2.0, section 5.1.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
)

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Errorf returns an Error with a code and a formatted message.
func Errorf(code int64, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// PeerError returns the Error that a peer sent as raw. Passed on, it is the same
// bytes. raw is copied.
func PeerError(raw Raw) *Error {
	e := &Error{raw: append(Raw(nil), raw...)}
	values, err := Lookup(raw, "code", "message", "data")
	if err != nil {
		e.Code, e.Message = CodeInternal, "the peer's error cannot be read: "+err.Error()
		return e
	}
	if json.Unmarshal(values[0], &e.Code) != nil {
		e.Code = CodeInternal
	}
	e.Message, _ = Unquote(values[1])
	e.Data = append(e.Data, values[2]...)
	return e
}
