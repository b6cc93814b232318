package proxy

import (
	"context"
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

// equip sets the way to the instance. Over the network all sessions there share its
// HTTP connections.
func (i *instance) equip() {
	s, at := i.link.server.Spec, i.said.Load()
	switch {
	case s.Transport == discovery.Stdio && s.InContainer:
		i.transport = i.link.hub.newPiped(i.link.server, *at)
		return
	case s.Transport == discovery.Stdio:
		i.transport = i.link.hub.newProcess(s)
		return
	}
	i.network = &http.Transport{
		Proxy:               proxyFor(s),
		DialContext:         i.dial,
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
	i.transport = mcpclient.StreamableHTTP{URL: at.URL, Header: header, HTTP: i}
	if s.Transport == discovery.SSE {
		i.transport = mcpclient.SSE{URL: at.URL, Header: header, HTTP: i}
	}
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
