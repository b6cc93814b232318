package docker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/moby/moby/client"
)

const (
	callTimeout = 10 * time.Second
	maxAnswer   = 64 << 20 // bytes, which a list of containers needs most of
)

// engine is one connection to the engine. Of a Source it makes three calls: ping, to
// agree on a version; the list of containers; and the stream of events. A proxy in front
// of the engine's socket need allow no others, unless there are servers over stdio.
type engine struct {
	client  *client.Client
	calls   *http.Client // for what is decoded here; see entry
	base    string       // of the paths
	agreed  string       // the API version
	started time.Time    // the engine's own clock when it was connected; zero: unknown
}

// dialer opens a connection as net.Dialer's DialContext does. It is nil, for the
// library's own, but in tests.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newClient makes a client without connecting. Version is empty to negotiate one.
func newClient(host, version string, dial dialer, date *time.Time) (*client.Client, error) {
	options := []client.Opt{client.FromEnv}
	if host != "" {
		options = append(options, client.WithHost(host))
	}
	if dial != nil {
		options = append(options, client.WithDialContext(dial))
	}
	if date != nil {
		options = append(options, client.WithHTTPResponseHook(func(r *http.Response) {
			if t, err := http.ParseTime(r.Header.Get("Date")); err == nil && date.IsZero() {
				*date = t
			}
		}))
	}
	options = append(options, client.WithAPIVersion(version))
	reach, err := client.New(options...)
	if err != nil {
		return nil, err
	}
	return client.New(append(options, client.WithHTTPClient(direct(reach)))...)
}

// direct returns an HTTP client that reaches the engine as c would, but never through
// a proxy of the environment: Docker gives that to all containers where its own client
// is configured so, and it knows nothing of an engine's, or a socket proxy's, address.
func direct(c *client.Client) *http.Client {
	return &http.Client{CheckRedirect: client.CheckRedirect, Transport: &http.Transport{
		MaxIdleConns: 1, IdleConnTimeout: 30 * time.Second,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dialer()(ctx) },
	}}
}

// connect asks the engine which API version it speaks. Where a proxy in front of it
// refuses the question, the newest is tried.
func connect(ctx context.Context, host, version string, dial dialer) (*engine, error) {
	var date time.Time
	c, err := newClient(host, version, dial, &date)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = c.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	switch {
	case err == nil:
	case client.IsErrConnectionFailed(err), ctx.Err() != nil, strings.Contains(err.Error(), "not supported by this client"):
		_ = c.Close() // there is nothing to lose
		return nil, err
	default:
		_ = c.Close()
		if c, err = newClient(host, cmp.Or(version, client.MaxAPIVersion), dial, nil); err != nil {
			return nil, err
		}
	}
	e := &engine{client: c, calls: direct(c), agreed: c.ClientVersion(), started: date}
	if parsed, err := client.ParseHostURL(c.DaemonHost()); err == nil {
		e.base = parsed.Path
	}
	return e, nil
}

func (e *engine) close() {
	_ = e.client.Close()
	e.calls.CloseIdleConnections()
}

// list returns what the engine says of each container that filters let through.
func (e *engine) list(ctx context.Context, filters client.Filters) (elements []json.RawMessage, err error) {
	query := url.Values{"all": {"1"}}
	if len(filters) > 0 {
		text, err := json.Marshal(filters)
		if err != nil {
			return nil, err
		}
		query.Set("filters", string(text))
	}
	err = e.ask(ctx, http.MethodGet, "containers/json", query, nil, &elements)
	if errors.Is(err, errTooLong) {
		err = fmt.Errorf("%w; narrow it by MCPHUB_DOCKER_FILTER", err)
	}
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	return elements, nil
}

// ask makes one call, with in as its body, and decodes the answer into out; both may be
// nil. An answer that is no success is a *refusal.
func (e *engine) ask(ctx context.Context, method, where string, query url.Values, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return e.askFor(ctx, method, where, query, in, out)
}

// askFor is ask for calls that take the time that ctx gives them.
func (e *engine) askFor(ctx context.Context, method, where string, query url.Values, in, out any) error {
	request, err := e.request(ctx, method, where, query, in)
	if err != nil {
		return err
	}
	response, err := e.calls.Do(request)
	if err != nil {
		return reason(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return reason(err)
	case len(body) > maxAnswer:
		return errTooLong
	case response.StatusCode >= http.StatusMultipleChoices:
		return newRefusal(response.StatusCode, body)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	return nil
}

func (e *engine) request(ctx context.Context, method, where string, query url.Values, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	at := url.URL{Scheme: "http", Host: client.DummyHost, Path: path.Join("/", e.base, "v"+e.agreed, where), RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err == nil && in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, err
}

var errTooLong = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)

// reason is err without the URL, which tells nobody anything.
func reason(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}

// refusal is an answer of the engine, or of a proxy in front of it, that is no success.
type refusal struct {
	status int
	said   string
}

func newRefusal(status int, body []byte) *refusal {
	var said struct{ Message string }
	if json.Unmarshal(body, &said) != nil || said.Message == "" {
		said.Message = string(body)
	}
	return &refusal{status, printable(strings.TrimSpace(said.Message), maxText)}
}

func (r *refusal) Error() string { return fmt.Sprintf("status %d: %s", r.status, r.said) }

// events subscribes to what can change the servers there should be, from the engine's
// time since on. The actions are named, because every run of every health check is an
// event or three. A filter by label would drop the events of networks.
func (e *engine) events(ctx context.Context, since time.Time) client.EventsResult {
	options := client.EventsListOptions{Filters: client.Filters{}.
		Add("type", "container", "network").
		Add("event", "start", "die", "destroy", "kill", "pause", "unpause", "rename", "health_status", "connect", "disconnect")}
	if !since.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	return e.client.Events(ctx, options)
}

// wantedVersion finds the API version that the engine's refusal of another one names.
var wantedVersion = regexp.MustCompile(`(?i)client version \S+ is too (?:new|old)\..*?(?:maximum|minimum) supported API version is (\d+\.\d+)`)
