package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	demoInstructions = "A server to try MCP Hub with. Read demo://readme for a tour of its tools, prompts and resources."
	demoModern       = "2026-07-28" // the first version without sessions
	demoIdleSession  = time.Hour    // an HTTP session without a request for this long is forgotten
)

// demoServer is the subcommand demo-server: an MCP server to try the hub with.
// It serves one client on stdin and stdout, or, with --http, any number at /mcp of that address.
// It returns when its client leaves or ctx ends; neither is an error.
func demoServer(ctx context.Context, args []string, stdin io.ReadCloser, stdout io.WriteCloser) error {
	flags := flag.NewFlagSet("demo-server", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // a bad flag is in the error, and said once
	addr := flags.String("http", "", "serve Streamable HTTP at `ADDR`, such as :8080, instead of stdio")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "Usage: mcphub demo-server [--http ADDR]")
		flags.SetOutput(os.Stderr)
		flags.PrintDefaults()
		return nil
	} else if err != nil {
		return fmt.Errorf("demo-server: %w", err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("demo-server takes no arguments, got %q", flags.Args())
	}
	if *addr == "" {
		return serveDemoStdio(ctx, stdin, stdout)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("demo-server: %w", err)
	}
	// Standard output belongs to the protocol in one of the two modes, so words go to standard error in both.
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	log.Info("demo server listening", "url", "http://"+listener.Addr().String()+"/mcp")
	return serveDemoHTTP(ctx, listener)
}

func serveDemoStdio(ctx context.Context, stdin io.ReadCloser, stdout io.WriteCloser) error {
	err := newDemo(ctx).Run(ctx, &mcp.IOTransport{Reader: stdin, Writer: stdout})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func serveDemoHTTP(ctx context.Context, listener net.Listener) error {
	demo := newDemo(ctx)
	server := &http.Server{Handler: demoHandler(demo), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("demo-server: %w", err)
	case <-ctx.Done():
	}
	// Close, not Shutdown: the calls have ended with ctx, and what is left are streams, which Shutdown would wait for.
	server.Close()
	for session := range demo.Sessions() {
		session.Close()
	}
	<-served
	return nil
}

// demoHandler serves both eras at one address. The SDK has a handler with sessions for the legacy versions and one without for
// the modern ones; the version header, which modern requests must have, tells which of them is meant.
func demoHandler(demo *mcp.Server) http.Handler {
	server := func(*http.Request) *mcp.Server { return demo }
	legacy := mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{SessionTimeout: demoIdleSession})
	modern := mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{Stateless: true, PropagateRequestCancellation: true})
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("MCP-Protocol-Version") >= demoModern {
			modern.ServeHTTP(w, r)
			return
		}
		legacy.ServeHTTP(w, r)
	})
	mux := http.NewServeMux()
	mux.Handle("/mcp", http.NewCrossOriginProtection().Handler(both))
	return mux
}

// newDemo returns the server with everything it offers. Its calls end when ctx does.
func newDemo(ctx context.Context) *mcp.Server {
	server := mcp.NewServer(
		&mcp.Implementation{Name: "mcphub-demo", Title: "MCP Hub demonstration server", Version: "1.0.0"},
		&mcp.ServerOptions{
			Instructions:      demoInstructions,
			CompletionHandler: demoComplete,
			// The SDK keeps the subscriptions. Without these two it would refuse them.
			SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
			UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		},
	)
	server.AddReceivingMiddleware(endCallsWith(ctx))
	addDemoTools(server)
	addDemoConversations(server)
	addDemoResources(server)
	addDemoPrompts(server)
	return server
}

// endCallsWith cancels the calls in flight when ctx ends: a session's Close waits for them, and a countdown can take a minute.
func endCallsWith(ctx context.Context) mcp.Middleware {
	return func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(callCtx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			callCtx, cancel := context.WithCancel(callCtx)
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			return next(callCtx, method, req)
		}
	}
}
