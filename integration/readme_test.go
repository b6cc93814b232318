package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// example is a block of shell in the README that is marked to be tested:
//
//	<!-- test:NAME -->
//	```sh
//	mcphub --version
//	```
//
// The text or json block that follows it, before the next block of shell, is what it prints. Examples of the same name are
// typed into the same shell, one after the other.
type example struct {
	line         int // of the mark
	script, want string
	format       string // of want: text or json; empty if nothing is said of what it prints
}

var (
	mark  = regexp.MustCompile(`^<!-- test:([\w-]+) -->$`)
	fence = regexp.MustCompile("^```(\\w*)$")
)

// readmeExamples returns the marked blocks by name, and the names in order.
func readmeExamples(readme string) (examples map[string][]*example, names []string, err error) {
	examples = map[string][]*example{}
	var last *example // that a block may belong to
	lines := strings.Split(readme, "\n")
	for i := 0; i < len(lines); i++ {
		if m := mark.FindStringSubmatch(lines[i]); m != nil {
			last = &example{line: i + 1}
			if examples[m[1]] == nil {
				names = append(names, m[1])
			}
			examples[m[1]] = append(examples[m[1]], last)
			continue
		}
		m := fence.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		from := i + 1
		for i++; i < len(lines) && lines[i] != "```"; i++ {
		}
		if i == len(lines) {
			return nil, nil, fmt.Errorf("line %d: the block has no end", from)
		}
		last = last.take(m[1], strings.Join(lines[from:i], "\n"))
	}
	for _, name := range names {
		for _, e := range examples[name] {
			if e.script == "" {
				return nil, nil, fmt.Errorf("line %d: no sh block follows the mark", e.line)
			}
		}
	}
	return examples, names, nil
}

// take gives the example a block that follows it, and returns the example as long as it can take another.
func (e *example) take(language, text string) *example {
	switch {
	case e == nil:
		return nil
	case language == "sh" && e.script == "":
		e.script = text
		return e
	case (language == "text" || language == "json") && e.script != "" && e.format == "":
		e.want, e.format = text, language
	}
	return nil
}

// matches reports whether a text is what an example wants: the same but for space around it and, in JSON, between tokens;
// … in want stands for anything.
func matches(got, want, format string) bool {
	if format == "json" {
		got, want = compactJSON(got), compactJSON(want)
	}
	parts := strings.Split(strings.TrimSpace(want), "…")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(`^(?s:` + strings.Join(parts, ".*") + `)$`).MatchString(strings.TrimSpace(got))
}

// compactJSON takes out the space that is not within strings. The text need not be valid: it may have … in it.
func compactJSON(text string) string {
	var out strings.Builder
	inString, escaped := false, false
	for _, c := range text {
		if !inString && strings.ContainsRune(" \t\r\n", c) {
			continue
		}
		if c == '"' && !escaped {
			inString = !inString
		}
		escaped = inString && c == '\\' && !escaped
		out.WriteRune(c)
	}
	return out.String()
}

func TestReadmeMatcher(t *testing.T) {
	for _, test := range []struct {
		got, want, format string
		match             bool
	}{
		{"hello\n", "hello", "text", true},
		{"hello", "hell", "text", false},
		{"hello", "ello", "text", false},
		{"a.c", "a.c", "text", true},
		{"abc", "a.c", "text", false},
		{"one\ntwo\nthree", "one\n…\nthree", "text", true},
		{"one\nthree", "one\n…\nfour", "text", false},
		{`version 1.2 (abc)`, `version … (…)`, "text", true},
		{"", "…", "text", true},
		{"a b", "ab", "text", false},
		{`{"a":[1,2],"b":"x y"}`, "{\n  \"a\": [1, 2],\n  \"b\": \"x y\"\n}", "json", true},
		{`{"a":"x  y"}`, `{"a": "x y"}`, "json", false},
		{`{"a":"\" y","b": 1}`, `{"a": "\" y", "b":1}`, "json", true},
		{`{"a":"\"y"}`, `{"a": "\" y"}`, "json", false},
		{`{"tools":[{"name":"x"}],"n":1}`, `{"tools":[…],"n":1}`, "json", true},
		{`{"tools":[{"name":"x"}],"n":1}`, `{"tools":[…],"n":2}`, "json", false},
		{`{"id":1} {"id":2}`, `{"id":1}`, "json", false},
	} {
		if got := matches(test.got, test.want, test.format); got != test.match {
			t.Errorf("%s %q and %q: match is %t, want %t", test.format, test.got, test.want, got, test.match)
		}
	}
}

func TestReadmeExamplesAreFound(t *testing.T) {
	const readme = "# x\n```sh\nnot marked\n```\n<!-- test:a -->\n```sh\none\n```\nprints\n```text\n1\n```\n```json\n{}\n```\n" +
		"<!-- test:b -->\n\n```sh\ntwo\nlines\n```\n<!-- test:a -->\n```sh\nthree\n```\n```sh\nfour\n```\n```text\n4\n```\n"
	examples, names, err := readmeExamples(readme)
	if err != nil || !slices.Equal(names, []string{"a", "b"}) || len(examples["a"]) != 2 || len(examples["b"]) != 1 {
		t.Fatalf("got %q, %v, %v", names, examples, err)
	}
	for _, test := range []struct{ got, want example }{
		{*examples["a"][0], example{5, "one", "1", "text"}},
		{*examples["a"][1], example{22, "three", "", ""}},
		{*examples["b"][0], example{16, "two\nlines", "", ""}},
	} {
		if test.got != test.want {
			t.Errorf("got %+v, want %+v", test.got, test.want)
		}
	}
	for _, bad := range []string{"<!-- test:a -->\n", "<!-- test:a -->\n```text\n```\n", "```sh\nno end\n"} {
		if _, _, err := readmeExamples(bad); err == nil {
			t.Errorf("%q: got no error", bad)
		}
	}
}

// TestReadme runs the marked examples as a reader would paste them, with the hub in PATH. Only the hub's port is another,
// so that a hub of the reader's own is not in the way.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	examples, names, err := readmeExamples(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Skip("README.md has no block of shell marked by <!-- test:NAME -->")
	}
	needCommand(t, "curl")
	for _, name := range names {
		t.Run(name, func(t *testing.T) { runExamples(t, examples[name]) })
	}
}

const readmePort = "7070"

// runExamples types the examples into one shell, and compares what each prints. What goes to standard error is for people.
func runExamples(t *testing.T, examples []*example) {
	bash, dir, port := needCommand(t, "bash"), t.TempDir(), strconv.Itoa(freePort(t))
	outputs := make([]string, len(examples))
	var script strings.Builder
	script.WriteString(fmt.Sprintf("cd %q\n", dir))
	for i, e := range examples {
		outputs[i] = filepath.Join(t.TempDir(), "output")
		// The braces run in the shell itself: what one defines, the next can use.
		script.WriteString(fmt.Sprintf("{\n%s\n} >%q\necho $? >%[2]q.status\n", strings.ReplaceAll(e.script, readmePort, port), outputs[i]))
	}
	shell := startProcess(t, 0, []string{bash, "-c", script.String()}, "PATH="+readmePath(t), "MCPHUB_DOCKER=off", "MCPHUB_PORT="+port)
	eventually(t, startLimit, "the shell to come to its end", func() bool {
		select {
		case <-shell.exited:
			return true
		default:
			return false
		}
	})
	for i, e := range examples {
		status, _ := os.ReadFile(outputs[i] + ".status")
		if strings.TrimSpace(string(status)) != "0" {
			t.Errorf("README.md:%d: the example ended with status %q", e.line, status)
		}
		got, err := os.ReadFile(outputs[i])
		if err != nil {
			t.Errorf("README.md:%d: not run: %v", e.line, err)
			continue
		}
		if printed := strings.ReplaceAll(string(got), port, readmePort); e.format != "" && !matches(printed, e.want, e.format) {
			t.Errorf("README.md:%d: the example prints\n%s\nthe README says\n%s", e.line, printed, e.want)
		}
	}
}

// readmePath returns a PATH on which the hub is found as mcphub.
func readmePath(t *testing.T) string {
	t.Helper()
	binary := mustHub(t)
	dir := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(dir, "mcphub")); err != nil {
		t.Skipf("cannot name the hub's binary mcphub: %v", err)
	}
	return dir + string(os.PathListSeparator) + os.Getenv("PATH")
}
