package jsonrpc

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxDepth bounds how deep values may nest. Many decoders give up at 1,000.
const maxDepth = 500

// scanner walks over JSON text once, checking it against RFC 8259. It is
// stricter than the RFC asks in one thing: text must be valid UTF-8.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) errorf(format string, args ...any) *Error {
	e := Errorf(CodeParse, format, args...)
	e.Message = "invalid JSON at byte " + itoa(s.pos) + ": " + e.Message
	return e
}

// space skips white space.
func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return
		}
	}
}

// next skips white space and returns the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

// expect skips white space and then the byte c.
func (s *scanner) expect(c byte) *Error {
	if s.next() != c {
		return s.errorf("expected %q", c)
	}
	s.pos++
	return nil
}

// end checks that nothing but white space is left.
func (s *scanner) end() *Error {
	if s.space(); s.pos != len(s.data) {
		return s.errorf("something follows the value")
	}
	return nil
}

// skip checks one value of any kind and moves behind it. White space before the
// value must have been skipped. It does not recurse, so that no input can
// exhaust the stack.
func (s *scanner) skip() *Error {
	var open [maxDepth]byte // the closing byte of each container we are in
	depth := 0
	for {
		if s.pos == len(s.data) {
			return s.errorf("unexpected end")
		}
		switch c := s.data[s.pos]; c {
		case '{', '[':
			entered, err := s.enter(open[:], depth)
			if err != nil {
				return err
			}
			if entered {
				depth++
				continue
			}
		default:
			if err := s.scalar(c); err != nil {
				return err
			}
		}
		done, err := s.leave(open[:], &depth)
		if done || err != nil {
			return err
		}
	}
}

// enter steps into the container that opens at pos, up to its first value.
// entered is false if the container is empty and has been left again.
func (s *scanner) enter(open []byte, depth int) (entered bool, err *Error) {
	if depth == len(open) {
		return false, s.errorf("nested deeper than %d", maxDepth)
	}
	closing := s.data[s.pos] + 2 // '{'+2 is '}', '['+2 is ']'
	s.pos++
	if s.next() == closing {
		s.pos++
		return false, nil
	}
	open[depth] = closing
	if closing == '}' {
		return true, s.key()
	}
	return true, nil
}

// leave moves from the end of a value to the start of the next one, out of every
// container that ends there. done reports that the outermost value has ended.
func (s *scanner) leave(open []byte, depth *int) (done bool, err *Error) {
	for *depth > 0 {
		closing := open[*depth-1]
		switch c := s.next(); c {
		case ',':
			s.pos++
			if closing == '}' {
				return false, s.key()
			}
			s.space()
			return false, nil
		case closing:
			s.pos++
			*depth--
		default:
			return false, s.errorf("expected ',' or %q", closing)
		}
	}
	return true, nil
}

// key moves over a member's key and colon, up to its value.
func (s *scanner) key() *Error {
	if s.next() != '"' {
		return s.errorf("expected a key")
	}
	if _, err := s.text(); err != nil {
		return err
	}
	if err := s.expect(':'); err != nil {
		return err
	}
	s.space()
	return nil
}

// scalar moves over a string, number or literal that begins with c.
func (s *scanner) scalar(c byte) *Error {
	switch {
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || isDigit(c):
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	default:
		return s.errorf("unexpected byte 0x%02x", c)
	}
}

func (s *scanner) literal(word string) *Error {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return s.errorf("expected %s", word)
	}
	s.pos += len(word)
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (s *scanner) digits() *Error {
	from := s.pos
	for s.pos < len(s.data) && isDigit(s.data[s.pos]) {
		s.pos++
	}
	if s.pos == from {
		return s.errorf("expected a digit")
	}
	return nil
}

// at reports whether the next byte is a or b.
func (s *scanner) at(a, b byte) bool {
	return s.pos < len(s.data) && (s.data[s.pos] == a || s.data[s.pos] == b)
}

func (s *scanner) number() *Error {
	if s.at('-', '-') {
		s.pos++
	}
	if s.at('0', '0') {
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.at('.', '.') {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.at('e', 'E') {
		s.pos++
		if s.at('+', '-') {
			s.pos++
		}
		return s.digits()
	}
	return nil
}

// text moves over the string at pos and returns it without its quotes, still
// escaped.
func (s *scanner) text() ([]byte, *Error) {
	s.pos++
	from := s.pos
	for {
		s.pos = plain(s.data, s.pos)
		if s.pos == len(s.data) {
			return nil, s.errorf("unexpected end of a string")
		}
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return s.data[from : s.pos-1], nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		case c < 0x20:
			return nil, s.errorf("control byte 0x%02x inside a string", c)
		default:
			if err := s.runes(); err != nil {
				return nil, err
			}
		}
	}
}

// escape moves over the escape sequence at pos.
func (s *scanner) escape() *Error {
	rest := s.data[s.pos:]
	if len(rest) < 2 {
		return s.errorf("unexpected end of a string")
	}
	switch rest[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		if len(rest) >= 6 && isHex(rest[2]) && isHex(rest[3]) && isHex(rest[4]) && isHex(rest[5]) {
			s.pos += 6
			return nil
		}
	}
	return s.errorf("invalid escape sequence")
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// runes moves over a run of characters beyond ASCII.
func (s *scanner) runes() *Error {
	for s.pos < len(s.data) && s.data[s.pos] >= utf8.RuneSelf {
		_, size := utf8.DecodeRune(s.data[s.pos:])
		if size == 1 {
			return s.errorf("invalid UTF-8")
		}
		s.pos += size
	}
	return nil
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns the index of the first byte from i on that is not simply part of
// a string: a quote, a backslash, a control byte or one beyond ASCII. It looks at
// many bytes at a time, for here is where a long message spends its time.
func plain(data []byte, i int) int {
	for ; i+32 <= len(data); i += 32 {
		b := data[i : i+32 : i+32]
		if special(binary.LittleEndian.Uint64(b))|special(binary.LittleEndian.Uint64(b[8:]))|
			special(binary.LittleEndian.Uint64(b[16:]))|special(binary.LittleEndian.Uint64(b[24:])) != 0 {
			break
		}
	}
	for ; i+8 <= len(data); i += 8 {
		if x := special(binary.LittleEndian.Uint64(data[i:])); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for ; i < len(data); i++ {
		if c := data[i]; c == '"' || c == '\\' || c < 0x20 || c >= utf8.RuneSelf {
			return i
		}
	}
	return i
}

// special returns a word in which the highest bit of a byte is set where that
// byte of w is special. A borrow may set it for a byte above a special one too;
// only the lowest counts.
func special(w uint64) uint64 {
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return ((w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash | w) & highs
}
