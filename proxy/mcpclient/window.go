package mcpclient

import (
	"bytes"
	"errors"
	"io"
)

const (
	smallBuffer = 4 << 10
	largeBuffer = 256 << 10 // a buffer grown beyond this is not kept
)

// errLong says that the next line is longer than the window's limit. It is to be
// skipped before anything else is read.
var errLong = errors.New("a message is longer than 16 MiB")

// window reads lines through a buffer that grows with them. A reader may hold
// back what earlier lines said, joined, until it has all:
//
//	buf: ··· from [held] keep ··· pos [unread] to
//
// What line and held return is valid until the next line is read.
type window struct {
	r      io.Reader
	buf    []byte
	from   int
	keep   int
	pos    int
	to     int
	seen   int  // no line ends in the unread bytes before seen
	limit  int  // the longest line, in bytes
	cr     bool // a lone CR ends a line too, as in event streams
	skipLF bool // the last line ended in CR: an LF that follows belongs to it
	err    error
}

// line returns the next line without its end. What is left without an end at the
// end of input is no line; see rest.
func (w *window) line() ([]byte, error) {
	for {
		end := w.lineEnd()
		if end < 0 && w.to-w.pos > w.limit || end-w.pos > w.limit {
			return nil, errLong
		}
		if end >= 0 {
			line := w.buf[w.pos:end]
			w.pass(end)
			return line, nil
		}
		if err := w.fill(); err != nil {
			return nil, err
		}
	}
}

// rest returns what the end of input has left without a line's end.
func (w *window) rest() []byte {
	rest := w.buf[w.pos:w.to]
	w.pos = w.to
	return rest
}

// skip moves over the rest of a line of any length, of which dropped sees each
// piece.
func (w *window) skip(dropped func([]byte)) error {
	defer w.shrink()
	for {
		if end := w.lineEnd(); end >= 0 {
			dropped(w.buf[w.pos:end])
			w.pass(end)
			return nil
		}
		dropped(w.buf[w.pos:w.to])
		w.pos, w.seen = w.to, w.to
		if err := w.fill(); err != nil {
			return err
		}
	}
}

// lineEnd returns where the next line ends, or -1.
func (w *window) lineEnd() int {
	if w.skipLF && w.pos < w.to {
		w.skipLF = false
		if w.buf[w.pos] == '\n' {
			w.pos++
		}
	}
	from := max(w.seen, w.pos)
	fresh := w.buf[from:w.to]
	end := bytes.IndexByte(fresh, '\n')
	if w.cr {
		if end >= 0 {
			fresh = fresh[:end]
		}
		if i := bytes.IndexByte(fresh, '\r'); i >= 0 {
			end = i
		}
	}
	if end < 0 {
		w.seen = w.to
		return -1
	}
	w.seen = from + end // found again at once, should line be called after errLong
	return from + end
}

// pass moves behind a line that ends at end.
func (w *window) pass(end int) {
	w.skipLF = w.cr && w.buf[end] == '\r'
	w.pos = end + 1
	w.seen = w.pos
}

// fill reads more.
func (w *window) fill() error {
	if w.err != nil {
		return w.err
	}
	if w.keep == w.from && w.pos == w.to {
		w.from, w.keep, w.pos, w.to, w.seen = 0, 0, 0, 0, 0
	}
	if w.to == len(w.buf) {
		w.room()
	}
	for range 100 {
		n, err := w.r.Read(w.buf[w.to:])
		w.to += n
		w.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	w.err = io.ErrNoProgress
	return w.err
}

// room makes room for more at the end of the buffer, by moving what is needed to
// its beginning and, where that gains little, by a larger buffer.
func (w *window) room() {
	held, unread := w.keep-w.from, w.to-w.pos
	buf := w.buf
	if (held+unread)*4 >= len(buf)*3 {
		buf = make([]byte, max(smallBuffer, 2*len(buf)))
	}
	copy(buf, w.buf[w.from:w.keep])
	copy(buf[held:], w.buf[w.pos:w.to])
	w.seen -= w.pos - held
	w.buf, w.from, w.keep, w.pos, w.to = buf, 0, held, held, held+unread
}

// hold keeps part, a piece of the line just read, joined by LF to what is held
// already, or as the first piece. The line that part came from was read after
// what is held, so that the pieces can be moved together in place.
func (w *window) hold(part []byte, first bool) {
	if first {
		w.from = cap(w.buf) - cap(part) // where part lies
		w.keep = w.from + len(part)
		return
	}
	w.buf[w.keep] = '\n'
	w.keep += 1 + copy(w.buf[w.keep+1:], part)
}

// held returns what is held.
func (w *window) held() []byte { return w.buf[w.from:w.keep] }

// release gives up what is held.
func (w *window) release() { w.from, w.keep = w.pos, w.pos }

// own returns data, a piece of the buffer, as memory of the caller's own. What is
// held is given up.
func (w *window) own(data []byte) []byte {
	if !w.outgrown() || len(data) < len(w.buf)/4 {
		data = bytes.Clone(data)
	}
	w.release()
	w.shrink()
	return data
}

// outgrown reports whether shrink is to leave the buffer.
func (w *window) outgrown() bool {
	return len(w.buf) > largeBuffer && w.to-w.pos <= largeBuffer/2
}

// shrink leaves a buffer that one long message has made large. Nothing may be
// held.
func (w *window) shrink() {
	if w.outgrown() {
		old := w.buf[w.pos:w.to]
		w.buf = make([]byte, max(smallBuffer, 2*len(old)))
		w.to = copy(w.buf, old)
		w.seen = max(0, w.seen-w.pos)
		w.from, w.keep, w.pos = 0, 0, 0
	}
}
