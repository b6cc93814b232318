package mcpclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

// elsewhere is a process that is a function, which gets its input by lines.
type elsewhere struct {
	stdin          *io.PipeWriter
	stdout, stderr *io.PipeReader
	over           chan struct{}
	fate           string
	ended          atomic.Int32
}

// runElsewhere runs the process; say writes a line to its output. It ends with its
// input, or when the function returns false.
func runElsewhere(fate string, hear func(line string, say func(string)) bool) *elsewhere {
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	stderr, complaints := io.Pipe()
	e := &elsewhere{stdin: stdin, stdout: stdout, stderr: stderr, over: make(chan struct{}), fate: fate}
	go func() { // ends with its input, which End closes
		lines := bufio.NewScanner(in)
		for lines.Scan() && hear(lines.Text(), func(line string) { fmt.Fprintln(out, line) }) {
		}
		in.Close()
		out.Close()
		complaints.Close()
		close(e.over)
	}()
	return e
}

func (e *elsewhere) Stdin() io.Writer      { return e.stdin }
func (e *elsewhere) Stdout() io.Reader     { return e.stdout }
func (e *elsewhere) Stderr() io.Reader     { return e.stderr }
func (e *elsewhere) Over() <-chan struct{} { return e.over }
func (e *elsewhere) Fate() string          { return e.fate }

func (e *elsewhere) End() {
	e.ended.Add(1)
	e.stdin.Close()
	<-e.over
}

// standing outlives its sessions.
type standing struct {
	*elsewhere
	restart func() error
}

func (s standing) Restart(context.Context) error { return s.restart() }

func opening(s Streams) func(context.Context) (Streams, error) {
	return func(context.Context) (Streams, error) { return s, nil }
}

// idOf returns the id in a message, as it is written.
func idOf(t *testing.T, line string) string {
	m, err := jsonrpc.Parse([]byte(line))
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return "null"
	}
	return string(m.ID)
}

const initialized = `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"1"}}}`

func TestPiped(t *testing.T) {
	process := runElsewhere("cut off by somebody", func(line string, say func(string)) bool {
		switch {
		case strings.Contains(line, `"initialize"`):
			say(fmt.Sprintf(initialized, idOf(t, line)))
		case strings.Contains(line, `"last"`):
			return false
		}
		return true
	})
	s, _ := dial(t, Piped{Open: opening(process)})
	_, err := s.Call(t.Context(), &Call{Method: "last"})
	wantErr(t, "a call during which it ends", err, ErrOutcomeUnknown, "cut off by somebody")
	<-s.Done()
	s.Close()
	if n := process.ended.Load(); n != 1 {
		t.Errorf("ended %d times", n)
	}
	o, _ := testOptions(t)
	refused := fmt.Errorf("%w: no rights", ErrOutOfReach)
	_, err = Dial(t.Context(), Piped{Open: func(context.Context) (Streams, error) { return nil, refused }}, o)
	wantErr(t, "not opened", err, ErrOutOfReach, "no rights")
}

// A process that was there before is addressed under ids that none of its earlier
// calls can have had, and restarted when it takes no second initialize.
func TestStandingProcess(t *testing.T) {
	ids := make(chan string, 10)
	dialOne := func(restart func() error) error {
		process := runElsewhere("it runs", func(line string, say func(string)) bool {
			id := idOf(t, line)
			ids <- id
			say(`{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32600,"message":"duplicate initialize"}}`)
			return true
		})
		o, _ := testOptions(t)
		_, err := Dial(t.Context(), Piped{Open: opening(standing{process, restart})}, o)
		return err
	}
	restarts := 0
	err := dialOne(func() error { restarts++; return nil })
	wantErr(t, "restarted", err, nil, "duplicate initialize; the process was there before the hub and may have had a session, so it is started anew")
	err = dialOne(func() error { restarts++; return errors.New("no right to") })
	wantErr(t, "not restarted", err, nil, "duplicate initialize; no right to")
	if restarts != 2 {
		t.Errorf("%d restarts, want 2", restarts)
	}
	if first, second := <-ids, <-ids; first == second || len(first) < 6 && len(second) < 6 {
		t.Errorf("the ids %s and %s do not look random", first, second)
	}
}

// What is between the hub and the process hears something of both all the time, also
// during a call, which is not taken for the cause of it.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		pings := 0
		count := func() int { mu.Lock(); defer mu.Unlock(); return pings }
		process := runElsewhere("it runs", func(line string, say func(string)) bool {
			switch {
			case strings.Contains(line, `"initialize"`):
				say(fmt.Sprintf(initialized, idOf(t, line)))
			case strings.Contains(line, `"ping"`):
				mu.Lock()
				pings++
				mu.Unlock()
				say(`{"jsonrpc":"2.0","id":1000,"method":"roots/list"}`)
			}
			return true // nobody gets an answer
		})
		s, _ := dial(t, Piped{Open: opening(process), KeepAlive: 4 * time.Minute})
		synctest.Wait()
		time.Sleep(4*time.Minute - time.Millisecond)
		if got := count(); got != 0 {
			t.Errorf("%d pings before the time", got)
		}
		asked := 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := s.Call(ctx, &Call{Method: "slow", Receive: func(*jsonrpc.Message) error { asked++; return nil }})
		wantErr(t, "slow", err, context.DeadlineExceeded, "")
		if got := count(); got != 1 || asked != 1 {
			t.Errorf("%d pings, %d questions of the server came to the call; want one of each", got, asked)
		}
		time.Sleep(time.Hour - time.Minute)
		if got := count(); got != 15 {
			t.Errorf("%d pings in an hour, want 15", got)
		}
		s.Close()
	})
}
