// Package discovery says which MCP servers there should be.
//
// Servers are declared in three places: a configuration file, the process's
// environment, and the labels of Docker containers (package docker). Each place is
// a Source. A Source sends Lists; a List is complete, never a
// difference, so that nobody has to remember what was said before. Merge unites
// the newest List of every source into one Desired, which is what the proxy
// strives for.
//
// The package knows nothing of MCP: it does not connect to anything, and it
// takes a server's transport as a word. A source holds no business logic
// either: it reads, checks and reports. It is better to work from a stale list
// than from a partial one, so a source that fails keeps quiet and its last List
// stays in force.
package discovery

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Origin names the place that declares a server. Of two declarations of one id
// the origin that comes first here wins.
type Origin string

// The origins, in order of precedence.
const (
	Environment Origin = "environment"
	File        Origin = "file"
	Label       Origin = "label"
)

// Transport is how a server is spoken to.
type Transport string

// The transports of the specification
// (https://modelcontextprotocol.io/specification/2025-11-25/basic/transports),
// and the HTTP+SSE transport of revision 2024-11-05.
const (
	Stdio          Transport = "stdio"
	StreamableHTTP Transport = "streamable-http"
	SSE            Transport = "sse"
)

// Isolation says who shares a session at the server.
type Isolation string

const (
	// IsolationDefault leaves the choice to the hub: a session per client over
	// HTTP, one shared process over stdio.
	IsolationDefault Isolation = ""
	// IsolationSession gives each client session a session (over stdio: a
	// process) of its own.
	IsolationSession Isolation = "session"
	// IsolationShared has all clients share one.
	IsolationShared Isolation = "shared"
)

// Protocol says which of the protocol's two eras a server is to be addressed in
// first.
type Protocol string

const (
	ProtocolDefault Protocol = "" // the hub finds out
	ProtocolLegacy  Protocol = "legacy"
	ProtocolModern  Protocol = "modern"
)

// Spec is everything about a server that, when it changes, asks for new
// connections.
type Spec struct {
	Transport Transport
	Command   []string          // stdio: the program and its arguments
	Env       map[string]string // stdio: variables beside the inherited ones
	Dir       string            // stdio: the working directory; empty: the hub's, or the image's
	URL       string            // streamable-http and sse; empty in a container
	Headers   map[string]string // sent with every request; values may be secret
	Isolation Isolation
	Protocol  Protocol
	Timeout   time.Duration // limit of one call; 0: none

	// InContainer says that the server runs in containers: its addresses are those
	// of its instances. Over stdio, Command is then run inside the container, and
	// without a Command the hub attaches to the container's own process.
	InContainer bool
	User        string // who runs Command in a container; empty: the image's user
}

// Equal reports whether s and o ask for the same connections.
func (s Spec) Equal(o Spec) bool {
	return s.Transport == o.Transport && slices.Equal(s.Command, o.Command) &&
		maps.Equal(s.Env, o.Env) && s.Dir == o.Dir && s.URL == o.URL &&
		maps.Equal(s.Headers, o.Headers) && s.Isolation == o.Isolation && s.Protocol == o.Protocol &&
		s.Timeout == o.Timeout && s.InContainer == o.InContainer && s.User == o.User
}

// Server is the declaration of one MCP server.
type Server struct {
	ID     string // unique among the servers of a Desired; see CheckID
	Spec   Spec
	Origin Origin
	Where  string // where it is declared, for people: "config.json", "container files"

	Container string // the name of the container whose labels declare it; empty: none do

	// What follows may change without asking for new connections.
	Title       string
	Description string
	Warnings    []string // what is odd about the declaration, and does not keep it from being followed

	// Of a server in containers; see Instance and Live.
	Instances []Instance
	Absence   Absence       // why there is none
	Standby   bool          // all sessions go to the first instance that is well, not each to another
	Drain     time.Duration // how long calls in flight may go on where nothing new begins
}

// Problem is a declaration that cannot be followed. It is reported (in the log
// and at /health), and harms nothing else.
type Problem struct {
	ID     string // the server's id, or the group's
	State  string // "invalid" or "conflict"
	Origin Origin
	Where  string
	Reason string // what is wrong and what mends it

	Container string // as of a Server
}

// List is all that one source declares.
type List struct {
	Origin   Origin
	Servers  []Server            // in the order of declaration
	Groups   map[string][]string // group id → server ids, in the order of declaration
	Problems []Problem
}

// Source reads declarations at one place.
type Source interface {
	// Run sends a complete List at once and again after every change, until ctx
	// ends. A receiver that is slow gets the newest List, not every one. Run
	// retries for ever by itself; it returns only when ctx ends, and then nil.
	Run(ctx context.Context, lists chan<- List) error
}

// Before reports whether declarations of o win over those of other.
func (o Origin) Before(other Origin) bool {
	return slices.Index(precedence, o) < slices.Index(precedence, other)
}
