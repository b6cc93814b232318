package proxy

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcphub/proxy/jsonrpc"
)

// badStreams are servers that say too much.
var badStreams = []badServer{
	{name: "lists that change a thousand times a second", beside: overEvents, run: changesAllTheTime},
	{name: "asks without end", beside: overEvents, alone: true, run: asksWithoutEnd},
	{name: "progress without end, stdio", beside: overStdio, alone: true, run: func(x *trial) {
		x.serve("bad", child("serves"))
		floods(x)
	}},
	{name: "progress without end, SSE", beside: overEvents, alone: true, run: func(x *trial) {
		h := x.host(overEvents, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
			if name, _ := text(m, jsonrpc.Name); name != "flood" {
				return false
			}
			w.Header().Set("Content-Type", "text/event-stream")
			for n := 0; r.Context().Err() == nil; n++ {
				writeEvent(w, floodMessage(n, string(m.Field(jsonrpc.MetaProgressToken))))
			}
			return true
		})
		h.offer("do", "flood")
		x.serve("bad", h.spec())
		floods(x)
	}},
}

func text(m *jsonrpc.Message, f jsonrpc.Field) (string, bool) {
	if m == nil {
		return "", false
	}
	return m.Text(f)
}

// floods has a client call what never ends and read nothing of it. Others use the
// same server meanwhile, and memory does not grow.
func floods(x *trial) {
	x.expect("bad", connected)
	c := x.connect("/mcp", "slow", `{}`)
	heap := watchHeap()
	call := c.post(strings.Replace(request(`tools/call {"name":"bad__flood","_meta":{"progressToken":"p"}}`), `"id":1`, `"id":"flood"`, 1))
	call.expect("notifications/")
	for began, n := time.Now(), 0; time.Since(began) < time.Second || n < 20; n++ {
		x.works("bad")
	}
	grown := heap()
	x.t.Logf("the heap grew by %d MiB", grown>>20)
	if grown > 48<<20 {
		x.t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"flood"}}`)
	if !eventually(func() bool { return x.inFlight("slow") == 0 }) {
		x.t.Error("the call is not over when it is cancelled")
	}
	call.close()
	x.works("bad")
	if n := x.said.count("dropped"); n > 10 {
		x.t.Errorf("%d records of what was dropped", n)
	}
}

// changesAllTheTime tells every session a thousand times a second that its list,
// which is a new one each time, has changed.
func changesAllTheTime(x *trial) {
	var told, listed atomic.Int32
	h := x.host(overJSON, func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) bool {
		if r.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for tick := time.NewTicker(10 * time.Millisecond); r.Context().Err() == nil; <-tick.C {
			for range 10 {
				writeEvent(w, toolsChanged)
				told.Add(1)
			}
		}
		return true
	})
	h.setLists(func(method, _ string) string {
		if method != "tools/list" {
			return ""
		}
		return `{"tools":[` + tool("do") + `,` + tool(fmt.Sprint("new", listed.Add(1))) + `]}`
	})
	x.serve("bad", h.spec())
	x.expect("bad", connected)
	c := x.connect("/mcp", "user", everything)
	equal(x.t, "a call", c.result(`tools/call {"name":"bad__do"}`), `{"content":[]}`) // and a session of its own
	stream, told0, listed0, began := c.open(), told.Load(), listed.Load(), time.Now()
	var notices int32
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			line, err := stream.lines.ReadString('\n')
			if err != nil {
				return
			}
			if strings.HasPrefix(line, "data: ") {
				notices++
			}
		}
	})
	eventually(func() bool { return time.Since(began) > time.Second && told.Load()-told0 > 1000 })
	most := 3 * (int32(time.Since(began)/(200*time.Millisecond)) + 2) // for the hub, for such clients, and in this one's session
	if n := listed.Load() - listed0; n > most || n == 0 {
		x.t.Errorf("listed %d times for %d notifications in %v, want %d at most", n, told.Load()-told0, time.Since(began), most)
	}
	stream.close()
	reading.Wait()
	if notices > most || notices == 0 {
		x.t.Errorf("the client was told %d times in %v, want %d at most", notices, time.Since(began), most)
	}
	x.works("bad")
}

// asksWithoutEnd asks what the client cannot answer 10,000 times during a call,
// takes no answer meanwhile, and says as often what cannot be read. Neither
// goroutines nor the log grow with it.
func asksWithoutEnd(x *trial) {
	asked := make(chan struct{})
	h := x.host(overEvents, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		switch {
		case m != nil && m.Method == "tools/call":
			defer close(asked)
			w.Header().Set("Content-Type", "text/event-stream")
			for n := range 10_000 {
				id := n * (n % 2) // every other question has the same
				writeEvent(w, question(fmt.Sprint(id), "sampling/createMessage", `{}`))
				writeEvent(w, `{"jsonrpc":"2.0","id":"x","result":{},"Result":{}}`)
			}
			writeEvent(w, right(m, `{"content":[]}`))
			return true
		case m != nil && m.Method == "":
			<-asked
		}
		return false
	})
	x.serve("bad", h.spec())
	x.expect("bad", connected)
	c, before, began := x.connect("/mcp", "user", `{}`), runtime.NumGoroutine(), time.Now()
	call := make(chan error, 1)
	go func() { call <- obtain(c, "tools/call", `{"name":"bad__do"}`, new(any)) }()
	most := 0
	for done := false; !done; most = max(most, runtime.NumGoroutine()-before) {
		select {
		case err := <-call:
			done = true
			if err != nil {
				x.t.Errorf("the call: %v", err)
			}
		case <-time.After(time.Millisecond):
		}
	}
	if bound := 8*maxOpenAsks + 50; most > bound { // those of both ends' connections, too
		x.t.Errorf("%d goroutines at a time, want %d at most", most, bound)
	}
	bounds := map[string]int{"question of a server dropped": 1, "event skipped": 200 + 50*int(time.Since(began)/time.Second+1)}
	for text, bound := range bounds {
		if n := x.said.count(text); n == 0 || n > bound {
			x.t.Errorf("%q was logged %d times, want 1 to %d", text, n, bound)
		}
	}
	h.set(nil)
	x.works("bad")
}
