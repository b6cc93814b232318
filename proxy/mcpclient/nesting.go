package mcpclient

import "bytes"

// nesting follows JSON from line to line as far as it takes to see where the
// outermost value ends. It does not check the rest.
type nesting struct{ depth int }

// What a line does to the outermost value.
type nestingState int

const (
	open   nestingState = iota // goes on
	closed                     // ends with the line
	broken                     // cannot go on like this
)

// line takes in one line, in which no string may end open.
func (n *nesting) line(line []byte) nestingState {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '{', '[':
			n.depth++
		case '}', ']':
			if n.depth--; n.depth < 0 {
				return broken
			}
			if n.depth == 0 {
				if len(bytes.TrimSpace(line[i+1:])) > 0 {
					return broken
				}
				return closed
			}
		case '"':
			end := stringEnd(line, i+1)
			if end < 0 {
				return broken
			}
			i = end
		}
	}
	return open
}

// stringEnd returns where the quote lies that ends a string, or -1.
func stringEnd(line []byte, from int) int {
	for i := from; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
