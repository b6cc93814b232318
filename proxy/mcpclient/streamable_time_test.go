package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

// A server that ends the stream of a call and asks to be polled is polled, as
// often as it likes, at the pace it asks for.
func TestResumeByPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		var id string
		fake := &fakeHTTP{session: "s"}
		fake.call = func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
			id = string(m.ID)
			sendEvents(w, "id: e0\nretry: 2000\ndata:\n\n")
		}
		began := time.Now()
		fake.get = func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, fmt.Sprintf("%s@%v", r.Header.Get("Last-Event-ID"), time.Since(began)))
			switch len(asked) {
			case 9:
				sendEvents(w, "id: e1\n"+eventOf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s}}`, id))
			case 10:
				sendEvents(w, eventOf(`{"jsonrpc":"2.0","id":%s,"result":{"late":1}}`, id))
			default:
				sendEvents(w, ": nothing yet\n\n")
			}
		}
		s, _ := dial(t, inMemory(t, fake))
		c := tool(t, "a", `{}`)
		progress := 0
		c.Receive = func(*jsonrpc.Message) error { progress++; return nil }
		call(t, s, c, `{"late":1}`)
		if progress != 1 || len(asked) != 10 || asked[0] != "e0@2s" || asked[8] != "e0@18s" || asked[9] != "e1@20s" {
			t.Errorf("progress %d, asked %v", progress, asked)
		}
	})
}

// A stream that broke is asked for a few times only.
func TestResumeGivesUp(t *testing.T) {
	for name, get := range map[string]func(http.ResponseWriter, *http.Request){
		"always 503":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"nothing ever":      func(w http.ResponseWriter, _ *http.Request) { sendEvents(w, ": nothing\n\n") },
		"connection broken": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"session unknown":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
	} {
		synctest.Test(t, func(t *testing.T) {
			var tries int
			fake := &fakeHTTP{session: "s"}
			fake.call = func(w http.ResponseWriter, _ *http.Request, _ *jsonrpc.Message) {
				sendEvents(w, "id: e0\ndata:\n\n")
			}
			fake.get = func(w http.ResponseWriter, r *http.Request) { tries++; get(w, r) }
			s, _ := dial(t, inMemory(t, fake))
			_, err := s.Call(t.Context(), tool(t, "a", `{}`))
			wantErr(t, name, err, ErrOutcomeUnknown, "")
			if errors.Is(err, ErrNotSent) || errors.Is(err, ErrSessionLost) {
				t.Errorf("%s: %v promises that the call has not run", name, err)
			}
			want := resumeTries
			if name == "session unknown" {
				want = 1
				wantErr(t, name, s.Err(), ErrSessionLost, "")
			} else if s.Err() != nil {
				t.Errorf("%s: the session ended: %v", name, s.Err())
			}
			if tries != want && (tries != want+1 || name != "connection broken") { // net/http repeats a GET by itself
				t.Errorf("%s: %d tries, want %d", name, tries, want)
			}
		})
	}
}

func TestNoResumeWithoutEventIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeHTTP{call: func(w http.ResponseWriter, _ *http.Request, _ *jsonrpc.Message) {
			sendEvents(w, "data: \n\nid: cut off")
		}}
		fake.get = func(http.ResponseWriter, *http.Request) { t.Error("asked for a stream without an id") }
		s, _ := dial(t, inMemory(t, fake))
		_, err := s.Call(t.Context(), tool(t, "a", `{}`))
		wantErr(t, "cut off", err, ErrOutcomeUnknown, "the server ended the stream before the response")
	})
}

// The stream to listen on is opened again whatever the server does to it.
func TestListenComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		began := time.Now()
		fake := &fakeHTTP{session: "s"}
		fake.get = func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Header.Get("Last-Event-ID"))
			switch len(asked) {
			case 1: // closes, without ids
				sendEvents(w, eventOf(`{"jsonrpc":"2.0","method":"notifications/one"}`))
			case 2, 3, 4, 5, 6, 7, 8, 9, 10:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 11: // with an id, and a wish
				sendEvents(w, "retry: 60000\nid: e7\n"+eventOf(`{"jsonrpc":"2.0","method":"notifications/two"}`))
				began = time.Now()
			default:
				if since := time.Since(began); since != time.Minute {
					t.Errorf("asked again after %v, the server wants 1m", since)
				}
				sendEvents(w, "data: no message\n\n"+eventOf(`{"jsonrpc":"2.0","method":"notifications/three"}`))
				<-r.Context().Done()
			}
		}
		s, session := dial(t, inMemory(t, fake))
		s.Listen()
		s.Listen()
		for _, method := range []string{"notifications/one", "notifications/two"} {
			for (<-session.messages).Method != method {
			}
		}
		for (<-session.messages).Method != "notifications/three" {
		}
		if len(asked) != 12 || asked[11] != "e7" || s.Err() != nil {
			t.Errorf("asked %q, session %v", asked, s.Err())
		}
		s.Close()
	})
}

// A server that is away is asked for ever, at most every 30 s, and each failure
// is reported.
func TestListenWhileUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Int64
		var down atomic.Bool
		fake := &fakeHTTP{session: "s"}
		opened := make(chan bool, 10)
		fake.get = func(w http.ResponseWriter, r *http.Request) {
			if down.Load() {
				panic(http.ErrAbortHandler)
			}
			sendEvents(w, ": open\n\n")
			opened <- true
			select {
			case <-r.Context().Done():
			case <-time.After(time.Minute):
				down.Store(true)
				panic(http.ErrAbortHandler)
			}
		}
		o, _ := testOptions(t)
		o.Unreachable = func(error) { broken.Add(1) }
		s := dialWith(t, inMemory(t, fake), o)
		s.Listen()
		<-opened
		time.Sleep(time.Minute + 10*time.Minute)
		if n := broken.Load(); n < 20 || n > 60 {
			t.Errorf("in 10 minutes, %d reports", n)
		}
		down.Store(false)
		before := time.Now()
		<-opened
		if late := time.Since(before); late > maxDelay || s.Err() != nil {
			t.Errorf("back after %v, session %v", late, s.Err())
		}
		s.Close()
	})
}

func TestListenWhereThereIsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		known  bool
		tries  int64
	}{
		"not allowed":         {405, true, 1},
		"no route":            {404, true, 1},
		"unknown session":     {404, false, 1},
		"unknown session 400": {400, false, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			var tries atomic.Int64
			fake := &fakeHTTP{session: "s"}
			fake.get = func(w http.ResponseWriter, _ *http.Request) {
				tries.Add(1)
				w.WriteHeader(c.status)
			}
			fake.call = func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
				if !c.known {
					w.WriteHeader(404)
					return
				}
				sendJSON(w, string(jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(`{}`))))
			}
			s, _ := dial(t, inMemory(t, fake))
			s.Listen()
			time.Sleep(time.Hour)
			if tries.Load() != c.tries || c.known != (s.Err() == nil) {
				t.Errorf("%s: %d tries, session %v", name, tries.Load(), s.Err())
			}
			s.Close()
		})
	}
}

// Telling a server of a cancelled call or of the session's end takes 5 s at most.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}
		fake := &fakeHTTP{session: "s", call: func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) { stuck(w, r) }}
		var hang atomic.Bool
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if hang.Load() {
				stuck(w, r)
				return
			}
			fake.ServeHTTP(w, r)
		})
		s, _ := dial(t, inMemory(t, handler))
		hang.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := s.Call(ctx, tool(t, "a", `{}`))
		if took := time.Since(began); took != 6*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("call: %v after %v", err, took)
		}
		began = time.Now()
		s.Close()
		if took := time.Since(began); took != patience {
			t.Errorf("close took %v", took)
		}
	})
}
