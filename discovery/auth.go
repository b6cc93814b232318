package discovery

import (
	"errors"
	"fmt"
	"strings"
)

// Auth says which endpoints want a token.
type Auth struct {
	Default    AuthRule
	DefaultSet bool                // Default was written down, be it as "not enabled"
	Endpoints  map[string]AuthRule // path without a trailing slash → rule
}

// AuthRule is what one endpoint, and everything below it, wants.
type AuthRule struct {
	Enabled bool
	Token   string // never empty if Enabled
}

// Rule returns the rule that holds at path: the longest one that covers it on
// segment borders (/mcp covers /mcp/server/files and not /mcpx), else the
// default.
func (a Auth) Rule(path string) AuthRule {
	for path = trimSlash(path); ; path = path[:strings.LastIndexByte(path, '/')] {
		if rule, ok := a.Endpoints[path]; ok {
			return rule
		}
		if !strings.Contains(path[min(1, len(path)):], "/") {
			break
		}
	}
	if rule, ok := a.Endpoints["/"]; ok {
		return rule
	}
	return a.Default
}

// ParseAuth reads the JSON of the file's hub.auth. The name stands for data in
// errors, of which it returns all that there are, joined; lookup finds the
// variables that data refers to.
func ParseAuth(name string, data []byte, lookup func(string) (string, bool)) (*Auth, error) {
	v, err := parseJSON(name, data)
	if err != nil {
		return nil, err
	}
	d := &decoder{name: name, lookup: lookup}
	auth := d.auth("", v)
	if len(d.errs) > 0 {
		return nil, errors.Join(d.errs...)
	}
	return auth, nil
}

// CheckToken reports whether token can stand in an Authorization header. The
// error does not show it.
func CheckToken(token string) error {
	if token == "" {
		return errors.New("the token is empty")
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("the token contains a space, a line break or a character beyond ASCII, which no Authorization header can carry")
		}
	}
	return nil
}

func (d *decoder) auth(path string, v value) *Auth {
	auth := &Auth{Endpoints: map[string]AuthRule{}}
	d.object(path, v, fields{
		"default": func(path string, v value) {
			auth.Default, auth.DefaultSet = d.authRule(path, v), true
		},
		"endpoints": func(path string, v value) {
			for key, item := range d.members(path, v) {
				endpoint := trimSlash(key)
				_, repeated := auth.Endpoints[endpoint]
				if repeated {
					d.fail(at(path, key), "there is a rule for %s already; keep one", endpoint)
				}
				d.refuse(at(path, key), checkEndpoint(endpoint))
				auth.Endpoints[endpoint] = d.authRule(at(path, key), item)
			}
		},
	})
	return auth
}

func (d *decoder) authRule(path string, v value) (rule AuthRule) {
	var said, hasToken bool
	known := len(d.errs)
	d.object(path, v, fields{
		"enabled": func(path string, v value) { rule.Enabled, said = d.boolean(path, v), true },
		"token": func(path string, v value) {
			rule.Token, hasToken = d.text(path, v), true
			if len(d.errs) == known {
				d.refuse(path, CheckToken(rule.Token))
			}
		},
	})
	switch {
	case len(d.errs) > known: // the rest would only follow from it
	case rule.Enabled && !hasToken:
		d.fail(path, `enabled without a token; add "token"`)
	case hasToken && !said:
		d.fail(path, `has a token but does not say "enabled"; add "enabled": true`)
	}
	return rule
}

func trimSlash(path string) string {
	if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
		return trimmed
	}
	return "/"
}

func checkEndpoint(path string) error {
	switch path {
	case "/", "/health", "/mcp", "/mcp/server", "/mcp/group":
		return nil
	}
	if id, ok := strings.CutPrefix(path, "/mcp/server/"); ok {
		return CheckID(id)
	}
	if id, ok := strings.CutPrefix(path, "/mcp/group/"); ok {
		return CheckGroup(id)
	}
	return fmt.Errorf("no endpoint; known are /, /health, /mcp, /mcp/server, /mcp/server/ID, /mcp/group and /mcp/group/ID")
}
