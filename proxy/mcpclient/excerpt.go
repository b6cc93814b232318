package mcpclient

import (
	"bytes"
	"strconv"
)

// excerpt is what is kept of a message that is skipped for its length: enough to
// see whose answer it was.
type excerpt struct {
	head []byte // its first bytes
	tail []byte // its last bytes
}

const excerptSize = 256

func (e *excerpt) reset() { e.head, e.tail = e.head[:0], e.tail[:0] }

// add sees the next piece of the message.
func (e *excerpt) add(piece []byte) {
	if room := excerptSize - len(e.head); room > 0 {
		e.head = append(e.head, piece[:min(room, len(piece))]...)
	}
	if len(piece) > excerptSize {
		piece = piece[len(piece)-excerptSize:]
	}
	e.tail = append(e.tail, piece...)
	if extra := len(e.tail) - excerptSize; extra > 0 {
		e.tail = append(e.tail[:0], e.tail[extra:]...)
	}
}

// id returns the id of the skipped message, where it is a number and stands where
// servers write it: before the result or after it, in the outermost object.
func (e *excerpt) id() (int64, bool) {
	head := bytes.TrimPrefix(bytes.TrimSpace(e.head), []byte("data:"))
	head = compact(head)
	head = bytes.TrimPrefix(head, []byte(`{`))
	head = bytes.TrimPrefix(head, []byte(`"jsonrpc":"2.0",`))
	if rest, ok := bytes.CutPrefix(head, []byte(`"id":`)); ok {
		if end := bytes.IndexByte(rest, ','); end > 0 {
			return number(rest[:end])
		}
	}
	tail := bytes.TrimSuffix(compact(e.tail), []byte(`}`))
	tail = bytes.TrimSuffix(tail, []byte(`,"jsonrpc":"2.0"`))
	if at := bytes.LastIndex(tail, []byte(`,"id":`)); at >= 0 {
		return number(tail[at+len(`,"id":`):])
	}
	return 0, false
}

// compact returns text without white space; what is inside strings does not
// matter here.
func compact(text []byte) []byte { return bytes.Join(bytes.Fields(text), nil) }

// number returns the value of a JSON text that is one of our ids.
func number(text []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil && n > 0
}
