package discovery

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The double underscore is what separates a server's id from a tool's name, so
// an id must not contain one.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,38}[A-Za-z0-9])?$`)

// CheckID reports whether id can name a server.
func CheckID(id string) error {
	switch {
	case strings.Contains(id, "__"):
		return fmt.Errorf("the id %q contains %q, which separates ids from tool names; use one _ or a -", id, "__")
	case !idPattern.MatchString(id):
		return fmt.Errorf("%q is no id; take 1 to 40 letters, digits, - and _, with a letter or digit at both ends", id)
	}
	return nil
}

// CheckGroup reports whether id can name a group. Groups follow the rule of
// servers, as both stand in URLs.
func CheckGroup(id string) error { return CheckID(id) }

// distinct remembers ids and refuses one that was there before, or that differs
// from an earlier one by case alone: people, and some clients, take those for
// the same.
type distinct map[string]string

var errRepeated = errors.New("is declared twice; keep one")

func (d distinct) add(id string) error {
	folded := strings.ToLower(id)
	switch earlier, taken := d[folded]; {
	case !taken:
		d[folded] = id
		return nil
	case earlier == id:
		return errRepeated
	default:
		return fmt.Errorf("differs from %q by case alone; rename one", earlier)
	}
}
