package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
)

// socketProxy stands before the engine's socket, as wollomatic/socket-proxy does: it lets through what ALLOW matches, a
// regular expression for METHOD and path, answers the rest with 403, and writes each call to its log with the verdict.
// It listens on port 2375 and speaks to SOCKET, /var/run/docker.sock.
func socketProxy() error {
	allowed, err := regexp.Compile(os.Getenv("ALLOW"))
	if err != nil {
		return fmt.Errorf("ALLOW: %w", err)
	}
	socket := cmp.Or(os.Getenv("SOCKET"), "/var/run/docker.sock")
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1, // an event is passed on when it comes
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}},
	}
	return http.ListenAndServe(":2375", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := r.Method + " " + r.URL.Path
		if !allowed.MatchString(call) {
			fmt.Println("refused", call)
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		fmt.Println("allowed", call)
		proxy.ServeHTTP(w, r)
	}))
}
