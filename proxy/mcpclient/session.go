// Package mcpclient is the hub as a client: one session with one server,
// whatever its transport and era.
//
// A Session carries messages as bytes. What belongs to a call (progress, log
// lines, questions of the server) comes on that call, on the goroutine of the
// caller; what belongs to none goes to the session's receiver. There is one kind
// of Session and two kinds of wire below it: Streamable HTTP, where every call
// has a response of its own, and the channels that all calls share (stdio and
// HTTP+SSE), where answers are told apart by their id.
//
// A Session that has ended stays ended: Done is closed, every call fails. To
// connect again is the business of the proxy.
package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"mcphub/proxy/jsonrpc"
)

// MaxMessage bounds one message of a server, in bytes. A longer one fails its
// call and is skipped without being held in memory.
const MaxMessage = 16 << 20

// Errors that callers branch on.
var (
	// ErrNotSent says that nothing of a message reached the server: it may be
	// sent again.
	ErrNotSent = errors.New("not sent")
	// ErrSessionLost says that the server does not know the session, and so has
	// not run the call: it may be sent again in a new session.
	ErrSessionLost = errors.New("the server does not know the session any more")
	// ErrOutcomeUnknown says that the connection was lost after the call went
	// out: whether the server has run it cannot be known.
	ErrOutcomeUnknown = errors.New("the connection was lost during the call; its outcome is unknown")
	// ErrClosed says that the session has ended.
	ErrClosed = errors.New("session closed")
)

// StatusError is an HTTP answer that is no MCP message.
type StatusError struct {
	Code       int           // HTTP status
	RetryAfter time.Duration // what the server asks to wait; 0 if it does not
	Body       string        // the beginning of the body, printable
}

// Error implements error.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("the server answered HTTP %d %s", e.Code, http.StatusText(e.Code))
	if e.Body != "" {
		text += ": " + e.Body
	}
	return text
}

// Identity is what a session tells the server of the client it is opened for.
type Identity struct {
	ProtocolVersion string      // the version asked for
	Capabilities    jsonrpc.Raw // an object
	ClientInfo      jsonrpc.Raw // an object
}

// Options say how a session is opened.
type Options struct {
	Identity Identity
	// Receive gets each notification and request of the server that belongs to
	// no call. It is called on the goroutine that reads, so it must not block; it
	// may keep the message. Requests are answered with Session.Respond (ping is
	// answered by the Session itself). While Dial has not returned, nothing else of
	// the Session may be used. Nil: notifications are dropped, requests refused.
	Receive func(*Session, *jsonrpc.Message)
	// Unreachable is told when the stream for what belongs to no call broke or
	// could not be opened again because of a connection error. It is called on a
	// goroutine of the session, so it must not block; may be nil.
	Unreachable func(error)
	// Strays counts the messages that nobody waited for: answers to an id that no
	// call has, or has any more, and progress under a token that no call had. The
	// sessions at one server may share it; may be nil.
	Strays *atomic.Int64
	Log    *slog.Logger // never nil; has the server's id
}

// Transport is how a server is reached: a Stdio, a Piped, a StreamableHTTP or an SSE.
type Transport interface {
	// open starts the wire of s. The wire lives until its close, not until ctx
	// ends; ctx bounds the opening only.
	open(ctx context.Context, s *Session) (wire, error)
}

// wire is the part of a session that differs by transport.
type wire interface {
	// start begins to read what the server sends. The session knows its wire now.
	start()
	// call sends the request and waits for its response. A call that is given up
	// while the server may be at it returns a givenUp: Session.Call tells the
	// server.
	call(ctx context.Context, id int64, c *Call) (*jsonrpc.Message, error)
	// send delivers a notification or a response.
	send(ctx context.Context, message []byte) error
	// reply delivers an answer that the session itself gives, to a ping for one,
	// as well as it can without keeping the goroutine that reads from reading.
	reply(message []byte)
	// established is told the version that initialize agreed on. It returns the
	// server's id of the session, if the transport has one.
	established(version string) (id string)
	// listen opens the stream for what belongs to no call, where the transport
	// has a separate one. It returns at once; the channel is closed when the server
	// has answered, or before where there is nothing to answer.
	listen() <-chan struct{}
	// ended is told, once, that the session has ended: what is in flight is to
	// fail. It does not wait.
	ended()
	// close ends the wire and whatever is behind it, and waits for it. The session
	// has ended before.
	close()
}

// Call is one request to a server.
type Call struct {
	Method string
	// Params are taken from Message with Edits applied, or else are Raw. The
	// session replaces _meta.progressToken by a token of its own, where there is
	// one.
	Message *jsonrpc.Message
	Edits   []jsonrpc.Edit
	Raw     jsonrpc.Raw
	// Header has what else goes out with the request over HTTP (trace headers,
	// Mcp-Param-*); may be nil.
	Header http.Header
	// Owner tells on a shared channel whose calls are in flight; compared only.
	Owner any
	// Receive gets what the server sends for this call before its response:
	// progress with this call's token, log messages, requests. It is called on
	// the goroutine of Session.Call; the message is valid until it returns. Nil:
	// all is dropped, and requests are refused. An error ends the call.
	Receive func(*jsonrpc.Message) error
	// Primed and Parted, if not nil, are told how a server means the call's stream
	// to be read (2025-11-25/basic/transports, polling): that it gave an id to
	// resume by, or a time to wait, without a message, and that it closed the stream
	// before the response, which the session asks for again. retry is what it asks
	// to wait; 0 if it does not say. A value on what Parted returns ends that wait:
	// whoever the call is for has come back earlier. They are called on the goroutine
	// of Session.Call.
	Primed func(retry time.Duration)
	Parted func(retry time.Duration) (back <-chan struct{})

	// ID is set by Session.Call: what the request goes out under, which is its
	// progress token too. A server may go on using that after its answer: what the
	// session gets then goes to its own receiver.
	ID int64
}
