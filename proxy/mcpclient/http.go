package mcpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// maxRedirects is how many redirects one request follows.
const maxRedirects = 5

// site is an HTTP server: one URL and a way to reach it.
type site struct {
	client http.RoundTripper
	url    atomic.Pointer[url.URL] // moves when the server redirects, within its origin
	blank  *http.Request           // what all requests have in common; copied, never sent
}

func newSite(address string, client http.RoundTripper) (*site, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("read the URL: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the URL %q is not of the form http://host/path", address)
	}
	if client == nil {
		client = http.DefaultTransport
	}
	s := &site{client: client, blank: &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}}
	s.url.Store(u)
	return s, nil
}

// attempt follows a request far enough to tell, should it fail, whether the server
// can have got any of it.
type attempt struct {
	state atomic.Int32
	trace httptrace.ClientTrace
}

// The states of an attempt.
const (
	untraced  int32 = iota // the RoundTripper does not tell
	connects               // no connection yet, or the one before turned out closed
	connected              // from here on, anything may have gone out
)

// follow returns ctx for the request that a follows.
func (a *attempt) follow(ctx context.Context) context.Context {
	a.trace.GetConn = func(string) { a.state.Store(connects) }
	a.trace.GotConn = func(httptrace.GotConnInfo) { a.state.Store(connected) }
	return httptrace.WithClientTrace(ctx, &a.trace)
}

// unsent reports whether nothing can have gone out, given the error of RoundTrip.
func (a *attempt) unsent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	return a.state.Load() == connects
}

// do sends one request and follows the server's redirects to its own origin. Its
// errors are ErrNotSent or ErrOutcomeUnknown with the cause, or a redirect that
// is refused. body may be nil; header is only read.
func (s *site) do(ctx context.Context, method string, header http.Header, body []byte) (*http.Response, error) {
	for range maxRedirects + 1 {
		var tried attempt
		req := s.blank.WithContext(tried.follow(ctx))
		req.Method, req.URL, req.Header = method, s.url.Load(), header
		req.Host = header.Get("Host")
		if body != nil {
			req.ContentLength = int64(len(body))
			req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
			req.Body, _ = req.GetBody() // of a type that net/http sends in one packet with the head
		}
		resp, err := s.client.RoundTrip(req)
		if err != nil {
			return nil, s.lost(err, tried.unsent(err))
		}
		if !isRedirect(resp.StatusCode) {
			return resp, nil
		}
		resp.Body.Close()
		if err := s.follow(resp, method); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s redirects more than %d times", place(s.url.Load()), maxRedirects)
}

// lost names what a failed request means for the message in it.
func (s *site) lost(err error, unsent bool) error {
	cause := err
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		cause = errno // without the operations that led to it, and the addresses
	}
	if unsent {
		return fmt.Errorf("%w: connect to %s: %w", ErrNotSent, place(s.url.Load()), cause)
	}
	return fmt.Errorf("%w: %s: %w", ErrOutcomeUnknown, place(s.url.Load()), cause)
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// follow moves the site to where a redirect leads, if that is of the same origin
// and leaves the method as it is.
func (s *site) follow(resp *http.Response, method string) error {
	from := s.url.Load()
	to, err := from.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" {
		return fmt.Errorf("%s redirects to nowhere (HTTP %d)", place(from), resp.StatusCode)
	}
	if origin(from) != origin(to) {
		return fmt.Errorf("%s redirects to another origin, %s: refused; declare that URL if it is meant", place(from), place(to))
	}
	keeps := resp.StatusCode == http.StatusTemporaryRedirect || resp.StatusCode == http.StatusPermanentRedirect
	if !keeps && (method != http.MethodGet || resp.StatusCode == http.StatusSeeOther) {
		return fmt.Errorf("%s redirects a %s to %s with HTTP %d, which would change the method: refused; declare that URL",
			place(from), method, place(to), resp.StatusCode)
	}
	s.url.Store(to)
	return nil
}

// origin returns what must stay the same when a server names another URL.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// place returns a URL as it may be shown: without what can be a secret.
func place(u *url.URL) string {
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

// statusError returns an answer that is no MCP message as an error. It reads some
// of the body, which the caller closes.
func statusError(resp *http.Response) *StatusError {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return &StatusError{
		Code:       resp.StatusCode,
		RetryAfter: retryAfter(resp.Header),
		Body:       printable(body, 300),
	}
}

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetry)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, time.Until(at)), maxRetry)
	}
	return 0
}

// printable returns text on one line, at most size bytes of it.
func printable(text []byte, size int) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(text[:min(len(text), 4*size)]), "?"))
	clean = strings.Join(strings.Fields(clean), " ")
	if len(clean) > size {
		clean = strings.ToValidUTF8(clean[:size], "") + "…"
	}
	return clean
}

// drain reads a small rest of a body, so that its connection can be used again,
// and closes it.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 4<<10)
	body.Close()
}

// contentType returns a response's content type without parameters, which must be
// one of those wanted. The body must be plain: what asks for compression undoes it.
func contentType(resp *http.Response, wanted ...string) (string, error) {
	kind, coding := mediaType(resp), resp.Header.Get("Content-Encoding")
	switch {
	case coding != "" && !strings.EqualFold(coding, "identity"):
		return "", fmt.Errorf("it is encoded as %q, which was not asked for", printable([]byte(coding), 50))
	case slices.Contains(wanted, kind):
		return kind, nil
	case kind == "":
		return "", fmt.Errorf("it has no content type; %s is wanted", strings.Join(wanted, " or "))
	default:
		return "", fmt.Errorf("its content type is %q, not %s", printable([]byte(kind), 100), strings.Join(wanted, " or "))
	}
}

// mediaType returns a response's content type without parameters.
func mediaType(resp *http.Response) string {
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
