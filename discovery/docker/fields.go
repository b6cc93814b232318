package docker

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mcphub/discovery"
)

// plainFields are the fields that take no name, in the order in which people are told
// of them.
var plainFields = []string{
	"enable", "id", "title", "description", "group", "transport", "port", "path", "scheme", "network", "address", "url",
	"command", "user", "workdir", "health", "isolation", "protocol", "replicas", "timeout", "drain", "instance",
}

const defaultDrain = 10 * time.Second

// parsers judge the fields that stand for themselves.
var parsers = map[string]func(r *reading, text string) error{
	"title":       func(r *reading, text string) error { r.title = printable(text, maxText); return nil },
	"description": func(r *reading, text string) error { r.description = printable(text, maxText); return nil },
	"port":        parsePort,
	"path":        parsePath,
	"scheme":      func(r *reading, text string) error { return oneOf(&r.place.scheme, text, "http", "https") },
	"network":     func(r *reading, text string) error { r.place.network = text; return nil },
	"address": func(r *reading, text string) error {
		return oneOf(&r.place.address, text, "auto", "internal", "published")
	},
	"url": parseURL,
	"command": func(r *reading, text string) (err error) {
		r.spec.Command, err = discovery.CommandLine(text)
		return err
	},
	"user":    parseUser,
	"workdir": parseWorkdir,
	"transport": func(r *reading, text string) error {
		if strings.EqualFold(text, "http") {
			text = string(discovery.StreamableHTTP)
		}
		return oneOf(&r.spec.Transport, text, discovery.StreamableHTTP, discovery.SSE, discovery.Stdio)
	},
	"isolation": func(r *reading, text string) error {
		return oneOf(&r.spec.Isolation, text, discovery.IsolationSession, discovery.IsolationShared)
	},
	"protocol": func(r *reading, text string) error {
		return oneOf(&r.spec.Protocol, text, discovery.ProtocolLegacy, discovery.ProtocolModern)
	},
	"health": func(r *reading, text string) error {
		var choice string
		err := oneOf(&choice, text, "wait", "ignore")
		r.ignoreHealth = choice == "ignore"
		return err
	},
	"replicas": func(r *reading, text string) error {
		var choice string
		err := oneOf(&choice, text, "balance", "standby")
		r.standby = choice == "standby"
		return err
	},
	"timeout": func(r *reading, text string) (err error) {
		r.spec.Timeout, err = discovery.ParseDuration(text)
		return err
	},
	"drain": func(r *reading, text string) (err error) {
		r.drain, err = discovery.ParseDuration(text)
		return err
	},
}

// oneOf sets field to the choice that text is.
func oneOf[T ~string](field *T, text string, choices ...T) error {
	var names []string
	for _, choice := range choices {
		if strings.EqualFold(text, string(choice)) {
			*field = choice
			return nil
		}
		names = append(names, string(choice))
	}
	if near := discovery.Nearest(text, names); near != "" {
		return fmt.Errorf("%q is not known; did you mean %s?", text, near)
	}
	last := len(names) - 1
	return fmt.Errorf("%q is not known; take %s or %s", text, strings.Join(names[:last], ", "), names[last])
}

func parsePort(r *reading, text string) error {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("%q is no port; take 1 to 65535", text)
	}
	r.place.port = int(port)
	return nil
}

func parsePath(r *reading, text string) error {
	switch {
	case !strings.HasPrefix(text, "/"):
		return fmt.Errorf("%q does not begin with /; write /%[1]s", text)
	case strings.ContainsAny(text, " \t\r\n#"):
		return fmt.Errorf("%q contains a space or a #; percent-encode it", text)
	}
	if _, err := url.Parse("http://x" + text); err != nil {
		return fmt.Errorf("%q is no path of a URL", text)
	}
	r.place.path = text
	return nil
}

// numeric matches the last part of a host that some resolvers take for a number, in
// whatever notation.
var numeric = regexp.MustCompile(`(^|\.)(0[xX][0-9a-fA-F]*|[0-9]+)$`)

// credentials reports whether a host may be where clouds serve their machines'
// credentials: a link-local address, or a number that could be one in disguise.
func credentials(host string) bool {
	host = strings.TrimSuffix(host, ".")
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return numeric.MatchString(host)
	}
	return ip.Unmap().IsLinkLocalUnicast() || ip.String() == "fd00:ec2::254"
}

func parseURL(r *reading, text string) error {
	if err := discovery.CheckURL(text); err != nil {
		return err
	}
	if u, err := url.Parse(text); err != nil || credentials(u.Hostname()) {
		return errors.New("is a link-local address or a number that may be one; a label may not name it, as clouds keep credentials there")
	}
	r.place.url = text
	return nil
}

var userName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`)

// parseUser refuses root under every name that the engine would take for it. What the
// image has by default is not the label's to raise.
func parseUser(r *reading, text string) error {
	if !userName.MatchString(text) {
		return fmt.Errorf("%q is no user; write a name or number, or user:group", text)
	}
	user, _, _ := strings.Cut(text, ":")
	if n, err := strconv.Atoi(user); user == "root" || user == "toor" || err == nil && n == 0 {
		return fmt.Errorf("%q is root, which a label may not ask for; leave it out for the image's own user", text)
	}
	r.spec.User = text
	return nil
}

func parseWorkdir(r *reading, text string) error {
	if !strings.HasPrefix(text, "/") || strings.Contains(text, "\x00") {
		return fmt.Errorf("%q is no absolute path", text)
	}
	r.spec.Dir = text
	return nil
}
