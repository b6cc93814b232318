package docker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"mcphub/discovery"
)

// opener returns an Opener that the lab's test closes.
func (l *lab) opener() *Opener {
	l.t.Helper()
	o := NewOpener(Options{Log: slog.New(slog.DiscardHandler)})
	l.t.Cleanup(o.Close)
	return o
}

// runsCommands starts a container that runs the server of the tests, and in which its
// commands can be run. It returns the instance.
func (s *seen) runsCommands(name string) discovery.Instance {
	s.t.Helper()
	s.run(name, nil)
	s.until(name + ": at IP:8080/mcp")
	return s.instance(name)
}

// talk is a conversation with a process.
type talk struct {
	t              *testing.T
	streams        *streams
	stdout, stderr <-chan string // closed at the end
}

func converse(t *testing.T, s *streams) *talk {
	lines := func(from io.Reader) <-chan string {
		heard := make(chan string, 100)
		go func() { // ends with the streams
			defer close(heard)
			for lines := bufio.NewScanner(from); lines.Scan(); {
				heard <- lines.Text()
			}
		}()
		return heard
	}
	return &talk{t, s, lines(s.Stdout()), lines(s.Stderr())}
}

func (k *talk) says(line string) {
	k.t.Helper()
	if _, err := fmt.Fprintln(k.streams.Stdin(), line); err != nil {
		k.t.Errorf("say %s: %v", line, err)
	}
}

// hears waits for a line, or the end, which is an empty one.
func (k *talk) hears(from <-chan string, want string) {
	k.t.Helper()
	select {
	case got := <-from:
		if !strings.Contains(got, want) || want == "" && got != "" {
			k.t.Errorf("heard %q, want %q", got, want)
		}
	case <-time.After(deadline):
		k.t.Fatalf("%q was not heard", want)
	}
}

// over waits for the end and compares what is told of it.
func (k *talk) over(fate string) {
	k.t.Helper()
	select {
	case <-k.streams.Over():
	case <-time.After(deadline):
		k.t.Fatal("it does not end")
	}
	if got := k.streams.Fate(); !strings.Contains(got, fate) {
		k.t.Errorf("told of the end: %s, want %s", got, fate)
	}
}

func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got the error %v, want %q in it", err, text)
		}
	}
}

func TestRealExec(t *testing.T) {
	l := newLab(t)
	s := l.watch(nil)
	at := s.runsCommands("a")
	o := l.opener()
	lines := discovery.Spec{Command: []string{"/server", "lines"}, Env: map[string]string{"WORD": "a b"}, Dir: "/proc", User: "65532"}

	exec := func(spec discovery.Spec) (*Command, *talk) {
		t.Helper()
		c, err := o.Exec(t.Context(), "a", spec, at)
		l.must(err)
		return c, converse(t, c.streams)
	}
	c, k := exec(lines)
	k.hears(k.stderr, "ready")
	k.says("env WORD")
	k.hears(k.stdout, "a b")
	k.says("where")
	k.hears(k.stdout, "/proc 65532")
	k.says("env NAME")
	k.hears(k.stdout, "a")
	if got := k.streams.Fate(); got != "the process is running" {
		t.Errorf("while it runs: %s", got)
	}
	c.End()
	k.over("the process in container " + at.Name + " ended: exit status 0")
	k.hears(k.stdout, "bye") // it heard the end, and was heard
	k.hears(k.stdout, "")

	c, k = exec(lines)
	k.says("exit 7")
	k.over("ended: exit status 7")
	c.End()

	c, k = exec(discovery.Spec{Command: []string{"/nowhere/server"}})
	k.hears(k.stdout, "no such file or directory")
	k.over("the command cannot be run in container " + at.Name + ": exit status 12")
	c.End()

	c, k = exec(lines)
	k.hears(k.stderr, "ready")
	o.mu.Lock()
	if seats := o.runs[keyOf(at)].commands; seats != 1 {
		t.Errorf("%d commands have a seat while one runs", seats)
	}
	o.mu.Unlock()
	_, err := l.client.ContainerKill(t.Context(), at.Container, client.ContainerKillOptions{Signal: "KILL"})
	l.must(err)
	k.over("ended")
	c.End()
	if o.mu.Lock(); len(o.runs) > 1 || len(o.runs) == 1 && o.runs[keyOf(at)].commands != 0 {
		t.Errorf("left: %+v", o.runs)
	}
	o.mu.Unlock()
	_, err = o.Exec(t.Context(), "a", lines, at)
	wantError(t, err, "POST /containers/{id}/exec", "is not running")
}

// A command that ignores the end of its input cannot be ended. It is told of and keeps its
// seat, for as long as it runs.
func TestRealDeafCommand(t *testing.T) {
	l := newLab(t)
	s := l.watch(nil)
	at := s.runsCommands("a")
	o := l.opener()
	deaf := discovery.Spec{Command: []string{"/server", "deaf"}}
	c, err := o.Exec(t.Context(), "a", deaf, at)
	l.must(err)
	k := converse(t, c.streams)
	k.hears(k.stderr, "ready")
	c.End()
	for len(o.Left("a")) == 0 && t.Context().Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	if got := o.Left("a"); len(got) != 1 || !strings.HasPrefix(got[0], "1 of its processes run in container "+at.Name+" without a session") {
		t.Errorf("told of the first: %q", got)
	}

	// Another hub, of which nobody knows that it is there, finds it.
	later := l.opener()
	c, err = later.Exec(t.Context(), "a", deaf, at)
	l.must(err)
	converse(t, c.streams)
	for began := time.Now(); len(later.Left("a")) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > deadline {
			t.Fatal("a later hub does not find it")
		}
	}

	var open []*Command
	for range maxCommands - 2 {
		c, err := later.Exec(t.Context(), "a", deaf, at)
		l.must(err)
		converse(t, c.streams)
		open = append(open, c)
	}
	_, err = later.Exec(t.Context(), "a", deaf, at)
	wantError(t, err, "8 of the server's processes run in container "+at.Name+", 1 of them without a session")

	l.remove(at.Container)
	for _, c := range append(open, c) {
		c.End()
	}
	s.over(at)
	for began := time.Now(); len(o.Left("a"))+len(later.Left("a")) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > deadline {
			t.Fatalf("told of a container that is gone: %q %q", o.Left("a"), later.Left("a"))
		}
	}
}

func TestRealPausedStreams(t *testing.T) {
	l := newLab(t)
	s := l.watch(nil)
	at := s.runsCommands("a")
	o := l.opener()
	spec := discovery.Spec{Command: []string{"/server", "lines"}}
	c, err := o.Exec(t.Context(), "a", spec, at)
	l.must(err)
	k := converse(t, c.streams)
	k.hears(k.stderr, "ready")
	_, err = l.client.ContainerPause(t.Context(), at.Container, client.ContainerPauseOptions{})
	l.must(err)
	k.says("hello")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = o.Exec(ctx, "a", spec, at)
	wantError(t, err, "container "+at.Name+" is paused")
	opened := make(chan *Command)
	go func() {
		c, err := o.Exec(t.Context(), "a", spec, at)
		if err != nil {
			t.Error(err)
		}
		opened <- c
	}()
	_, err = l.client.ContainerUnpause(t.Context(), at.Container, client.ContainerUnpauseOptions{})
	l.must(err)
	k.hears(k.stdout, "heard hello")
	late := <-opened
	converse(t, late.streams)
	late.End()
	c.End()
}
