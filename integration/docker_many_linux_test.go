package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	docker "github.com/moby/moby/client"
)

// TestCase62_AHundredContainers starts them in a hurry and removes them again. What the hub holds for them it gives back.
func TestCase62_AHundredContainers(t *testing.T) {
	const many = 100
	l := newLab(t)
	hub := l.hub(shortLinger, "GODEBUG=gctrace=1")
	c := hub.open("/mcp")
	heard := c.listen(t)
	empty := hub.footprint()

	began := time.Now()
	ids := l.startMany(many)
	started := time.Now()
	eventually(t, 2*labLimit, "all servers", func() bool { return hub.connected() == many })
	served := time.Now()
	awaitMethod(t, heard, toolsChanged, labLimit)
	callEach(t, c, many)
	lists := hub.timeLists(c)
	full := hub.footprint()
	late, goroutines := l.lateHub(many)
	t.Logf("%d containers were started within %v, and all served %v later; tools/list took %v (median), %v (95 of 100); a hub that came later served all after %v",
		many, started.Sub(began).Round(time.Millisecond), served.Sub(started).Round(time.Millisecond), lists[49], lists[94], late)

	l.removeMany(ids)
	hub.until()
	eventually(t, baseLimit, "files to be closed", func() bool { return hub.files() <= empty.files+slack })
	after := hub.footprint()
	t.Logf("before, with, after the containers: %v, %v, %v", empty, full, after)
	const slackLive = 4 // MB
	if after.live > empty.live+slackLive {
		t.Errorf("%d MB are in use when all containers are gone, want %d", after.live, empty.live)
	}
	other := l.hub()
	other.open("/mcp").listen(t)
	got, want := hub.quit(), other.quit()
	t.Logf("goroutines: %d of a hub that has seen no container, %d of one that is connected to all, %d when they are gone", want, goroutines, got)
	if got > want+slack {
		t.Errorf("the hub has %d goroutines when all containers are gone, want %d", got, want)
	}
}

// lateHub starts a hub beside containers that run, and returns how long it took to serve them, and its goroutines then.
func (l *lab) lateHub(many int) (took time.Duration, goroutines int) {
	l.t.Helper()
	began := time.Now()
	hub := l.hub()
	eventually(l.t, 2*labLimit, "all servers at a second hub", func() bool { return hub.connected() == many })
	return time.Since(began).Round(time.Millisecond), hub.quit()
}

// callEach has each server answer.
func callEach(t *testing.T, c *client, many int) {
	t.Helper()
	for i := range many {
		id := fmt.Sprintf("many%02d", i)
		if got, err := c.call(t.Context(), id+"__strangers", map[string]any{}); got != "0" || err != nil {
			t.Errorf("%s: got %q, %v; want an answer, and no stranger", id, got, err)
		}
	}
}

// footprint is what a hub holds.
type footprint struct {
	resident int // memory that the system counts, KB
	live     int // memory in use, MB
	files    int
}

func (f footprint) String() string {
	return fmt.Sprintf("%d KB resident, %d MB in use, %d files", f.resident, f.live, f.files)
}

// footprint makes the hub collect its garbage, of which it must tell.
func (h *labHub) footprint() (f footprint) {
	h.t.Helper()
	collections := h.collections()
	eventually(h.t, labLimit, "the hub to collect its garbage", func() bool {
		for range 20 {
			h.health()
		}
		return len(h.collections()) > len(collections)+1 // of which one may have begun before
	})
	f.live = h.collections()[len(collections)+1]
	status, err := os.ReadFile(h.proc("status"))
	if err != nil {
		h.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &f.resident); err != nil {
		h.t.Fatalf("VmRSS of the hub: %v", err)
	}
	f.files = h.files()
	return f
}

var collected = regexp.MustCompile(`(?m)^gc \d+ @.* \d+->\d+->(\d+) MB`)

// collections returns how many MB were in use after each collection of garbage.
func (h *labHub) collections() (live []int) {
	for _, found := range collected.FindAllStringSubmatch(h.Output(), -1) {
		mb, _ := strconv.Atoi(found[1]) // digits
		live = append(live, mb)
	}
	return live
}

func (h *labHub) proc(name string) string {
	return filepath.Join("/proc", fmt.Sprint(h.cmd.Process.Pid), name)
}

// files returns how many descriptors the hub has open.
func (h *labHub) files() int {
	h.t.Helper()
	open, err := os.ReadDir(h.proc("fd"))
	if err != nil {
		h.t.Fatal(err)
	}
	return len(open)
}

// quit ends the hub by a signal that has Go tell of all goroutines, and returns how many there were.
func (h *labHub) quit() int {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		h.t.Fatal(err)
	}
	<-h.exited
	return strings.Count(h.Output(), "\ngoroutine ")
}

func (h *labHub) connected() (n int) {
	h.t.Helper()
	for _, s := range h.health().Servers {
		if s.Connected {
			n++
		}
	}
	return n
}

// timeLists asks for the list of tools 100 times, and returns how long each took, the shortest first.
func (h *labHub) timeLists(c *client) (took []time.Duration) {
	h.t.Helper()
	for range 100 {
		began := time.Now()
		if _, err := c.tools(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}

// startMany starts containers of the tests' own server, named many00 and so on, four at once. It returns their ids.
func (l *lab) startMany(n int) []string {
	l.t.Helper()
	image, ids := l.image(serverImage), make([]string, n)
	l.inFours(n, func(i int) error {
		id := fmt.Sprintf("many%02d", i)
		made, err := l.engine.ContainerCreate(l.t.Context(), docker.ContainerCreateOptions{Name: l.name + "-" + id, Config: &container.Config{
			Image: image, Env: []string{"NAME=" + id},
			Labels: l.labels(l.table([]string{".id=" + id, ".port=8080", ".header.X-For=" + id})),
		}})
		if err != nil {
			return err
		}
		ids[i] = made.ID
		_, err = l.engine.ContainerStart(l.t.Context(), made.ID, docker.ContainerStartOptions{})
		return err
	})
	return ids
}

func (l *lab) removeMany(ids []string) {
	l.t.Helper()
	l.inFours(len(ids), func(i int) error {
		_, err := l.engine.ContainerRemove(l.t.Context(), ids[i], docker.ContainerRemoveOptions{Force: true})
		return err
	})
}

// inFours does something n times, four at once.
func (l *lab) inFours(n int, do func(i int) error) {
	l.t.Helper()
	var doing sync.WaitGroup
	next := make(chan int)
	for range 4 {
		doing.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					l.t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	doing.Wait()
}
