package mcpserver

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	headerPatience = 10 * time.Second // to send the headers of a request
	bodyPatience   = 30 * time.Second // to send a request; a large body gets more, see body
	idlePatience   = 2 * time.Minute  // between two requests on a connection
	lostPatience   = 2 * time.Minute  // until a peer counts as gone that acknowledges nothing
	maxHeader      = 256 << 10        // bytes of a request's headers
)

// NewHTTPServer returns a server that waits for no client without end. It is to
// serve on a listener of Listen, or one in a Listener, which see to what is
// written.
//
// A body that nobody reads has its limit too: net/http waits for it before it sends
// an answer. When all of a request is there, its handler may take as long as it
// likes.
func NewHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerPatience,
		ReadTimeout:       bodyPatience,
		IdleTimeout:       idlePatience,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(errorLevel{log.Handler()}, slog.LevelDebug),
	}
}

// errorLevel raises the level of what net/http says of a handler that panicked.
// What it says beside that is of clients.
type errorLevel struct{ slog.Handler }

func (e errorLevel) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "http: panic serving") {
		r.Level = slog.LevelError
	}
	if !e.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return e.Handler.Handle(ctx, r)
}

// Enabled leaves it to Handle, which knows the message.
func (errorLevel) Enabled(context.Context, slog.Level) bool { return true }

// Listen listens at a TCP address. Peers that are gone without a word are found
// out, whether they owe an acknowledgement or not.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 6},
		Control:         limitSilence,
	}
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return Listener{listener}, nil
}

// Listener accepts connections on which every write has a deadline: there is none
// that a client which does not read could hold up for ever.
type Listener struct{ net.Listener }

// Accept implements net.Listener.
func (l Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &clientConn{Conn: conn}, nil
}

// clientConn is a connection of a client. Its deadlines for writing are its own.
type clientConn struct {
	net.Conn
	until time.Time // the deadline for writing; belongs to whoever writes
}

// spareTime is how much later than it must be a deadline is set, so that it does
// for what is written soon after: to set one costs more than to look at the clock.
const spareTime = 10 * time.Second

// Write implements net.Conn.
func (c *clientConn) Write(p []byte) (int, error) {
	if least := time.Now().Add(timeToRead(len(p))); c.until.Before(least) {
		c.until = least.Add(spareTime)
		if err := c.Conn.SetWriteDeadline(c.until); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// SetWriteDeadline implements net.Conn. It does nothing: net/http takes deadlines
// away after each request.
func (c *clientConn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline implements net.Conn, for reading.
func (c *clientConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// timeToRead returns how long a client may take to read so many bytes.
func timeToRead(size int) time.Duration {
	return 30*time.Second + time.Duration(size)*(time.Second/100_000)
}
