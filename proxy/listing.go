package proxy

import (
	"bytes"
	"encoding/base64"
	"strings"

	"mcphub/proxy/jsonrpc"
)

// pageSize is how many features a page has; many clients read only one.
const pageSize = 1000

// listing is one list of an endpoint, encoded once for all clients. It is never
// modified.
type listing struct {
	member string
	items  []jsonrpc.Raw
	keys   []string       // of the items, public
	at     map[string]int // where a key stands
	first  jsonrpc.Raw    // the result for the first page, the one nearly all ask for
}

func newListing(k kind, keys []string, items []jsonrpc.Raw) *listing {
	l := &listing{member: kindInfos[k].member, items: items, keys: keys}
	if len(items) > pageSize {
		l.at = make(map[string]int, len(keys))
		for i, key := range keys {
			l.at[key] = i
		}
	}
	l.first = l.encode(0)
	return l
}

// equal reports whether clients see the same list.
func (l *listing) equal(o *listing) bool {
	if !bytes.Equal(l.first, o.first) || len(l.items) != len(o.items) {
		return false
	}
	for i := range l.items {
		if !bytes.Equal(l.items[i], o.items[i]) {
			return false
		}
	}
	return true
}

// page returns the result for a cursor, nil being the first page. A cursor names
// the last feature of the page before it, so that it stays good when the list
// changes elsewhere.
func (l *listing) page(cursor jsonrpc.Raw) (jsonrpc.Raw, error) {
	if cursor == nil {
		return l.first, nil
	}
	text, _ := jsonrpc.Unquote(cursor)
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	key, ours := strings.CutPrefix(string(decoded), cursorMark)
	last, known := l.at[key]
	if err != nil || !ours || !known {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "the cursor is unknown, or its feature is gone: list again from the beginning")
	}
	return l.encode(last + 1), nil
}

const cursorMark = "after:"

// encode returns the page that begins with item from.
func (l *listing) encode(from int) jsonrpc.Raw {
	to := min(from+pageSize, len(l.items))
	out := append(append(jsonrpc.Raw(`{"`), l.member...), `":[`...)
	out = append(out, bytes.Join(rawBytes(l.items[from:to]), []byte(","))...)
	out = append(out, ']')
	if to < len(l.items) {
		cursor := base64.RawURLEncoding.EncodeToString([]byte(cursorMark + l.keys[to-1]))
		out = append(append(append(out, `,"nextCursor":"`...), cursor...), '"')
	}
	return append(out, '}')
}

func rawBytes(items []jsonrpc.Raw) [][]byte {
	out := make([][]byte, len(items))
	for i := range items {
		out[i] = items[i]
	}
	return out
}
