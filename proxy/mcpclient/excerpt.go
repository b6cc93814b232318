package mcpclient

import (
	"bytes"
	"regexp"
	"strconv"

	"mcphub/proxy/jsonrpc"
)

// excerpt is what is looked at of a message that is skipped for its length, or
// cannot be read: enough to see whose answer it was.
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

// A member of a message's outermost object whose value is no container, at the
// beginning and at the end of what is left of the message.
var (
	firstMember = regexp.MustCompile(`^"([^"]*)":("[^"]*"|[^"{}\[\],]*),`)
	lastMember  = regexp.MustCompile(`,"([^"]*)":("[^"]*"|[^"{}\[\],]*)$`)
)

// ids returns the ids of the calls that the message is an answer to, where they
// are numbers and stand where servers write them: before the result or after it.
// There are several where the member is repeated. A request has none.
func (e *excerpt) ids() (ids []int64) {
	head := bytes.TrimPrefix(compact(bytes.TrimPrefix(bytes.TrimSpace(e.head), []byte("data:"))), []byte(`{`))
	tail := bytes.TrimSuffix(compact(e.tail), []byte(`}`))
	note := func(member [][]byte) int {
		if n, ok := number(member[2]); ok && bytes.EqualFold(member[1], []byte("id")) {
			ids = append(ids, n)
		}
		return len(member[0])
	}
	for m := firstMember.FindSubmatch(head); m != nil; m = firstMember.FindSubmatch(head) {
		if string(m[1]) == "method" {
			return nil
		}
		head = head[note(m):]
	}
	if !bytes.HasPrefix(head, []byte(`"result":`)) && !bytes.HasPrefix(head, []byte(`"error":`)) {
		return nil
	}
	for m := lastMember.FindSubmatch(tail); m != nil; m = lastMember.FindSubmatch(tail) {
		tail = tail[:len(tail)-note(m)]
	}
	return ids
}

// answered returns the ids of the calls that text is an answer to, which is
// refused as a message or as an array of them.
func answered(text []byte) (ids []int64) {
	if text = bytes.TrimSpace(text); bytes.HasPrefix(text, []byte("[")) {
		for element := range jsonrpc.Elements(text) {
			if jsonrpc.IsObject(element) {
				ids = append(ids, answered(element)...)
			}
		}
		return ids
	}
	if values, err := jsonrpc.Lookup(text, "id", "method"); err == nil {
		if id, ok := number(values[0]); ok && values[1] == nil {
			return []int64{id}
		}
		return nil
	}
	var e excerpt
	e.add(text)
	return e.ids()
}

// compact returns text without white space; what is inside strings does not
// matter here.
func compact(text []byte) []byte { return bytes.Join(bytes.Fields(text), nil) }

// number returns the value of a JSON text that is one of our ids.
func number(text []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil && n > 0
}
