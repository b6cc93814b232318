package proxy

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

var badListeners = []badClient{
	{"event ids that are made up", madeUpEvents},
	{"two resumptions at once", twoResumptions},
	{"a resumption beside the first connection", resumptionBeside},
}

// begin makes a call of "hold" and returns its stream and the id of its first event.
func (y *yard) begin(session, id string) (stream *answer, event string) {
	y.t.Helper()
	stream = y.stream(http.MethodPost, session, toolCall(id, "hold"))
	for {
		line, err := stream.lines.ReadString('\n')
		if err != nil {
			y.t.Fatalf("the call's stream: %v", err)
		}
		if text, ok := strings.CutPrefix(line, "id: "); ok {
			event = strings.TrimSpace(text)
			stream.expect("held")
			return stream, event
		}
	}
}

// madeUpEvents resumes what is not the client's, or not there: it is told so, and
// gets nobody's data.
func madeUpEvents(t *testing.T, y *yard) {
	mine, other := y.open("mine", `{}`), y.open("other", `{}`)
	first, myEvent := y.begin(mine, `"mine"`)
	theirs, theirEvent := y.begin(other, `"theirs"`)
	parts := strings.Split(myEvent, ".")
	boot, stream := parts[0], parts[1]
	encoded := base64.RawURLEncoding.EncodeToString([]byte(`"madeup"`))
	unknown := `"error":{"code":-32603,"message":"the stream is not kept any more; outcome unknown"}`
	for id, text := range map[string]string{
		theirEvent:                            `"id":"theirs",` + unknown,                                                             // of another session, by number one of mine
		boot + ".zz.0." + encoded:             `"id":"madeup",` + unknown,                                                             // no such stream
		boot + "." + stream + ".0." + encoded: `"id":"madeup",` + unknown,                                                             // not the stream's call
		"OTHERBOOTX.1.0." + encoded:           `"id":"madeup","error":{"code":-32603,"message":"the hub restarted; outcome unknown"}`, // another boot
		boot + ".1.0." + base64.RawURLEncoding.EncodeToString([]byte(`[1,"a"]`)): `"id":1,` + unknown,
	} {
		got, err := y.do(y.request(http.MethodGet, "/mcp", mine, "", "Last-Event-Id: "+id))
		if err != nil || got.status != http.StatusOK || !strings.Contains(got.body, text) || strings.Contains(got.body, "result") {
			t.Errorf("%s: %d %.400s %v, want %s", id, got.status, got.body, err, text)
		}
	}
	// One that is far ahead gets what is still to come.
	ahead := y.stream(http.MethodGet, mine, "", "Last-Event-Id: "+boot+"."+stream+".zzzz."+parts[3])
	close(y.letGo)
	if got := ahead.all(); len(got) > 1 || strings.Contains(fmt.Sprint(got), "theirs") {
		t.Errorf("from far ahead: %q", got)
	}
	theirs.expect(`"id":"theirs","result"`)
	theirs.close()
	first.close()
	y.works(mine)
	y.delete(mine, other)
}

// twoResumptions resumes a stream many times at once: one connection carries it to
// its end, the others end, none gets an event twice.
func twoResumptions(t *testing.T, y *yard) {
	session := y.open("mine", `{}`)
	first, event := y.begin(session, `"a"`)
	first.close()
	var mu sync.Mutex
	var results int
	var streams []*answer
	for range 8 {
		streams = append(streams, y.stream(http.MethodGet, session, "", "Last-Event-Id: "+event))
	}
	var group sync.WaitGroup
	for _, s := range streams {
		group.Go(func() {
			got := s.all()
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(got[0], `"id":"a","result"`) {
				results++
			} else if got[0] != "" {
				t.Errorf("got %q", got)
			}
		})
	}
	close(y.letGo)
	group.Wait()
	want(t, "streams that had the result", results, 1)
	y.delete(session)
}

// resumptionBeside resumes a stream while its first connection is open: it goes on
// there, and the first one ends.
func resumptionBeside(t *testing.T, y *yard) {
	session := y.open("mine", `{}`)
	first, event := y.begin(session, `"a"`)
	second := y.stream(http.MethodGet, session, "", "Last-Event-Id: "+event)
	close(y.letGo)
	second.expect(`"id":"a","result"`)
	for _, m := range first.all() {
		if m != "" {
			t.Errorf("on the first connection: %s", m)
		}
	}
	own := y.stream(http.MethodGet, session, "")
	beside := y.stream(http.MethodGet, session, "")
	want(t, "the first own stream", fmt.Sprint(own.all()), "[]")
	second.close()
	beside.close()
	y.works(session)
	y.delete(session)
}
