package docker

import (
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mcphub/discovery"
)

// Labels are written by anybody. Whatever they are, what comes of them is in order, the
// same every time, and tells no secret.
func FuzzLabels(f *testing.F) {
	cases, err := os.ReadFile("testdata/labels.txt")
	if err != nil {
		f.Fatal(err)
	}
	for text := range strings.SplitSeq(string(cases), "\n# ") {
		in, _, _ := strings.Cut(text, "---")
		f.Add(in)
	}
	const secret = "s3cret-value"
	f.Fuzz(func(t *testing.T, text string) {
		c := container{id: "0123456789ab", name: "box", state: running, labels: map[string]string{}, ports: []port{{private: 80}}}
		c.networks = []network{{name: "bridge", id: "n", ip: address("10.0.0.2")}}
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			c.labels[key] = strings.ReplaceAll(value, `\n`, "\n")
		}
		s := &scene{options: Options{Stdio: true, AllowURL: true, Secrets: Secrets{"A": {Value: secret}}}.withDefaults(), all: []container{c}}
		d, held := s.draft(newLives(), nil)
		again, _ := s.draft(d.lives, held)
		if !reflect.DeepEqual(d.list, again.list) {
			t.Errorf("not the same every time:\n%s\n%s", show(d.list), show(again.list))
		}
		if n := len(d.list.Servers) + len(d.list.Problems); n > maxServers+1 {
			t.Errorf("%d servers and problems", n)
		}
		for _, server := range d.list.Servers {
			checkServer(t, server)
			checkTexts(t, secret, append(server.Warnings, server.ID, server.Title, server.Description)...)
		}
		for _, p := range d.list.Problems {
			if err := discovery.CheckID(p.ID); err != nil {
				t.Error(err)
			}
			checkTexts(t, secret, p.Reason, p.Where)
		}
		for group := range d.list.Groups {
			if err := discovery.CheckGroup(group); err != nil {
				t.Error(err)
			}
		}
	})
}

var (
	ownHeaders = regexp.MustCompile(`^(Host|Connection|Content-.*|Mcp-.*)$`)
	// linkLocal is how inet_aton(3) reads 169.254.0.0/16; 169.254.a is a name.
	linkLocal = regexp.MustCompile(`^169\.254(\.(0[xX][0-9a-fA-F]*|[0-9]+)){0,2}\.?$`)
)

func checkServer(t *testing.T, s discovery.Server) {
	t.Helper()
	if err := discovery.CheckID(s.ID); err != nil {
		t.Error(err)
	}
	for name, value := range s.Spec.Headers {
		if err := discovery.CheckHeader(name, value); err != nil || ownHeaders.MatchString(name) {
			t.Errorf("header %q: %v", name, err)
		}
	}
	if user, _, _ := strings.Cut(s.Spec.User, ":"); user == "root" || strings.Trim(user, "0") == "" && user != "" {
		t.Errorf("user %q", s.Spec.User)
	}
	for _, i := range s.Instances {
		u, err := url.Parse(i.URL)
		switch {
		case err != nil:
			t.Error(err)
		case s.Spec.Transport == discovery.Stdio:
			if i.URL != "" || s.Spec.Headers != nil {
				t.Errorf("stdio at %q with %d headers", i.URL, len(s.Spec.Headers))
			}
		case s.Spec.Command != nil || discovery.CheckURL(i.URL) != nil:
			t.Errorf("%s at %q, command %q", s.Spec.Transport, i.URL, s.Spec.Command)
		case linkLocal.MatchString(u.Hostname()):
			t.Errorf("at %s", i.URL)
		}
	}
}

func checkTexts(t *testing.T, secret string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) || len(text) > maxReason+len("…") || strings.Contains(text, secret) {
			t.Errorf("unfit to be shown: %q", text)
		}
	}
}
