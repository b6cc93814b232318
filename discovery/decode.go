package discovery

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// decoder turns JSON values into declarations. It goes on after an error, so
// that a person who mends a file hears of everything at once.
type decoder struct {
	name   string // of the file or variable, for people
	lookup func(string) (string, bool)
	errs   []error
}

func (d *decoder) fail(path, format string, args ...any) {
	d.refuse(path, fmt.Errorf(format, args...))
}

// refuse notes err, if it is one, and reports whether it was none.
func (d *decoder) refuse(path string, err error) bool {
	if err == nil {
		return true
	}
	where := d.name
	if path != "" {
		where += ": " + path
	}
	d.errs = append(d.errs, fmt.Errorf("%s: %w", where, err))
	return false
}

// at is the path of the member key of the object at path.
func at(path, key string) string {
	switch {
	case strings.ContainsAny(key, ". []\"\n") || key == "":
		return fmt.Sprintf("%s[%q]", path, key)
	case path == "":
		return key
	}
	return path + "." + key
}

func (d *decoder) is(path string, v value, want kind) bool {
	if v.kind == want {
		return true
	}
	d.fail(path, "is %s; want %s", v.kind, want)
	return false
}

// members yields the paths, keys and values of an object, repeated keys left out.
func (d *decoder) members(path string, v value) iter.Seq2[string, value] {
	return func(yield func(string, value) bool) {
		if !d.is(path, v, object) {
			return
		}
		seen := map[string]bool{}
		for i, key := range v.keys {
			if seen[key] {
				d.fail(at(path, key), "the key is repeated; keep one")
				continue
			}
			seen[key] = true
			if !yield(key, v.values[i]) {
				return
			}
		}
	}
}

// fields says what to do with each key that an object may have.
type fields map[string]func(path string, v value)

func (d *decoder) object(path string, v value, known fields) {
	names := slices.Sorted(maps.Keys(known))
	for key, member := range d.members(path, v) {
		if read, ok := known[key]; ok {
			read(at(path, key), member)
		} else if near := Nearest(key, names); near != "" {
			d.fail(at(path, key), "unknown key; did you mean %q?", near)
		} else {
			d.fail(at(path, key), "unknown key; known are %s", strings.Join(names, ", "))
		}
	}
}

func (d *decoder) text(path string, v value) string {
	if !d.is(path, v, text) {
		return ""
	}
	s, err := expand(v.text, d.lookup)
	if err == nil {
		err = checkText(s)
	}
	d.refuse(path, err)
	return s
}

// checkText refuses what the system takes for the end of a string.
func checkText(s string) error {
	if strings.Contains(s, "\x00") {
		return errors.New("contains a NUL byte")
	}
	return nil
}

func (d *decoder) boolean(path string, v value) bool {
	return d.is(path, v, boolean) && v.text == "true"
}

func (d *decoder) integer(path string, v value, least, most int) *int {
	if !d.is(path, v, number) {
		return nil
	}
	n, err := strconv.Atoi(v.text)
	if err != nil || n < least || n > most {
		d.fail(path, "%s is out of range; want a whole number from %d to %d", v.text, least, most)
		return nil
	}
	return &n
}

func (d *decoder) milliseconds(path string, v value) *time.Duration {
	const day = 24 * 60 * 60 * 1000
	n := d.integer(path, v, 1, day)
	if n == nil {
		return nil
	}
	return new(time.Duration(*n) * time.Millisecond)
}

func (d *decoder) list(path string, v value) []string {
	if !d.is(path, v, array) {
		return nil
	}
	items := make([]string, len(v.values))
	for i, item := range v.values {
		items[i] = d.text(fmt.Sprintf("%s[%d]", path, i), item)
	}
	return items
}

// table reads an object of strings; check judges each.
func (d *decoder) table(path string, v value, check func(key, value string) error) map[string]string {
	table := map[string]string{}
	for key, item := range d.members(path, v) {
		known := len(d.errs)
		s := d.text(at(path, key), item)
		if len(d.errs) == known && d.refuse(at(path, key), check(key, s)) {
			table[key] = s
		}
	}
	return table
}
