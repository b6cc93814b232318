package proxy

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
)

// badChildVariable makes the test binary a stdio server that misbehaves in a way.
const badChildVariable = "PROXY_TEST_BAD_CHILD"

func init() {
	way, argument, _ := strings.Cut(os.Getenv(badChildVariable), "=")
	if way == "" {
		return
	}
	c := &badChild{argument: argument}
	badChildren[way](c)
	os.Exit(0)
}

// child declares such a server.
func child(way string) discovery.Spec {
	return discovery.Spec{
		Transport: discovery.Stdio, Command: []string{os.Args[0]},
		Env: map[string]string{badChildVariable: way, "GORACE": exitAtOnce},
	}
}

// badChild is a stdio server with a tool "do" and others that do worse.
type badChild struct {
	argument string
	out      sync.Mutex
	flooding atomic.Bool
}

// badChildren are what they do before they serve, or instead of it.
var badChildren = map[string]func(*badChild){
	"serves": (*badChild).serve,
	"banner": func(c *badChild) {
		c.write("Welcome!\n\n    ___\n   {o,o}\n\n{\"level\":30,\"msg\":\"started\"}\n[1,2,3]\n{\n")
		c.serve()
	},
	"floods stderr": func(c *badChild) {
		line := []byte(strings.Repeat("the sky is falling ", 10) + "\n")
		for range 50_000 {
			_, _ = os.Stderr.Write(line)
		}
		_, _ = os.Stderr.Write(make([]byte, 4<<20)) // no end of line
		_, _ = os.Stderr.WriteString("\nthe end\n")
		c.serve()
	},
	"exits": func(c *badChild) {
		if f, err := os.OpenFile(c.argument, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
			_, _ = f.WriteString("x")
			f.Close()
		}
		fmt.Fprintln(os.Stderr, "no licence found")
		os.Exit(4)
	},
	"closes stdout": func(*badChild) {
		os.Stdout.Close()
		_, _ = io.Copy(io.Discard, os.Stdin)
	},
}

func (c *badChild) write(text string) {
	c.out.Lock()
	defer c.out.Unlock()
	_, _ = io.WriteString(os.Stdout, text)
}

func (c *badChild) serve() {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		m, err := jsonrpc.Parse(line)
		if err != nil {
			continue
		}
		switch {
		case m.Method == "notifications/cancelled":
			c.flooding.Store(false)
		case m.Kind() == jsonrpc.Request:
			c.answer(m)
		}
	}
}

func (c *badChild) answer(m *jsonrpc.Message) {
	result := `{}`
	switch m.Method {
	case "initialize":
		result = initializeResult(`{"tools":{}}`, "")
	case "tools/list":
		result = `{"tools":[` + tool("do") + `,` + tool("die") + `,` + tool("long") + `,` + tool("flood") + `,` + tool("quiet") + `]}`
	case "tools/call":
		result = `{"content":[]}`
		name, _ := m.Text(jsonrpc.Name)
		if special := specialTools[name]; special != nil {
			special(c, m)
			return
		}
	}
	c.write("not a message {\n" + right(m, result) + "\n")
}

var specialTools = map[string]func(*badChild, *jsonrpc.Message){
	"die": func(*badChild, *jsonrpc.Message) {
		fmt.Fprintln(os.Stderr, "out of luck")
		os.Exit(3)
	},
	"quiet": func(*badChild, *jsonrpc.Message) {
		os.Stdout.Close()
	},
	"long": func(c *badChild, m *jsonrpc.Message) {
		c.out.Lock()
		defer c.out.Unlock()
		before, after, _ := strings.Cut(right(m, `{"x":"@"}`), "@")
		_, _ = io.WriteString(os.Stdout, before)
		pour(os.Stdout)
		_, _ = io.WriteString(os.Stdout, after+"\n")
	},
	"flood": func(c *badChild, m *jsonrpc.Message) {
		c.flooding.Store(true)
		token := string(m.Field(jsonrpc.MetaProgressToken))
		go func() {
			for n := 0; c.flooding.Load(); n++ {
				c.write(floodMessage(n, token) + "\n")
			}
			c.write(right(m, `{}`) + "\n") // which comes too late
		}()
	},
}

// floodMessage is one of many things said during a call.
func floodMessage(n int, token string) string {
	if n%2 == 0 {
		return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d,"message":%q}}`, token, n, strings.Repeat("x", 8000))
	}
	return `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"` + strings.Repeat("y", 8000) + `"}}`
}

// tooLong is the size of messages that are far too long.
const tooLong = 64 << 20

// pour writes the inside of a string that is far too long.
func pour(w io.Writer) {
	piece := []byte(strings.Repeat("z", 64<<10))
	for range tooLong / len(piece) {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// eventually reports whether something comes true in time.
func eventually(holds func() bool) bool {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(5 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return false
}
