package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fakeEngine speaks the three calls over pipes.
type fakeEngine struct {
	server   *http.Server
	conns    chan net.Conn
	min, max string // API versions
	silent   bool   // the ping tells no version
	late     bool   // headers of events come with the first event, as podman has it

	mu      sync.Mutex // for what follows, which tests change while it serves
	down    bool
	refuse  map[string]int // call (ping, list, events) → status
	boxes   map[string]*box
	raw     []string // elements that are listed beside the boxes
	streams map[chan string]bool
	ring    []ringed
	hold    chan struct{} // a list waits until it is closed, after looking
	calls   map[string]int
}

// ringed is an event that can be asked for again.
type ringed struct {
	at   time.Time
	text string
}

func newFakeEngine(t *testing.T) *fakeEngine {
	f := &fakeEngine{
		conns: make(chan net.Conn), min: "1.12", max: "1.41", refuse: map[string]int{},
		boxes: map[string]*box{}, streams: map[chan string]bool{}, calls: map[string]int{},
	}
	f.server = &http.Server{Handler: f}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f.server.Serve(f)
	}()
	t.Cleanup(func() {
		_ = f.server.Close()
		<-done
	})
	return f
}

func (f *fakeEngine) Accept() (net.Conn, error) {
	conn, open := <-f.conns
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (f *fakeEngine) Close() error { close(f.conns); return nil }

func (f *fakeEngine) Addr() net.Addr { return &net.UnixAddr{Name: "fake", Net: "unix"} }

func (f *fakeEngine) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	f.mu.Lock()
	down := f.down
	f.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: syscall.ECONNREFUSED}
	}
	here, there := net.Pipe()
	select {
	case f.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var versioned = regexp.MustCompile(`^/v(1\.\d+)/(containers/json|events)$`)

func (f *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := "ping"
	if found := versioned.FindStringSubmatch(r.URL.Path); found != nil {
		call = map[string]string{"containers/json": "list", "events": "events"}[found[2]]
		if len(found[1]) < len(f.min) || found[1] < f.min {
			f.fail(w, 400, fmt.Sprintf("client version %s is too old. Minimum supported API version is %s, please upgrade your client to a newer version", found[1], f.min))
			return
		}
		if found[1] > f.max {
			f.fail(w, 400, fmt.Sprintf("client version %s is too new. Maximum supported API version is %s", found[1], f.max))
			return
		}
	} else if r.URL.Path != "/_ping" {
		f.fail(w, 403, "no such call is allowed: "+r.URL.Path)
		return
	}
	f.mu.Lock()
	f.calls[call]++
	status := f.refuse[call]
	f.mu.Unlock()
	if status != 0 {
		f.fail(w, status, "refused")
		return
	}
	switch call {
	case "ping":
		if !f.silent {
			w.Header().Set("Api-Version", f.max)
		}
	case "list":
		f.list(w, r)
	case "events":
		f.events(w, r)
	}
}

func (f *fakeEngine) fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

func (f *fakeEngine) list(w http.ResponseWriter, r *http.Request) {
	var filters map[string]map[string]bool
	_ = json.Unmarshal([]byte(r.FormValue("filters")), &filters)
	f.mu.Lock()
	elements := slices.Clone(f.raw)
	for _, b := range f.boxes {
		if b.pass(filters) {
			elements = append(elements, b.json())
		}
	}
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	fmt.Fprintf(w, "[%s]", strings.Join(elements, ","))
}

func (f *fakeEngine) events(w http.ResponseWriter, r *http.Request) {
	stream := make(chan string, 4096)
	f.mu.Lock()
	f.streams[stream] = true
	if since, err := strconv.ParseFloat(r.FormValue("since"), 64); err == nil {
		for _, event := range f.ring {
			if float64(event.at.UnixNano())/1e9 >= since {
				stream <- event.text
			}
		}
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.streams, stream)
		f.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "application/json")
	if !f.late {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
	}
	for {
		select {
		case event := <-stream:
			if event == "" {
				panic(http.ErrAbortHandler) // the stream is cut
			}
			_, _ = fmt.Fprintln(w, event)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// emit sends an event such as "container die" or "container kill 15" to all streams. A
// container's has its labels in it.
func (f *fakeEngine) emit(text, id string) {
	var labels map[string]string
	f.set(func() {
		if b := f.boxes[id]; b != nil {
			labels = maps.Clone(b.labels)
		}
	})
	f.send(text, id, labels)
}

func (f *fakeEngine) send(text, id string, attributes map[string]string) {
	words := strings.SplitN(text, " ", 3)
	if len(words) == 3 && words[1] == "kill" {
		attributes["signal"] = words[2]
	}
	event, _ := json.Marshal(map[string]any{
		"Type": words[0], "Action": strings.Join(words[1:min(2, len(words))], " "), "timeNano": time.Now().UnixNano(),
		"Actor": map[string]any{"ID": id, "Attributes": attributes},
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring = append(f.ring, ringed{time.Now(), string(event)})
	for stream := range f.streams {
		stream <- string(event)
	}
}

// cut ends all streams of events, and further connections too if the engine goes down.
func (f *fakeEngine) cut(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
	for stream := range f.streams {
		stream <- ""
	}
}
