package mcpclient

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"mcphub/proxy/jsonrpc"
)

// seenLines notes what a lineReader makes of its input, as text.
type seenLines struct{ strings.Builder }

func (s *seenLines) noise(line []byte)            { fmt.Fprintf(s, "noise %q\n", line) }
func (s *seenLines) refused(text []byte, _ error) { fmt.Fprintf(s, "refused %q\n", text) }
func (s *seenLines) skipped(e *excerpt) {
	fmt.Fprintf(s, "skipped %v\n", e.ids())
}

func readAllLines(r io.Reader) string {
	var seen seenLines
	lines := newLineReader(r, &seen)
	for {
		messages, err := lines.next()
		if err != nil {
			return seen.String()
		}
		for _, m := range messages {
			fmt.Fprintf(&seen, "message %s%s\n", m.ID, m.Method)
		}
	}
}

const (
	plainMessage  = `{"jsonrpc":"2.0","id":7,"result":{}}`
	prettyMessage = "{\n  \"jsonrpc\": \"2.0\",\n  \"id\": 8,\n  \"result\": {\n    \"tools\": [\n      {\n        \"name\": \"}{\"\n      },\n      {\"x\": 1}\n    ]\n  }\n}"
)

func TestLines(t *testing.T) {
	for _, c := range []struct{ name, input, want string }{
		{"plain", plainMessage + "\n" + plainMessage + "\r\n", "message 7\nmessage 7\n"},
		{"no last line end", plainMessage, "message 7\n"},
		{"byte order mark", "\ufeff" + plainMessage + "\n", "message 7\n"},
		{"array", "[" + plainMessage + "," + plainMessage + "]\n", "message 7\nmessage 7\n"},
		{"pretty", prettyMessage + "\n" + prettyMessage + "\r\n", "message 8\nmessage 8\n"},
		{"pretty with CRLF", strings.ReplaceAll(prettyMessage, "\n", "\r\n") + "\r\n", "message 8\n"},
		{"pretty without a last line end", prettyMessage, "message 8\n"},
		{"banner", "Server v1 {ready}\n\n" + plainMessage + "\nbye", "noise \"Server v1 {ready}\"\nmessage 7\nnoise \"bye\"\n"},
		{"half, then plain", "{\"a\":\n" + plainMessage + "\n", "noise \"{\\\"a\\\":\"\nmessage 7\n"},
		{"half, then pretty", "{\"a\":\n" + prettyMessage + "\n", "noise \"{\\\"a\\\":\\n\"\nmessage 8\n"},
		{"half array, then pretty", "{\"a\":[\n" + prettyMessage + "\n" + plainMessage + "\n", "noise \"{\\\"a\\\":[\\n\"\nmessage 8\nmessage 7\n"},
		{"half string, then pretty", "{\"a\":\"b\n" + prettyMessage + "\n", "noise \"{\\\"a\\\":\\\"b\"\nmessage 8\n"},
		{"half that cannot go on, then pretty", "{\"a\":1}}\n" + prettyMessage + "\n", "noise \"{\\\"a\\\":1}}\"\nmessage 8\n"},
		{"lone brace, then plain", "{\n" + plainMessage + "\n", "noise \"{\"\nmessage 7\n"},
		{"lone brace, then pretty", "{\n" + prettyMessage + "\n", "noise \"{\\n\"\nmessage 8\n"},
		{"objects of other languages", "{ a: 1,\n  b: 2 }\n{\n  port: 3000\n}\n" + prettyMessage + "\n", "noise \"{ a: 1,\"\nnoise \"b: 2 }\"\nnoise \"{\\n\"\nnoise \"port: 3000\"\nnoise \"}\"\nmessage 8\n"},
		{"other JSON", "{\"level\":\"info\"}\n{\n\"level\": 1\n}\n[1]\n12\n" + plainMessage + "\n", "refused \"{\\\"level\\\":\\\"info\\\"}\"\nrefused \"{\\n\\\"level\\\": 1\\n}\"\nnoise \"[1]\"\nnoise \"12\"\nmessage 7\n"},
		{"noise inside a pretty message", strings.Replace(prettyMessage, "\n  \"id\"", "\nGET /x\n  \"id\"", 1) + "\n" + plainMessage + "\n", ""},
		{"too long", `{"jsonrpc":"2.0","id":12,"result":"` + strings.Repeat("x", MaxMessage) + "\"}\n" + plainMessage + "\n", "skipped [12]\nmessage 7\n"},
		{"too long, id last", `{"result":{"id":5,"x":"` + strings.Repeat("x", MaxMessage) + "\"}, \"jsonrpc\":\"2.0\", \"id\": 13}\n" + plainMessage + "\n", "skipped [13]\nmessage 7\n"},
		{"too long, no id", `{"method":"x","params":{"x":"` + strings.Repeat("x", MaxMessage) + "\",\"id\":5}}\n" + plainMessage + "\n", "skipped []\nmessage 7\n"},
		{"too long over lines", "{\n" + strings.Repeat("\""+strings.Repeat("x", 1<<20)+"\":1,\n", 20) + plainMessage + "\n", ""},
	} {
		got := readAllLines(strings.NewReader(c.input))
		if c.want == "" { // whatever came before, this is what matters
			c.want, got = "message 7\n", got[max(0, len(got)-len("message 7\n")):]
		}
		if got != c.want {
			t.Errorf("%s:\n got %.500s\nwant %s", c.name, got, c.want)
		}
	}
}

// sameInPieces checks that what is read of a text does not depend on how it is cut
// into pieces, and returns it.
func sameInPieces(t *testing.T, text string, read func(io.Reader) string) (whole string) {
	t.Helper()
	whole = read(strings.NewReader(text))
	for name, r := range map[string]io.Reader{
		"single bytes":  iotest.OneByteReader(strings.NewReader(text)),
		"halves":        iotest.HalfReader(strings.NewReader(text)),
		"end with data": iotest.DataErrReader(strings.NewReader(text)),
	} {
		if got := read(r); got != whole {
			t.Errorf("%s:\n got %s\nwant %s", name, got, whole)
		}
	}
	return whole
}

// FuzzLines holds that how the input is cut into pieces changes nothing, and that
// no input swallows a message that follows on a line of its own.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"", plainMessage, prettyMessage, "{", "{\"a\":\n{\n", "[\n", "\"", "{\"a\":\"\\", "\ufeff{\r\n}", prettyMessage[:40] + "\n" + prettyMessage + "\n", "[" + plainMessage + "]\n{}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		whole := sameInPieces(t, input, readAllLines)
		after := readAllLines(strings.NewReader(input + "\n" + `{"jsonrpc":"2.0","method":"notifications/last"}` + "\n"))
		if !strings.HasSuffix(after, "message notifications/last\n") {
			t.Errorf("a message that follows is lost: %s", after)
		}
		if m, err := jsonrpc.Parse([]byte(input)); err == nil && !strings.ContainsAny(input, "\r\n") {
			if want := fmt.Sprintf("message %s%s\n", m.ID, m.Method); whole != want {
				t.Errorf("a message is read as %s, want %s", whole, want)
			}
		}
	})
}
