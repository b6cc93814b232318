package integration

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// cutter carries the connections to a server as bytes. It breaks the first one on which the mark comes from the server, in
// front of the mark: what came before has arrived, the event that the mark is in has not. Requests wait until the
// server has said a further text on the broken connection, if there is one.
type cutter struct {
	URL string

	to    string
	mark  []byte
	until []byte
	cut   atomic.Bool
	away  sync.RWMutex // held while nobody gets through

	mu      sync.Mutex
	resumed int // requests that had a Last-Event-ID
	open    map[net.Conn]bool
	closed  bool
}

func startCutter(t testing.TB, server, mark, until string) *cutter {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{to: to.Host, mark: []byte(mark), until: []byte(until), open: map[net.Conn]bool{}}
	c.URL = "http://" + listener.Addr().String() + to.Path
	var carriers sync.WaitGroup
	carriers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			carriers.Go(func() { c.carry(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		c.closeAll()
		carriers.Wait()
	})
	return c
}

// carry carries one connection until either end closes it.
func (c *cutter) carry(client net.Conn) {
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		client.Close()
		return
	}
	if !c.keep(client, server) {
		return
	}
	defer c.drop(client, server)
	var requests sync.WaitGroup
	var held atomic.Bool
	requests.Go(func() {
		_, _ = io.Copy(io.MultiWriter(&counter{of: []byte("last-event-id:"), count: c.countResumed}, gate{&c.away, server}), client)
		if !held.Load() {
			server.Close()
		}
	})
	c.answer(client, server, &held)
	client.Close()
	server.Close()
	requests.Wait()
}

// answer carries what the server says, up to the mark if this is the first to have it.
func (c *cutter) answer(client, server net.Conn, held *atomic.Bool) {
	buffer := make([]byte, 64<<10)
	var tail []byte // the end of what was carried
	for {
		n, err := server.Read(buffer)
		seen := append(tail, buffer[:n]...)
		if at := bytes.Index(seen, c.mark); at >= 0 && c.cut.CompareAndSwap(false, true) {
			_, _ = client.Write(buffer[:max(at-len(tail), 0)])
			held.Store(true)
			c.hold(client, server, seen)
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
		if err != nil {
			return
		}
		tail = bytes.Clone(seen[max(len(seen)-len(c.mark)+1, 0):])
	}
}

// hold breaks the connection to the client, and lets nobody through until the server has said what is waited for.
func (c *cutter) hold(client, server net.Conn, seen []byte) {
	c.away.Lock()
	defer c.away.Unlock()
	client.Close()
	for buffer := make([]byte, 64<<10); !bytes.Contains(seen, c.until); {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		seen = append(seen, buffer[:n]...)
	}
}

func (c *cutter) countResumed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resumed++
}

// check reports whether the connection broke and was taken up again.
func (c *cutter) check(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cut.Load() || c.resumed == 0 {
		t.Errorf("connection broken: %t, requests with Last-Event-ID: %d; want true, at least 1", c.cut.Load(), c.resumed)
	}
}

func (c *cutter) keep(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		if c.closed {
			conn.Close()
		}
		c.open[conn] = true
	}
	return !c.closed
}

func (c *cutter) drop(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		delete(c.open, conn)
	}
}

func (c *cutter) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.open {
		conn.Close()
	}
}

// gate writes while the lock is not held by others.
type gate struct {
	lock *sync.RWMutex
	to   io.Writer
}

func (g gate) Write(data []byte) (int, error) {
	g.lock.RLock()
	defer g.lock.RUnlock()
	return g.to.Write(data)
}

// counter calls count for each occurrence of a text, in lower case, in what is written to it.
type counter struct {
	of    []byte
	count func()
	tail  []byte
}

func (c *counter) Write(data []byte) (int, error) {
	seen := append(c.tail, bytes.ToLower(data)...)
	for range bytes.Count(seen, c.of) {
		c.count()
	}
	c.tail = bytes.Clone(seen[max(len(seen)-len(c.of)+1, 0):])
	return len(data), nil
}
