package mcpclient

import (
	"bytes"
	"io"

	"mcphub/proxy/jsonrpc"
)

// lineReader reads the messages that a process writes to its standard output: one
// a line, as the specification has it. Processes do worse, so that
//   - a message spread over lines is joined, for as long as it can become one;
//   - a line that is a message by itself always counts, whatever came before;
//   - everything else is noise, and told as such.
type lineReader struct {
	lines   window
	sink    lineSink
	skipped excerpt
	begun   bool

	// A message spread over lines as far as it has come; nil if there is none.
	joined []byte
	outer  nesting
	// Half an object may be followed by a whole message over several lines. So one
	// that begins at the margin inside joined is followed separately. -1: none.
	innerAt int
	inner   nesting
}

// lineSink is told what is no message. The bytes are valid during the call.
type lineSink interface {
	noise(line []byte)
	refused(text []byte, err error) // JSON that is not accepted as a message
	skipped(*excerpt)               // a message longer than MaxMessage
}

func newLineReader(r io.Reader, sink lineSink) *lineReader {
	return &lineReader{lines: window{r: r, limit: MaxMessage + len("\r")}, sink: sink, innerAt: -1}
}

// next returns the next message, or several that came in an array. They have
// memory of their own.
func (r *lineReader) next() ([]*jsonrpc.Message, error) {
	for {
		line, err := r.lines.line()
		if err == errLong {
			r.drop()
			r.skipped.reset()
			if err = r.lines.skip(r.skipped.add); err == nil {
				r.sink.skipped(&r.skipped)
				continue
			}
		}
		if err != nil {
			if line = r.lines.rest(); len(line) == 0 {
				r.drop()
				return nil, err
			}
		}
		if !r.begun {
			r.begun = true
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if messages := r.line(line); messages != nil {
			return messages, nil
		}
	}
}

// line takes in one line and returns the messages it is or completes.
func (r *lineReader) line(line []byte) []*jsonrpc.Message {
	text := bytes.TrimSpace(line)
	if len(text) == 0 {
		return nil
	}
	var refusal error
	if closes(text) {
		messages, _, err := jsonrpc.ParseBatch(r.lines.own(text))
		if err == nil {
			r.drop()
			return messages
		}
		refusal = err
	}
	if r.joined != nil {
		if messages, taken := r.join(line); taken {
			return messages
		}
	}
	r.begin(text, refusal)
	return nil
}

// closes reports whether text may be a whole object or array.
func closes(text []byte) bool {
	last := text[len(text)-1]
	return text[0] == '{' && last == '}' || text[0] == '[' && last == ']'
}

// begin takes in a line that continues nothing.
func (r *lineReader) begin(text []byte, refusal error) {
	var n nesting
	switch state := n.line(text); {
	case text[0] != '{' || state == broken || !memberFollows(text):
		r.sink.noise(text)
	case state == closed:
		r.sink.refused(text, refusal)
	default:
		r.joined = append([]byte{}, text...)
		r.outer, r.innerAt = n, -1
	}
}

// join takes in a line as the continuation of those joined. It reports false if
// it is none: what was joined is dropped then.
func (r *lineReader) join(line []byte) (messages []*jsonrpc.Message, taken bool) {
	if len(r.joined)+1+len(line) > MaxMessage {
		r.overflow(line)
		return nil, true
	}
	if line[0] == '{' {
		r.innerAt, r.inner = len(r.joined)+1, nesting{}
	}
	r.joined = append(append(r.joined, '\n'), line...)
	if r.innerAt >= 0 {
		if messages := r.joinInner(line); messages != nil {
			return messages, true
		}
	}
	state := r.outer.line(line)
	if state == open && memberFollows(r.joined) {
		return nil, true
	}
	if state == closed {
		return r.complete(), true
	}
	return nil, r.fallBack(len(line))
}

// overflow drops what was joined because it has become too long.
func (r *lineReader) overflow(line []byte) {
	r.skipped.reset()
	r.skipped.add(r.joined)
	r.skipped.add(line)
	r.sink.skipped(&r.skipped)
	r.joined = nil
}

// joinInner follows the object that began at the margin, and returns it when it
// turns out to be a message.
func (r *lineReader) joinInner(line []byte) []*jsonrpc.Message {
	switch r.inner.line(line) {
	case open:
		return nil
	case closed:
		if m, err := jsonrpc.Parse(bytes.Clone(r.joined[r.innerAt:])); err == nil {
			r.sink.noise(r.joined[:r.innerAt])
			r.joined = nil
			return []*jsonrpc.Message{m}
		}
	}
	r.innerAt = -1
	return nil
}

// complete takes what was joined for a message.
func (r *lineReader) complete() []*jsonrpc.Message {
	text := r.joined
	r.joined = nil
	m, err := jsonrpc.Parse(text)
	if err != nil {
		r.sink.refused(text, err)
		return nil
	}
	return []*jsonrpc.Message{m}
}

// fallBack drops what was joined before its last line, which cannot continue it,
// or before the object that began at the margin and still can become one. It
// reports whether the last line is taken.
func (r *lineReader) fallBack(last int) (taken bool) {
	if r.innerAt >= 0 && memberFollows(r.joined[r.innerAt:]) {
		r.sink.noise(r.joined[:r.innerAt])
		r.joined = bytes.Clone(r.joined[r.innerAt:])
		r.outer, r.innerAt = r.inner, -1
		return true
	}
	r.joined = r.joined[:len(r.joined)-last]
	r.drop()
	return false
}

// drop gives up what was joined.
func (r *lineReader) drop() {
	if r.joined != nil {
		r.sink.noise(r.joined)
	}
	r.joined, r.innerAt = nil, -1
}

// memberFollows reports whether text, which begins with a brace, goes on as JSON
// does: it tells an object from what other formats put in braces.
func memberFollows(text []byte) bool {
	for _, c := range text[1:] {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == '"' || c == '}'
		}
	}
	return true
}
