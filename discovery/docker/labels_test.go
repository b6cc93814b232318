package docker

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mcphub/discovery"
)

func TestLabels(t *testing.T) {
	goldens(t, "testdata/labels.txt", func(t *testing.T, in string) string {
		d, _ := parseScene(t, in).draft(newLives(), nil)
		return show(d.list)
	})
}

func TestPlaces(t *testing.T) {
	goldens(t, "testdata/places.txt", func(t *testing.T, in string) string {
		d, _ := parseScene(t, in).draft(newLives(), nil)
		return show(d.list)
	})
}

func TestDuplicates(t *testing.T) {
	goldens(t, "testdata/duplicates.txt", func(t *testing.T, in string) string {
		l := newLives()
		var out []string
		var held map[string]holder
		var d *draft
		for moment := range strings.SplitSeq(in, "@then\n") {
			d, held = parseScene(t, moment).draft(l, held)
			out = append(out, show(d.list))
		}
		return strings.Join(out, "then\n")
	})
}

// show prints a list as people would put it.
func show(l discovery.List) string {
	var out strings.Builder
	for _, s := range l.Servers {
		fmt.Fprintf(&out, "%s: %s", s.ID, s.Spec.Transport)
		for _, i := range s.Instances {
			fmt.Fprint(&out, " ", placeOf(s, i), marks(i))
		}
		fmt.Fprintln(&out)
		showSpec(&out, s)
		for _, group := range slices.Sorted(maps.Keys(l.Groups)) {
			if slices.Contains(l.Groups[group], s.ID) {
				fmt.Fprintln(&out, "  group", group)
			}
		}
		if s.Absence.State != "" {
			fmt.Fprintf(&out, "  %s: %s\n", s.Absence.State, s.Absence.Reason)
		}
		for _, w := range s.Warnings {
			fmt.Fprintln(&out, "  warning:", w)
		}
	}
	for _, p := range l.Problems {
		fmt.Fprintf(&out, "%s, of %s, is in %s: %s\n", p.ID, p.Where, p.State, p.Reason)
	}
	if out.Len() == 0 {
		return "nothing\n"
	}
	return strings.ReplaceAll(out.String(), "is in invalid", "is invalid")
}

func showSpec(out *strings.Builder, s discovery.Server) {
	table := func(name string, of map[string]string, between string) {
		for _, key := range slices.Sorted(maps.Keys(of)) {
			fmt.Fprintf(out, "  %s %s%s%s\n", name, key, between, of[key])
		}
	}
	text := func(name string, value string) {
		if value != "" {
			fmt.Fprintf(out, "  %s %s\n", name, value)
		}
	}
	table("header", s.Spec.Headers, ": ")
	table("env", s.Spec.Env, "=")
	text("user", s.Spec.User)
	text("in", s.Spec.Dir)
	text("title", s.Title)
	text("description", s.Description)
	text("isolation", string(s.Spec.Isolation))
	text("protocol", string(s.Spec.Protocol))
	if s.Spec.Timeout != 0 {
		text("timeout", s.Spec.Timeout.String())
	}
	if s.Drain != 10*time.Second {
		text("drain", s.Drain.String())
	}
	if s.Standby {
		text("replicas", "standby")
	}
}

func placeOf(s discovery.Server, i discovery.Instance) string {
	switch {
	case s.Spec.Transport != discovery.Stdio:
		return i.URL
	case s.Spec.Command == nil:
		return "attach to " + i.Name
	default:
		return fmt.Sprintf("run %q in %s", s.Spec.Command, i.Name)
	}
}

func marks(i discovery.Instance) string {
	var out string
	if i.Paused {
		out += " (paused)"
	}
	if i.Draining {
		out += " (draining)"
	}
	return out
}

// The README's table and the code know the same labels.
func TestReadmeLabels(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `mcphub\\.([^`]*)` ").FindAllStringSubmatch(string(readme), -1) {
		listed = append(listed, row[1])
	}
	known := slices.Sorted(slices.Values(append(slices.Clone(plainFields), "header.<Name>", "env.<NAME>")))
	if slices.Sort(listed); !slices.Equal(listed, known) {
		t.Errorf("README.md lists\n%q\nthe code knows\n%q", listed, known)
	}
}
