package docker

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
)

// upgraded is a connection to the engine that has become a stream in both directions.
type upgraded struct {
	net.Conn
	reader *bufio.Reader // of what comes; some of it may have been read
}

// upgrade makes a call that turns the connection into a stream. What is no upgrade is a
// *refusal. (The library's own call waits for the end of an answer that a proxy has made a
// plain one, which never ends.)
func (e *engine) upgrade(ctx context.Context, where string, query url.Values, in any) (*upgraded, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := e.request(ctx, http.MethodPost, where, query, in)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "tcp")
	conn, err := e.client.Dialer()(ctx)
	if err != nil {
		return nil, err
	}
	lasts := context.AfterFunc(ctx, func() { _ = conn.Close() })
	up, err := handshake(conn, request)
	if !lasts() {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close() // err says more
		return nil, err
	}
	return up, nil
}

func handshake(conn net.Conn, request *http.Request) (*upgraded, error) {
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, request)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusSwitchingProtocols:
		return &upgraded{conn, reader}, nil
	case response.StatusCode < http.StatusMultipleChoices:
		return nil, newRefusal(response.StatusCode, nil) // the stream that is its body does not end
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxText)) // as far as it comes
	return nil, newRefusal(response.StatusCode, body)
}

// CloseWrite ends the stream in this direction.
func (u *upgraded) CloseWrite() error {
	if half, ok := u.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return u.Close()
}
