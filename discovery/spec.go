package discovery

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// flaw is what is wrong with one field of a Spec, named as in the file; an
// empty field is the whole.
type flaw struct{ field, reason string }

// settle fills in the transport where it follows from the rest, and returns
// what does not go together.
func (s *Spec) settle() (flaws []flaw) {
	command, address := len(s.Command) > 0, s.URL != ""
	switch {
	case command && address:
		return []flaw{{"", "has a command and a url; keep one of them"}}
	case !command && !address:
		return []flaw{{"", "has neither a command nor a url; add one of them"}}
	case s.Transport == "" && command:
		s.Transport = Stdio
	case s.Transport == "":
		s.Transport = StreamableHTTP
	case s.Transport == Stdio && address:
		flaws = append(flaws, flaw{"transport", "stdio goes with a command, not with a url"})
	case s.Transport != Stdio && command:
		flaws = append(flaws, flaw{"transport", fmt.Sprintf("%s goes with a url, not with a command", s.Transport)})
	}
	if address && len(s.Env) > 0 {
		flaws = append(flaws, flaw{"env", "goes with a command, not with a url"})
	}
	if address && s.Dir != "" {
		flaws = append(flaws, flaw{"cwd", "goes with a command, not with a url"})
	}
	if command && len(s.Headers) > 0 {
		flaws = append(flaws, flaw{"headers", "goes with a url, not with a command"})
	}
	return flaws
}

func parseTransport(s string) (Transport, error) {
	switch t := Transport(s); t {
	case Stdio, StreamableHTTP, SSE:
		return t, nil
	case "http":
		return StreamableHTTP, nil
	}
	return "", fmt.Errorf("%q is no transport; take stdio, streamable-http or sse", s)
}

func parseIsolation(s string) (Isolation, error) {
	switch i := Isolation(s); i {
	case IsolationSession, IsolationShared:
		return i, nil
	}
	return "", fmt.Errorf("%q is no isolation; take session or shared", s)
}

// ParseBool reads true or false, in the words that people use for them.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", s)
}

// ParseDuration reads a duration such as 30s or 1m30s that is longer than
// nothing.
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case s != "" && strings.Trim(s, "0123456789.") == "":
		return 0, fmt.Errorf("%q has no unit; add a unit, e.g. %[1]ss", s)
	case err != nil:
		return 0, fmt.Errorf("%q is no duration; write e.g. 30s or 1m30s", s)
	case d <= 0:
		return 0, fmt.Errorf("%q is not longer than nothing; write e.g. 30s", s)
	}
	return d, nil
}

// CheckURL reports whether s is an http or https URL. The query and the user
// information stay out of the error: both
// carry secrets at times.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	shown, _, _ := strings.Cut(s, "?")
	if i := strings.LastIndexByte(shown, '@'); i >= 0 {
		shown = "…" + shown[i:]
	}
	switch {
	case s == "":
		return errors.New("is empty")
	case strings.ContainsAny(s, " \t\r\n"):
		return fmt.Errorf("%q contains a space; write %%20", shown)
	case err != nil:
		return fmt.Errorf("%q is no URL; write e.g. http://localhost:3001/mcp", shown)
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return fmt.Errorf("%q is no http or https URL with a host; write e.g. http://localhost:3001/mcp", shown)
	}
	return nil
}

// checkPath checks a program or a directory.
func checkPath(s string) error {
	if s == "" {
		return errors.New("is empty; give it a value or leave it out")
	}
	return nil
}

// CheckHeader reports whether a request can carry such a header. The error does not
// show the value, which is a secret as often as not.
func CheckHeader(name, value string) error {
	const others = "!#$%&'*+-.^_`|~"
	for _, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune(others, c) {
			return fmt.Errorf("%q is no name of a header", name)
		}
	}
	if name == "" {
		return errors.New("a header needs a name")
	}
	for _, c := range []byte(value) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return errors.New("the value contains a line break or another control character, which no header can carry")
		}
	}
	return nil
}

// CheckVariable reports whether a process can have a variable of that name.
func CheckVariable(name, _ string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return fmt.Errorf("%q is no name of a variable", name)
	}
	return nil
}

// canonical spells the names of headers in one way, so that Specs that say the
// same are Equal.
func canonical(headers map[string]string) map[string]string {
	out := make(map[string]string, len(headers))
	for name, value := range headers {
		out[http.CanonicalHeaderKey(name)] = value
	}
	return out
}
