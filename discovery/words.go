package discovery

import (
	"errors"
	"strings"
)

// splitWords splits a command line into words by the quoting rules of a POSIX
// shell, without being one: no variables, no patterns, no operators. It ends
// where stop says so of the rest, which it asks outside of quotes only, and
// returns that rest.
func splitWords(s string, stop func(rest string) bool) (words []string, rest string, err error) {
	var word strings.Builder
	begun := false // a word may be empty: ''
	flush := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for s != "" && !stop(s) {
		c := s[0]
		s = s[1:]
		switch c {
		case ' ', '\t', '\r', '\n':
			flush()
			continue
		case '\'':
			quoted, after, closed := strings.Cut(s, "'")
			if !closed {
				return nil, "", errors.New("a quote ' is not closed")
			}
			word.WriteString(quoted)
			s = after
		case '"':
			if s, err = doubleQuoted(s, &word); err != nil {
				return nil, "", err
			}
		case '\\':
			if s == "" {
				return nil, "", errors.New(`the command ends in a \; write \\ for a plain one`)
			}
			word.WriteByte(s[0])
			s = s[1:]
		default:
			word.WriteByte(c)
		}
		begun = true
	}
	flush()
	return words, s, nil
}

// doubleQuoted writes what stands before the closing quote, and returns what
// stands behind it.
func doubleQuoted(s string, word *strings.Builder) (rest string, err error) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\\\"$`", s[i+1]) >= 0:
			i++
		}
		word.WriteByte(s[i])
	}
	return "", errors.New(`a quote " is not closed`)
}

// CommandLine splits s into a program and its arguments by the quoting rules of a
// POSIX shell, without being one: no variables, no patterns, no operators.
func CommandLine(s string) ([]string, error) {
	words, _, err := splitWords(s, func(string) bool { return false })
	if err != nil {
		return nil, err
	}
	return words, checkWords(words)
}

func checkWords(words []string) error {
	if len(words) == 0 {
		return errors.New("names no program")
	}
	return checkPath(words[0])
}
