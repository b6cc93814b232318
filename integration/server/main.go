// Server is what the containers of the integration tests run: an MCP server that can be slow, mute, ill or moved, made
// with the official SDK. Its environment says how it behaves:
//
//	NAME      what it calls itself
//	PORTS     the ports it listens on, 8080; several with commas between
//	ENDPOINT  the path it serves, /mcp
//	DELAY     how long it waits before it listens
//	MUTE      accepts connections and never answers, if not empty
//	HEALTH    good or bad: what its health check says until "server health good" says otherwise
//
// Its arguments make it another program: "health" is that check, "health good" and "health bad" steer it, "socketproxy"
// stands before an engine's socket, and so it does with the flags of the proxy that compose.hardened.example.yml names
// (see socketproxy.go), "stdio" serves on its input and output, "deaf" likewise and does not end with its input, "crash"
// ends at once with an error.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		endAtOnce()
		return wollomatic(args)
	}
	switch strings.Join(args, " ") {
	case "":
		endAtOnce()
		return serve()
	case "health":
		return checkHealth()
	case "health good", "health bad":
		return os.WriteFile(healthFile, []byte(args[1]), 0o644)
	case "socketproxy":
		endAtOnce()
		return socketProxy()
	case "stdio":
		endAtOnce()
		return serveStdio()
	case "deaf":
		endAtOnce()
		if err := serveStdio(); err != nil {
			return err
		}
		select {} // whatever becomes of its input
	case "crash":
		return errors.New("crashed, as asked")
	default:
		return fmt.Errorf("unknown arguments: %q", args)
	}
}

// endAtOnce ends the process at SIGTERM, which PID 1 of a container does not do by itself.
func endAtOnce() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		os.Exit(0)
	}()
}

const healthFile = "/tmp/health"

func checkHealth() error {
	said, err := os.ReadFile(healthFile)
	if errors.Is(err, os.ErrNotExist) {
		said, err = []byte(os.Getenv("HEALTH")), nil
	}
	if err == nil && string(said) == "bad" {
		err = errors.New("unwell, as asked")
	}
	return err
}

func serve() error {
	delay, err := time.ParseDuration(cmp.Or(os.Getenv("DELAY"), "0s"))
	if err != nil {
		return fmt.Errorf("DELAY: %w", err)
	}
	time.Sleep(delay)
	ended := make(chan error)
	for port := range strings.SplitSeq(cmp.Or(os.Getenv("PORTS"), "8080"), ",") {
		go func() { ended <- listen(":" + port) }()
	}
	return <-ended
}

func serveStdio() error {
	fmt.Fprintln(os.Stderr, cmp.Or(os.Getenv("NAME"), "nameless"), "is ready")
	return newServer(time.Now()).Run(context.Background(), &mcp.StdioTransport{})
}

func listen(address string) error {
	if os.Getenv("MUTE") != "" {
		return mute(address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s := newServer(time.Now())
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s.Server }, nil)
	mux := http.NewServeMux()
	mux.Handle(cmp.Or(os.Getenv("ENDPOINT"), "/mcp"), s.counting(handler))
	return http.Serve(listener, mux)
}

// mute accepts connections, reads what comes, and says nothing.
func mute(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			for buffer := make([]byte, 4096); ; {
				if _, err := conn.Read(buffer); err != nil {
					return
				}
			}
		}()
	}
}
