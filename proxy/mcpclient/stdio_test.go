package mcpclient

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcphub/proxy/jsonrpc"
)

func TestStdioWithSDKServer(t *testing.T) {
	t.Parallel()
	exerciseSDK(t, child("sdk"))
}

// exerciseSDK does with an sdkServer what a client does with a server.
func exerciseSDK(t *testing.T, transport Transport) {
	s, session := dial(t, transport)
	s.Listen()
	call(t, s, &Call{Method: "tools/list"}, `"name":"echo"`)
	call(t, s, tool(t, "echo", `{"text":"héllo\nworld"}`), `héllo\nworld`)

	progress := 0
	c := tool(t, "progress", `{}`)
	c.Receive = func(m *jsonrpc.Message) error { progress++; return nil }
	call(t, s, c, `"done"`)
	if progress != 3 {
		t.Errorf("progress: got %d, want 3", progress)
	}

	c = tool(t, "roots", `{}`)
	c.Receive = func(m *jsonrpc.Message) error {
		return s.Respond(t.Context(), m.ID, jsonrpc.Raw(`{"roots":[{"uri":"file:///r"}]}`), nil)
	}
	call(t, s, c, `file:///r`)

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := s.Call(ctx, tool(t, "wait", `{}`))
	wantErr(t, "cancelled", err, context.DeadlineExceeded, "")
	session.expect(t, "notifications/tools/list_changed") // the tool has seen it
	call(t, s, tool(t, "no such", `{}`), `"code":-32602`)

	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			text := fmt.Sprintf("text %d", i)
			call(t, s, tool(t, "echo", `{"text":"`+text+`"}`), `"`+text+`"`)
		})
	}
	all.Wait()
}

func TestStdioNoise(t *testing.T) {
	t.Parallel()

	s, _ := dial(t, child("noisy"))
	for range 3 {
		call(t, s, &Call{Method: "x", Raw: jsonrpc.Raw("{\n\"a\":\r\n1}")}, `1}`)
	}
}

func TestStdioPretty(t *testing.T) {
	t.Parallel()

	s, _ := dial(t, child("pretty"))
	call(t, s, tool(t, "a", `{}`), "9007199254740993")
}

func TestStdioDiesDuringACall(t *testing.T) {
	s, _ := dial(t, child("dies"))
	_, err := s.Call(t.Context(), tool(t, "a", `{}`))
	wantErr(t, "died", err, ErrOutcomeUnknown, "exit status 7; stderr: panic: out of cheese")
	<-s.Done()
	wantErr(t, "session", s.Err(), nil, "exit status 7")
	_, err = s.Call(t.Context(), tool(t, "a", `{}`))
	wantErr(t, "afterwards", err, ErrNotSent, "exit status 7")
	wantErr(t, "afterwards", err, ErrClosed, "")
}

func TestStdioDialErrors(t *testing.T) {
	t.Parallel()

	o, _ := testOptions(t)
	dialError := func(transport Stdio) error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		s, err := Dial(ctx, transport, o)
		if err == nil {
			s.Close()
		}
		return err
	}
	wantErr(t, "mute", dialError(child("mute")), context.DeadlineExceeded, "it wrote what is no message: Usage: server [options]")
	err := dialError(child("refuses"))
	wantErr(t, "refuses", err, nil, "exit status 3; stderr: set FOO=1 | then retry; it wrote what is no message: no config found")
	env := []string{"PATH=/nowhere"}
	wantErr(t, "missing", dialError(Stdio{Command: []string{"npx"}, Env: env}), nil, `"npx" was not found in PATH (/nowhere)`)
	wantErr(t, "missing path", dialError(Stdio{Command: []string{"/nowhere/x"}, Env: env}), nil, "/nowhere/x: no such file")
	wantErr(t, "empty", dialError(Stdio{}), nil, "no command")
	bad := child("sdk")
	bad.Dir = "/nowhere"
	wantErr(t, "directory", dialError(bad), nil, `the directory "/nowhere" does not exist`)
}

// A process that does not read holds up nobody for longer than they want.
func TestStdioDeaf(t *testing.T) {
	t.Parallel()

	s, _ := dial(t, child("deaf"))
	big := jsonrpc.Raw(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := s.Call(ctx, &Call{Method: "x", Raw: big})
			wantErr(t, "deaf", err, context.DeadlineExceeded, "")
		})
	}
	began := time.Now()
	all.Wait()
	if took := time.Since(began); took > 15*time.Second { // the first one tells the server, in vain
		t.Errorf("calls took %v", took)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Call(context.Background(), &Call{Method: "x", Raw: big})
		done <- err
	}()
	time.Sleep(50 * time.Millisecond)
	s.Close()
	wantErr(t, "closed meanwhile", <-done, ErrClosed, "")
}

func TestStdioFloodOfStderr(t *testing.T) {
	t.Parallel()

	s, _ := dial(t, child("floods stderr"))
	call(t, s, tool(t, "a", `{}`), `{"alive":1}`)
}

func TestStdioMessageTooLong(t *testing.T) {
	t.Parallel()

	s, _ := dial(t, child("long"))
	_, err := s.Call(t.Context(), tool(t, "long", `{}`))
	wantErr(t, "long", err, nil, "longer than 16 MiB")
	call(t, s, tool(t, "short", `{}`), `{"alive":1}`)
}

func TestStdioClosesItsInput(t *testing.T) {
	t.Parallel()
	s, _ := dial(t, child("closes input"))
	call(t, s, tool(t, "a", `{}`), `{"last":1}`)
	_, err := s.Call(t.Context(), tool(t, "a", `{}`))
	wantErr(t, "call", err, ErrOutcomeUnknown, "the process closed its input")
}

func TestStdioPoliteProcessEndsAtOnce(t *testing.T) {
	s, _ := dial(t, child("noisy"))
	began := time.Now()
	s.Close()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
}

func TestStdioRoutes(t *testing.T) {
	s, session := dial(t, child("asks"))
	var methods []string
	ask := func(owner string) *Call {
		c := tool(t, "ask", `{}`)
		c.Owner = owner
		c.Receive = func(m *jsonrpc.Message) error {
			methods = append(methods, m.Method)
			if m.Kind() == jsonrpc.Request {
				return s.Respond(t.Context(), m.ID, jsonrpc.Raw(`"call"`), nil)
			}
			return nil
		}
		return c
	}
	call(t, s, ask("one"), `{"answer":"call"}`)
	if got, want := fmt.Sprint(methods), "[notifications/message roots/list]"; got != want {
		t.Errorf("alone: the call received %s, want %s", got, want)
	}
	session.expect(t, "notifications/tools/list_changed")
	if n := s.options.Strays.Load(); n != 2 {
		t.Errorf("strays: got %d, want 2", n)
	}

	// With another call in flight, nobody can tell whose question it is.
	for owner, want := range map[string]string{"one": "[notifications/message]", "two": "[]"} {
		methods = []string{}
		held := make(chan bool)
		go func() {
			defer close(held)
			c := tool(t, "hold", `{}`)
			c.Owner = "one"
			call(t, s, c, `{"held":1}`)
		}()
		for len(s.wire.(*stdio).calls()) == 0 {
			time.Sleep(time.Millisecond)
		}
		answered := make(chan bool)
		go func() {
			defer close(answered)
			m := session.expect(t, "roots/list")
			if err := s.Respond(t.Context(), m.ID, jsonrpc.Raw(`"session"`), nil); err != nil {
				t.Error(err)
			}
		}()
		call(t, s, ask(owner), `{"answer":"session"}`)
		<-answered
		if got := fmt.Sprint(methods); got != want {
			t.Errorf("beside a call of one, the call of %s received %s, want %s", owner, got, want)
		}
		call(t, s, tool(t, "release", `{}`), `{}`)
		<-held
	}
}

// calls returns the ids in flight.
func (x *mux) calls() (ids []int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id := range x.pending {
		ids = append(ids, id)
	}
	return ids
}

// A call that does not keep up loses progress and, where it would lose a
// question, fails; nobody else waits for it.
func TestStdioSlowReceiver(t *testing.T) {
	s, _ := dial(t, child("chatty"))
	block := make(chan bool)
	slow := tool(t, "a", `{}`)
	slow.Receive = func(*jsonrpc.Message) error { <-block; return nil }
	other := tool(t, "question", `{}`)
	other.Receive = slow.Receive
	result := make(chan error, 1)
	go func() {
		_, err := s.Call(t.Context(), other)
		result <- err
	}()
	for s.wire.(*stdio).dropped.Load() < 900 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	close(block)
	wantErr(t, "question", <-result, nil, "roots/list has no room")

	progress := 0
	quick := tool(t, "a", `{}`)
	quick.Receive = func(*jsonrpc.Message) error { progress++; return nil }
	call(t, s, quick, `{"done":1}`)
	if progress == 0 {
		t.Error("no progress came")
	}
}

func TestChildEnv(t *testing.T) {
	got := ChildEnv([]string{"PATH=/bin", "HOME=/h", "LC_ALL=C", "LC=x", "MCPHUB_TOKEN=t", "DOCKER_HOST=d", "AWS_SECRET=s", "TZ=UTC"},
		map[string]string{"HOME": "/other", "B": "2", "A": "1"})
	want := []string{"PATH=/bin", "LC_ALL=C", "TZ=UTC", "A=1", "B=2", "HOME=/other"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	t.Setenv("MCPHUB_TOKEN", "secret")
	c := child("environment")
	c.Dir = t.TempDir()
	s, _ := dial(t, c)
	m, err := s.Call(t.Context(), tool(t, "a", `{}`))
	if err != nil || strings.Contains(string(m.Result), "MCPHUB") || !strings.Contains(string(m.Result), `"dir":"`+c.Dir) {
		t.Errorf("the child has %s, %v", m.Result, err)
	}
}
