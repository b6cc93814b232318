package docker

import (
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
	maxList     = 64 << 20 // bytes of a list of containers
)

// engine is one connection to the engine. It makes three calls: ping, to agree on a
// version; the list of containers; and the stream of events. A proxy in front of the
// engine's socket need allow no others.
type engine struct {
	client  *client.Client
	lists   *http.Client // for what is decoded here; see entry
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
	return client.New(append(options, client.WithAPIVersion(version))...)
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
	e := &engine{client: c, agreed: c.ClientVersion(), started: date}
	if parsed, err := client.ParseHostURL(c.DaemonHost()); err == nil {
		e.base = parsed.Path
	}
	transport := &http.Transport{
		MaxIdleConns: 1, IdleConnTimeout: 30 * time.Second,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dialer()(ctx) },
	}
	e.lists = &http.Client{Transport: transport}
	return e, nil
}

func (e *engine) close() {
	_ = e.client.Close()
	e.lists.CloseIdleConnections()
}

// list returns what the engine says of each container that filters let through.
func (e *engine) list(ctx context.Context, filters client.Filters) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	query := url.Values{"all": {"1"}}
	if len(filters) > 0 {
		text, err := json.Marshal(filters)
		if err != nil {
			return nil, err
		}
		query.Set("filters", string(text))
	}
	where := url.URL{Scheme: "http", Host: client.DummyHost, Path: path.Join("/", e.base, "v"+e.agreed, "containers/json"), RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := e.lists.Do(request)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", reason(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxList+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("list containers: %w", reason(err))
	case len(body) > maxList:
		return nil, fmt.Errorf("list containers: the answer is longer than %d bytes; narrow it by MCPHUB_DOCKER_FILTER", maxList)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("list containers: %w", refusal(response.StatusCode, body))
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil {
		return nil, fmt.Errorf("list containers: the answer is no list: %w", err)
	}
	return elements, nil
}

// reason is err without the URL, which tells nobody anything.
func reason(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}

func refusal(status int, body []byte) error {
	var said struct{ Message string }
	if json.Unmarshal(body, &said) != nil || said.Message == "" {
		said.Message = string(body)
	}
	return fmt.Errorf("status %d: %s", status, printable(strings.TrimSpace(said.Message), maxText))
}

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
