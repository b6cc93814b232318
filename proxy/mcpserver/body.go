package mcpserver

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"mcphub/proxy/jsonrpc"
)

const (
	firstPiece = 256 << 10 // bytes of a body from which on it is a large one
	maxBodies  = 256 << 20 // bytes of all large bodies; one that is allowed at all may always be alone
	slowest    = 20_000    // bytes a second that a client of a large body has to send
)

// body is the body of a POST. It holds memory for what has come, not for what was
// promised.
type body struct {
	server *Server
	data   []byte
	large  int64 // bytes that the server counts

	patience time.Duration // for what there is room for
}

// release gives back what the body holds, when its message is answered.
func (b *body) release() {
	if b.large > 0 {
		b.server.bodies.Add(-b.large)
	}
}

// read checks the headers of a POST and reads its body, up to the bound.
func (b *body) read(w http.ResponseWriter, r *http.Request) error {
	if err := checkHeaders(r); err != nil {
		return err
	}
	limit := b.server.options.MaxBody
	if r.ContentLength > limit {
		return tooLarge(limit)
	}
	size, from := r.ContentLength, r.Body
	if size < 0 {
		size, from = limit+1, http.MaxBytesReader(w, r.Body, limit)
	}
	return b.explain(b.fill(w, from, size, r.ContentLength < 0))
}

// fill reads size bytes, or up to the end if it may come earlier.
func (b *body) fill(w http.ResponseWriter, from io.Reader, size int64, orLess bool) error {
	began := time.Now()
	b.patience = bodyPatience
	first := min(size, firstPiece)
	if orLess {
		first = min(size, bigBody)
	}
	b.data = make([]byte, 0, first)
	for int64(len(b.data)) < size {
		if len(b.data) == cap(b.data) {
			if err := b.grow(min(size, 2*int64(cap(b.data)))); err != nil {
				return err
			}
			_ = http.NewResponseController(w).SetReadDeadline(began.Add(b.patience)) // not supported: none
		}
		n, err := from.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		switch {
		case int64(len(b.data)) == size, err == io.EOF && orLess:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return nil
}

// grow makes room for size bytes in all, and gives the client time to send them.
func (b *body) grow(size int64) error {
	if size > firstPiece {
		more := size - b.large
		b.large = size
		if all := b.server.bodies.Add(more); all > max(maxBodies, b.server.options.MaxBody+1) {
			return errTooManyBodies
		}
	}
	data := make([]byte, len(b.data), size)
	copy(data, b.data)
	b.data, b.patience = data, bodyPatience+time.Duration(size)*(time.Second/slowest)
	return nil
}

var errTooManyBodies = &BusyError{Reason: "too many large requests are under way", RetryAfter: time.Second}

// explain says what is wrong with a body that could not be read.
func (b *body) explain(err error) error {
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return tooLarge(b.server.options.MaxBody)
	}
	if _, busy := errors.AsType[*BusyError](err); busy || err == nil {
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(http.StatusRequestTimeout, jsonrpc.CodeInvalidRequest,
			"the body came too slowly: %d bytes in %s", len(b.data), b.patience)
	}
	return refuse(http.StatusBadRequest, jsonrpc.CodeParse, "read the body: %v", err)
}

func tooLarge(limit int64) error {
	return refuse(http.StatusRequestEntityTooLarge, jsonrpc.CodeInvalidRequest, "the body is longer than %d bytes (MCPHUB_MAX_BODY)", limit)
}
