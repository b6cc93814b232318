package mcpclient

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readAllEvents returns the events of a stream as text, and the reader's state at
// its end.
func readAllEvents(r io.Reader) string {
	e := newEventReader(r)
	defer e.release()
	var out strings.Builder
	for {
		ev, err := e.next()
		if err != nil {
			fmt.Fprintf(&out, "last %q retry %v", e.lastID, e.retry)
			return out.String()
		}
		fmt.Fprintf(&out, "%s %q long %v id %q\n", ev.name, e.lines.own(ev.data), ev.long, e.lastID)
	}
}

func TestEvents(t *testing.T) {
	for _, c := range []struct{ stream, want string }{
		{"", `last "" retry 0s`},
		{"data: a\n\n", `message "a" long false id ""` + "\n" + `last "" retry 0s`},
		{"\ufeffdata:a\r\n\r\ndata: b\r\rdata:  c\n\n", `message "a" long false id ""` + "\n" + `message "b" long false id ""` + "\n" + `message " c" long false id ""` + "\n" + `last "" retry 0s`},
		{"data: a\n: comment\ndata\nevent: x\ndata:b\nid: 1\n\n", `x "a\n\nb" long false id "1"` + "\n" + `last "1" retry 0s`},
		{"id: 1\ndata:\n\nid: a\x00b\ndata: x\n\nid\ndata: y\n\n", `message "x" long false id "1"` + "\n" + `message "y" long false id ""` + "\n" + `last "" retry 0s`},
		{"retry: 5\nretry: x\nretry: -1\nid: 1\n\nid: cut\ndata: cut off\n", `last "1" retry 5ms`},
		{"event: endpoint\ndata: /x\n\ndata: y\n\n", `endpoint "/x" long false id ""` + "\n" + `message "y" long false id ""` + "\n" + `last "" retry 0s`},
		{"nonsense\ndata: a\n:\n\n\n\n", `message "a" long false id ""` + "\n" + `last "" retry 0s`},
		{"data: " + strings.Repeat("x", MaxMessage+1) + "\nid: 9\n\ndata: next\n\n", `message "" long true id "9"` + "\n" + `message "next" long false id "9"` + "\n" + `last "9" retry 0s`},
		{"data: a\ndata:" + strings.Repeat("x", MaxMessage) + "\ndata: b\n\ndata: next\n\n", `message "" long true id ""` + "\n" + `message "next" long false id ""` + "\n" + `last "" retry 0s`},
		{strings.Repeat(":"+strings.Repeat("c", 1000)+"\n", 50_000) + "data: a\n\n", `message "a" long false id ""` + "\n" + `last "" retry 0s`},
	} {
		if got := readAllEvents(strings.NewReader(c.stream)); got != c.want {
			t.Errorf("%.80q:\n got %.200s\nwant %s", c.stream, got, c.want)
		}
	}
}

// What is held of an event stays the same when the buffer moves and grows.
func TestEventsOfAllSizes(t *testing.T) {
	var stream bytes.Buffer
	var want []string
	for size := 1; size < 3<<20; size = size*3 + 1 {
		text := strings.Repeat(string(rune('a'+len(want)%26)), size)
		fmt.Fprintf(&stream, "id: %d\ndata: %s\n: comment\ndata: %s\r\n\n", size, text, text)
		want = append(want, text+"\n"+text)
	}
	for name, r := range map[string]io.Reader{"at once": bytes.NewReader(stream.Bytes()), "halves": iotest.HalfReader(bytes.NewReader(stream.Bytes()))} {
		e := newEventReader(r)
		var owned [][]byte
		for range want {
			ev, err := e.next()
			if err != nil {
				t.Fatal(err)
			}
			owned = append(owned, e.lines.own(ev.data))
		}
		for i, got := range owned {
			if string(got) != want[i] {
				t.Errorf("%s: event %d of %d bytes is another", name, i, len(want[i]))
			}
		}
		if len(e.lines.buf) > largeBuffer {
			t.Errorf("%s: a buffer of %d bytes is kept", name, len(e.lines.buf))
		}
		e.release()
	}
}

// FuzzEvents holds that how a stream is cut into pieces changes nothing, and that
// an event after anything and a blank line is read.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		"", "data: a\n\n", "\ufeffdata:a\r\n\r\ndata: b\r\r", "id: 1\rdata\r\ndata:x\n:c\n\nretry: 12\n", "event: endpoint\ndata: /x\n\n", "\r", "\xef\xbb", "data:\r\rdata:\n\r",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		sameInPieces(t, stream, readAllEvents)
		after := readAllEvents(strings.NewReader(stream + "\n\nevent: e\ndata: last\n\n"))
		if !strings.Contains(after, `e "last" long false`) {
			t.Errorf("an event that follows is lost: %s", after)
		}
	})
}
