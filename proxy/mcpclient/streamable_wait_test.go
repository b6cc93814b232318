package mcpclient

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

func TestBackoff(t *testing.T) {
	for tries := range 20 {
		if d := backoff(0, tries); d < firstDelay/2 || d > maxDelay {
			t.Errorf("backoff(0, %d): %v", tries, d)
		}
		if d := backoff(time.Minute, tries); d != time.Minute {
			t.Errorf("backoff(1m, %d): %v", tries, d)
		}
	}
	if d := backoff(0, 0); d > firstDelay {
		t.Errorf("the first delay is %v", d)
	}
}

// restless ends every stream at once, with a new id each time, and asks to be asked
// again after a millisecond. It notes the time between requests.
type restless struct {
	last    time.Time
	gaps    []time.Duration
	message func(n int) string // the event that the nth stream brings; empty: none
}

func (s *restless) stream(w http.ResponseWriter) {
	if !s.last.IsZero() {
		s.gaps = append(s.gaps, time.Since(s.last))
	}
	s.last = time.Now()
	n := len(s.gaps)
	sendEvents(w, fmt.Sprintf("id: %d\nretry: 1\ndata: no message\n\n", n)+s.message(n))
}

// rests are the times between requests while nothing comes, but for a message on
// one of the streams.
func rests(n, messageAt int) (all []time.Duration) {
	vain := 0
	for i := range n {
		if vain++; i == messageAt {
			vain = 0
		}
		all = append(all, min(time.Second, 10*time.Millisecond*time.Duration(1+vain)))
	}
	return all
}

// A server that ends every stream at once is asked ever more seldom while it sends
// nothing but ids, however often it wants to be asked.
func TestStreamsThatBringNothing(t *testing.T) {
	const messageAt, last = 20, 150
	t.Run("listening", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			enough := make(chan bool)
			server := &restless{message: func(n int) string {
				switch n {
				case messageAt:
					return eventOf(`{"jsonrpc":"2.0","method":"notifications/one"}`)
				case last:
					close(enough)
				}
				return ""
			}}
			fake := &fakeHTTP{session: "s", get: func(w http.ResponseWriter, _ *http.Request) { server.stream(w) }}
			s, _ := dial(t, inMemory(t, fake))
			s.Listen()
			<-enough
			s.Close()
			if want := rests(last, messageAt); !slices.Equal(server.gaps[:last], want) {
				t.Errorf("asked after %v, want %v", server.gaps, want)
			}
		})
	})
	t.Run("calling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var id string
			server := &restless{message: func(n int) string {
				switch n {
				case messageAt:
					return eventOf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s}}`, id)
				case last:
					return eventOf(`{"jsonrpc":"2.0","id":%s,"result":{"late":1}}`, id)
				}
				return ""
			}}
			fake := &fakeHTTP{session: "s", get: func(w http.ResponseWriter, _ *http.Request) { server.stream(w) }}
			fake.call = func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
				id = string(m.ID)
				server.stream(w)
			}
			s, _ := dial(t, inMemory(t, fake))
			var told []time.Duration
			c := tool(t, "a", `{}`)
			c.Parted = func(retry time.Duration) <-chan struct{} {
				told = append(told, retry)
				return nil
			}
			if m, err := s.Call(t.Context(), c); err != nil || string(m.Result) != `{"late":1}` {
				t.Errorf("the call: %v, %v", m, err)
			}
			if want := rests(last, messageAt); !slices.Equal(server.gaps, want) || !slices.Equal(told, want) {
				t.Errorf("asked after %v, the client was told %v, want %v", server.gaps, told, want)
			}
		})
	})
}
