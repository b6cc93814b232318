package mcpserver

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"mcphub/proxy/jsonrpc"
)

// The codes of the specification beside JSON-RPC's own.
const (
	codeUnsupportedVersion = -32022 // 2026-07-28/basic, error codes
	codeSessionNotFound    = -32001 // as other servers answer 404
)

// refusal is an HTTP answer to a request that never became a call.
type refusal struct {
	status int
	err    *jsonrpc.Error
}

// Error implements error.
func (e *refusal) Error() string { return e.err.Message }

// Unwrap returns what the client is told, by whatever status.
func (e *refusal) Unwrap() error { return e.err }

func refuse(status int, code int64, format string, args ...any) *refusal {
	return &refusal{status, jsonrpc.Errorf(code, format, args...)}
}

// fail answers a request that failed with err before it was a call.
func fail(w http.ResponseWriter, id jsonrpc.Raw, err error) {
	status, e := http.StatusOK, asError(err)
	if r, ok := errors.AsType[*refusal](err); ok {
		status, e = r.status, r.err
	} else if busy, ok := errors.AsType[*BusyError](err); ok {
		status = http.StatusServiceUnavailable
		setRetryAfter(w, busy.RetryAfter)
	}
	writeJSON(w, status, jsonrpc.AppendError(nil, id, e), nil, nil)
}

// asError returns err as what a client is told.
func asError(err error) *jsonrpc.Error {
	if e, ok := errors.AsType[*jsonrpc.Error](err); ok {
		return e
	}
	return jsonrpc.Errorf(jsonrpc.CodeInternal, "%v", err)
}

func setRetryAfter(w http.ResponseWriter, d time.Duration) {
	seconds := max(1, int(math.Ceil(d.Seconds())))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
}

// bigBody is from where on an answer needs its length said; below, net/http's
// buffer has all of it, and says.
const bigBody = 2048

// writeJSON writes an HTTP answer whose body is head, body and tail.
func writeJSON(w http.ResponseWriter, status int, head, body, tail []byte) {
	h := w.Header()
	h["Content-Type"] = contentJSON
	size := len(head) + len(body) + len(tail)
	if size < bigBody {
		w.WriteHeader(status)
		_, _ = w.Write(append(append(head, body...), tail...)) // a client that is gone needs no answer
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(size)}
	w.WriteHeader(status)
	for _, part := range [][]byte{head, body, tail} {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}
