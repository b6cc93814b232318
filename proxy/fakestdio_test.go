package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"mcphub/proxy/jsonrpc"
)

// childVariable makes the test binary a stdio server: it carries its streams to
// and from the address that the variable has, where the fake is.
const childVariable = "PROXY_TEST_CHILD"

// stayVariable lets such a server stay when its streams have ended.
const stayVariable = "PROXY_TEST_CHILD_STAYS"

// exitAtOnce keeps a process that looks for data races from sleeping at its end.
const exitAtOnce = "atexit_sleep_ms=0"

func init() {
	address := os.Getenv(childVariable)
	if address == "" {
		return
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(conn, os.Stdin)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(os.Stdout, conn)
	if os.Getenv(stayVariable) != "" {
		time.Sleep(time.Hour)
	}
	os.Exit(0)
}

// listenForChildren accepts the connections of the processes; each is a session.
func (f *fake) listenForChildren() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.url = listener.Addr().String()
	f.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go f.serveChild(conn)
		}
	}()
}

func (f *fake) serveChild(conn net.Conn) {
	defer conn.Close()
	s := f.newSession()
	defer s.end()
	go func() {
		for {
			select {
			case text := <-s.say:
				_, _ = io.WriteString(conn, text+"\n")
			case <-s.over:
				return
			}
		}
	}()
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		text := strings.TrimSuffix(line, "\n")
		parsed, err := jsonrpc.Parse([]byte(text))
		if err != nil {
			f.t.Errorf("%s: the hub sent what is no message: %v: %s", f.id, err, text)
			return
		}
		m := message{Message: parsed, text: text, session: s}
		if m.Method == "initialize" || m.Kind() != jsonrpc.Request {
			f.take(m, func(text string) { s.say <- text }, s.over)
		} else {
			go f.take(m, func(text string) { s.say <- text }, s.over)
		}
	}
}
