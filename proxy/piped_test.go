package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/jsonrpc"
	"mcphub/proxy/mcpclient"
)

// pipedProcess is a process in a container: it has one tool, and ends with its input.
type pipedProcess struct {
	stdin          *io.PipeWriter
	stdout, stderr *io.PipeReader
	over           chan struct{}
}

func startPiped() *pipedProcess {
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	stderr, complaints := io.Pipe()
	p := &pipedProcess{stdin, stdout, stderr, make(chan struct{})}
	go func() { // ends with its input
		defer close(p.over)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			if m, err := jsonrpc.Parse(lines.Bytes()); err == nil && m.ID != nil {
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", m.ID, pipedAnswers[m.Method])
			}
		}
		out.Close()
		complaints.Close()
	}()
	return p
}

var pipedAnswers = map[string]string{
	"initialize": `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}`,
	"tools/list": `{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`,
	"tools/call": `{"content":[]}`,
	"ping":       `{}`,
}

func (p *pipedProcess) Stdin() io.Writer      { return p.stdin }
func (p *pipedProcess) Stdout() io.Reader     { return p.stdout }
func (p *pipedProcess) Stderr() io.Reader     { return p.stderr }
func (p *pipedProcess) Over() <-chan struct{} { return p.over }
func (p *pipedProcess) Fate() string          { return "the process is what it is" }
func (p *pipedProcess) End()                  { p.stdin.Close(); <-p.over }

// newPipedDock is a dock whose server is over stdio, opened by open.
func newPipedDock(t *testing.T, isolation discovery.Isolation, open func() (mcpclient.Streams, error)) *dock {
	d := newDock(t)
	d.server.Spec.Transport, d.server.Spec.Isolation = discovery.Stdio, isolation
	d.hub.options.OpenStreams = func(_ context.Context, server discovery.Server, at discovery.Instance) (mcpclient.Streams, error) {
		if server.ID != "s" || at.Name != "a" {
			t.Errorf("the streams of %q in %q are asked for", server.ID, at.Name)
		}
		return open()
	}
	d.run("a", isUp)
	d.declare()
	return d
}

// What cannot be reached for want of rights is unreachable, with the reason, and tried
// again at the usual pace, though its container may be booting.
func TestOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int32
		var allowed atomic.Bool
		d := newPipedDock(t, discovery.IsolationDefault, func() (mcpclient.Streams, error) {
			tries.Add(1)
			if !allowed.Load() {
				return nil, fmt.Errorf("%w: exec is refused", mcpclient.ErrOutOfReach)
			}
			return startPiped(), nil
		})
		time.Sleep(900 * time.Millisecond)
		want(t, "tries within a second", tries.Load(), 1)
		s := d.hub.Status().Servers[0]
		want(t, "state", s.State, "unreachable")
		want(t, "reason", s.Error, "out of reach: exec is refused")
		allowed.Store(true)
		time.Sleep(time.Minute)
		want(t, "state, then", d.hub.Status().Servers[0].State, "connected")
		d.mustCall(newBubbleClient(t, d.hub))
	})
}

// Each client has a process of its own, and there are seven at most in a container beside
// the hub's own.
func TestTooManyProcessesInAContainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var started atomic.Int32
		d := newPipedDock(t, discovery.IsolationSession, func() (mcpclient.Streams, error) {
			started.Add(1)
			return startPiped(), nil
		})
		time.Sleep(time.Second)
		for range maxInContainer {
			d.mustCall(newBubbleClient(t, d.hub))
		}
		want(t, "processes", started.Load(), 8)
		refused := newBubbleClient(t, d.hub).request("tools/call", `{"name":"s__echo"}`)
		if refused.Code != http.StatusServiceUnavailable || !strings.Contains(refused.Body.String(), "7 run already") {
			t.Errorf("one too many: got HTTP %d %s", refused.Code, refused.Body)
		}
	})
}
