package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/mcpclient"
)

const (
	dialTimeout  = 5 * time.Second // shorter than pingTimeout, so that a ping finds a host gone
	probeTimeout = time.Second
)

// dialFunc makes a connection, as net.Dialer's DialContext does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// newTransport returns the way to an instance of a server. All sessions there share its
// HTTP connections.
func (h *Hub) newTransport(server discovery.Server, at discovery.Instance, dial dialFunc) (mcpclient.Transport, *http.Transport) {
	s, url := server.Spec, at.URL
	if s.Transport == discovery.Stdio && s.InContainer {
		return h.newPiped(server, at), nil
	}
	if s.Transport == discovery.Stdio {
		env := mcpclient.ChildEnv(h.options.Environ, s.Env)
		return mcpclient.Stdio{Command: s.Command, Env: env, Dir: s.Dir, Deadline: &h.deadline}, nil
	}
	network := &http.Transport{
		Proxy:               proxyFor(s),
		DialContext:         dial,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true, // bytes are passed on as they come
	}
	header := http.Header{}
	for name, value := range s.Headers {
		header.Set(name, value)
	}
	if s.Transport == discovery.SSE {
		return mcpclient.SSE{URL: url, Header: header, HTTP: network}, network
	}
	return mcpclient.StreamableHTTP{URL: url, Header: header, HTTP: network}, network
}

// keepAlive is how often a process in a container is pinged: proxies in front of Docker
// cut streams off that are idle for ten minutes.
const keepAlive = 4 * time.Minute

// newPiped returns the way to a process in a container. It is never one of this machine:
// labels start nothing here.
func (h *Hub) newPiped(server discovery.Server, at discovery.Instance) mcpclient.Piped {
	open := func(ctx context.Context) (mcpclient.Streams, error) {
		if h.options.OpenStreams == nil {
			return nil, fmt.Errorf("%w: this hub reaches no processes in containers", mcpclient.ErrOutOfReach)
		}
		return h.options.OpenStreams(ctx, server, at)
	}
	return mcpclient.Piped{Open: open, KeepAlive: keepAlive}
}

// listening reports whether something accepts connections at the instance's
// address. That costs the server nothing.
func (i *instance) listening() bool {
	address := i.said.Load().URL
	if i.proxied(address) {
		return true // what a proxy reaches cannot be seen from here
	}
	ctx, cancel := context.WithTimeout(i.ctx, probeTimeout)
	defer cancel()
	conn, err := i.dial(ctx, "tcp", hostPort(address))
	if err != nil {
		return false
	}
	_ = conn.Close() // it was opened to see that it can be
	return true
}

// proxyFor returns how to find the proxy that the environment names for a request to a
// server. No proxy reaches a container's own address.
func proxyFor(s discovery.Spec) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		if s.InContainer && net.ParseIP(r.URL.Hostname()) != nil {
			return nil, nil
		}
		return http.ProxyFromEnvironment(r)
	}
}

// proxied reports whether the instance's URL is reached through a proxy.
func (i *instance) proxied(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	through, err := i.network.Proxy(&http.Request{URL: u})
	return err == nil && through != nil
}

// hostPort returns the address that a URL leads to.
func hostPort(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	if port := u.Port(); port != "" {
		return net.JoinHostPort(u.Hostname(), port)
	}
	return net.JoinHostPort(u.Hostname(), u.Scheme)
}
