// Package docker finds the MCP servers that the labels of Docker containers declare.
//
// Its Source asks the engine for three things only: a ping, to agree on an API version;
// the stream of events; and the list of containers. Events are hints, the list is the
// truth. The reader of events raises a flag and marks containers that have ended; whoever
// sees the flag lists, and from the list alone, the labels in it and what was declared
// before, a new discovery.List is made. What the engine cannot tell now stays as it was
// told last.
//
// Labels are written by whoever may start containers, which is not always whoever runs
// the hub. A label that is wrong makes its own server invalid and harms no other, and no
// label can raise what its container may do.
//
// Its Opener is for servers over stdio: it opens the streams of processes in the
// containers that a Source has found. That takes more rights than to find them; where these
// are missing, only such servers are away, and the reason says what is.
//
// It is a package of its own so that the engine's client, which brings many modules, is
// imported by the process alone.
package docker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"mcphub/discovery"
)

// Options say how containers are found and reached. What is left out has the default
// that its comment names.
type Options struct {
	Host          string // MCPHUB_DOCKER_HOST; empty: DOCKER_HOST, else the usual socket
	LabelPrefix   string // MCPHUB_DOCKER_LABEL_PREFIX; mcphub
	Filter        string // MCPHUB_DOCKER_FILTER: key=value for the engine's list, several with spaces between
	RequireEnable bool   // MCPHUB_DOCKER_REQUIRE_ENABLE: only servers whose enable label says so
	Network       string // MCPHUB_DOCKER_NETWORK: which one to take of several in common
	Address       string // MCPHUB_DOCKER_ADDRESS: internal, published or auto, the default
	HostAddress   string // MCPHUB_DOCKER_HOST_ADDRESS: of the engine's host, as the hub reaches it
	Self          string // MCPHUB_DOCKER_SELF: the hub's container, by id or name; NotContained; empty: find out
	Instance      string // MCPHUB_INSTANCE: the hub's name, for instance labels; default
	AllowURL      bool   // MCPHUB_DOCKER_ALLOW_URL: a label may name a URL
	Stdio         bool   // MCPHUB_DOCKER_STDIO: a label may ask for exec and attach
	Secrets       Secrets

	Resync      time.Duration // MCPHUB_DOCKER_RESYNC; 60s
	Debounce    time.Duration // MCPHUB_DOCKER_DEBOUNCE; 250ms
	DebounceMax time.Duration // MCPHUB_DOCKER_DEBOUNCE_MAX; 2s
	Linger      time.Duration // MCPHUB_DOCKER_LINGER; 10s

	Log *slog.Logger
}

// withDefaults returns the options with what was left out filled in.
func (o Options) withDefaults() Options {
	text := func(field *string, otherwise string) {
		if *field == "" {
			*field = otherwise
		}
	}
	duration := func(field *time.Duration, otherwise time.Duration) {
		if *field == 0 {
			*field = otherwise
		}
	}
	text(&o.LabelPrefix, "mcphub")
	text(&o.Address, "auto")
	text(&o.Instance, "default")
	duration(&o.Resync, time.Minute)
	duration(&o.Debounce, 250*time.Millisecond)
	duration(&o.DebounceMax, 2*time.Second)
	duration(&o.Linger, 10*time.Second)
	return o
}

// New returns a Source. It does not connect: an error is a mistake in o (see Check) or
// in the environment that Docker's client reads, and begins with the name of the
// variable.
func New(o Options) (*Source, error) {
	o = o.withDefaults()
	if err := errors.Join(o.Check(), o.checkHost()); err != nil {
		return nil, err
	}
	filters, _ := parseFilter(o.Filter) // it has been checked
	if o.RequireEnable {
		filters.Add("label", o.LabelPrefix+".enable")
	}
	return &Source{
		options: o, filters: filters, me: findSelf(o.Self, os.ReadFile, hostname()),
		lookup: net.DefaultResolver.LookupHost, lives: newLives(),
		flag: make(chan struct{}, 1), later: make(chan struct{}, 1),
		news: make(chan discovery.List), holders: map[string]holder{},
		noted: map[string]bool{}, known: map[string]bool{},
	}, nil
}

// Present reports whether it looks as if there were an engine to follow, for a hub that
// is not told: a host is configured, by the option or DOCKER_HOST, or the usual socket
// exists.
func Present(host string) bool {
	if host != "" || os.Getenv("DOCKER_HOST") != "" {
		return true
	}
	_, err := os.Stat(strings.TrimPrefix(client.DefaultDockerHost, "unix://"))
	return err == nil
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$`)

// Check returns all that is wrong with the options themselves, joined, each error
// beginning with the name of the variable.
func (o Options) Check() error {
	o = o.withDefaults()
	var errs []error
	check := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("MCPHUB_%s: %w", name, err))
		}
	}
	if !prefixPattern.MatchString(o.LabelPrefix) {
		check("DOCKER_LABEL_PREFIX", fmt.Errorf("%q is no prefix of labels; write e.g. mcphub or io.acme.mcphub", o.LabelPrefix))
	}
	_, err := parseFilter(o.Filter)
	check("DOCKER_FILTER", err)
	var choice string
	check("DOCKER_ADDRESS", oneOf(&choice, o.Address, "auto", "internal", "published"))
	check("DOCKER_HOST_ADDRESS", checkHostAddress(o.HostAddress))
	check("DOCKER_RESYNC", checkDuration(o.Resync))
	check("DOCKER_DEBOUNCE", checkDuration(o.Debounce))
	check("DOCKER_DEBOUNCE_MAX", checkDuration(o.DebounceMax))
	check("DOCKER_LINGER", checkDuration(o.Linger))
	if strings.ContainsAny(o.Instance, ", \t\r\n") {
		check("INSTANCE", fmt.Errorf("%q is no name that a label can list; write it without commas and spaces", o.Instance))
	}
	return errors.Join(errs...)
}

func checkDuration(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%v is less than nothing", d)
	}
	return nil
}

func checkHostAddress(host string) error {
	if _, err := netip.ParseAddr(host); err == nil || !strings.ContainsAny(host, "/: \t\r\n") {
		return nil
	}
	return fmt.Errorf("%q is no host; write e.g. host.docker.internal or 192.168.1.10, without scheme and port", host)
}

// checkHost finds out whether Docker's client can be made: from o, and from the
// variables that the client itself reads.
func (o Options) checkHost() error {
	variable, host := "DOCKER_HOST", os.Getenv("DOCKER_HOST")
	if o.Host != "" {
		variable, host = "MCPHUB_DOCKER_HOST", o.Host
	}
	switch scheme, rest, _ := strings.Cut(host, "://"); scheme {
	case "ssh":
		return fmt.Errorf("%s: ssh:// needs a program that the hub does not have; take tcp:// with TLS (DOCKER_TLS_VERIFY, DOCKER_CERT_PATH), or a socket proxy", variable)
	case "http", "https":
		return fmt.Errorf("%s: %s:// is no way to an engine; write tcp://%s", variable, scheme, rest)
	}
	c, err := newClient(o.Host, "", nil, nil)
	if err != nil {
		return fmt.Errorf("%s, DOCKER_CERT_PATH or DOCKER_API_VERSION: %w", variable, err)
	}
	return c.Close()
}

func parseFilter(text string) (client.Filters, error) {
	filters := client.Filters{}
	for one := range strings.FieldsSeq(text) {
		key, value, ok := strings.Cut(one, "=")
		if !ok || key == "" || value == "" {
			return nil, fmt.Errorf("%q is no filter; write e.g. label=com.docker.compose.project=mcp", one)
		}
		filters.Add(key, value)
	}
	return filters, nil
}
