package proxy

import (
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcphub/proxy/jsonrpc"
)

// bigMessages are servers that send messages of 64 MiB. These look at the heap.
var bigMessages = []badServer{
	{name: "message of 64 MiB, stdio", beside: overStdio, alone: true, run: func(x *trial) {
		x.serve("bad", child("serves"))
		tooLongFor(x, "long")
	}},
	{name: "message of 64 MiB, HTTP body", beside: overEvents, alone: true, run: func(x *trial) {
		h := x.host(overJSON, big(func(w http.ResponseWriter, name, before, after string) {
			w.Header().Set("Content-Type", "application/json")
			if name == "long" {
				w.Header().Set("Content-Length", strconv.Itoa(len(before)+tooLong+len(after)))
			}
			_, _ = io.WriteString(w, before)
			pour(w)
			_, _ = io.WriteString(w, after)
		}))
		h.offer("do", "long", "long and chunked")
		x.serve("bad", h.spec())
		tooLongFor(x, "long")
		tooLongFor(x, "long and chunked")
	}},
	{name: "message of 64 MiB, SSE event", beside: overEvents, alone: true, run: func(x *trial) {
		h := x.host(overEvents, big(func(w http.ResponseWriter, _, before, after string) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: "+before)
			pour(w)
			_, _ = io.WriteString(w, after+"\n\n")
		}))
		h.offer("do", "long")
		x.serve("bad", h.spec())
		tooLongFor(x, "long")
	}},
}

// big answers calls of the tools that are named "long" with a long string between
// before and after.
func big(write func(w http.ResponseWriter, name, before, after string)) spoiler {
	return func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		name, _ := text(m, jsonrpc.Name)
		if !strings.HasPrefix(name, "long") {
			return false
		}
		before, after, _ := strings.Cut(right(m, `{"x":"@"}`), "@")
		write(w, name, before, after)
		return true
	}
}

// tooLongFor calls a tool whose answer is far too long. That fails the call, and
// is never held in memory.
func tooLongFor(x *trial, tool string) {
	x.expect("bad", connected)
	c := x.connect("/mcp", "user", `{}`)
	heap := watchHeap()
	got := c.call(`tools/call {"name":"bad__%s"}`, publicName("bad", tool)[len("bad__"):])
	if grown := heap(); grown > tooLong {
		x.t.Errorf("%s: the heap grew by %d MiB", tool, grown>>20)
	}
	x.fails(tool, got, `server \"bad\": read the answer: a message is longer than 16 MiB`)
	x.expect("bad", connected)
	x.works("bad")
}

// watchHeap looks how the heap grows until the function is called that it returns,
// which says by how much. Garbage is collected early meanwhile.
func watchHeap() (grown func() uint64) {
	before := debug.SetGCPercent(10)
	runtime.GC()
	base, most := heapSize(), uint64(0)
	done := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			most = max(most, heapSize())
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	return func() uint64 {
		close(done)
		looking.Wait()
		debug.SetGCPercent(before)
		return most - min(base, most)
	}
}

func heapSize() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
