package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
)

// socketProxy stands before the engine's socket, as wollomatic/socket-proxy does: it lets through what ALLOW matches, a
// regular expression for METHOD and path, answers the rest with 403, and writes each call to its log with the verdict.
// It listens on port 2375.
func socketProxy() error {
	allowed, err := regexp.Compile(os.Getenv("ALLOW"))
	if err != nil {
		return fmt.Errorf("ALLOW: %w", err)
	}
	return serveSocket(func(r *http.Request) bool { return allowed.MatchString(r.Method + " " + r.URL.Path) })
}

// wollomatic is socketProxy with the flags that wollomatic/socket-proxy has: a method is allowed at the paths that its
// expression matches from end to end, to the one host that -allowfrom names.
func wollomatic(args []string) error {
	flags := flag.NewFlagSet("socket-proxy", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	from := flags.String("allowfrom", "localhost", "the `host` that may call")
	listen := flags.String("listenip", "127.0.0.1", "listen at an `address`")
	paths := map[string]*regexp.Regexp{}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		flags.Func("allow"+method, "allow what matches an `expression`", func(expression string) (err error) {
			paths[method], err = regexp.Compile("^(" + expression + ")$")
			return err
		})
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *listen != "0.0.0.0" {
		return errors.New("listens on all addresses only")
	}
	return serveSocket(func(r *http.Request) bool {
		path := paths[r.Method]
		return path != nil && path.MatchString(r.URL.Path) && comesFrom(r, *from)
	})
}

// comesFrom reports whether a host of the name has sent the request.
func comesFrom(r *http.Request, name string) bool {
	sender, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addresses, err := net.DefaultResolver.LookupIP(r.Context(), "ip", name)
	for _, address := range addresses {
		if address.Equal(net.ParseIP(sender)) {
			return true
		}
	}
	if err != nil {
		fmt.Println(err)
	}
	return false
}

// serveSocket passes on what is allowed.
func serveSocket(allowed func(*http.Request) bool) error {
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1, // an event is passed on when it comes
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", "/var/run/docker.sock")
		}},
	}
	return http.ListenAndServe(":2375", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := r.Method + " " + r.URL.Path
		if !allowed(r) {
			fmt.Println("refused", call)
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		fmt.Println("allowed", call)
		proxy.ServeHTTP(w, r)
	}))
}
