package proxy

import (
	"os"
	"path/filepath"
	"time"
)

// badProcesses are servers that are bad children.
var badProcesses = []badServer{
	{name: "dies during a call, stdio", beside: overStdio, run: childDies},
	{name: "floods stderr", beside: overStdio, run: floodsStderr},
	{name: "noise on stdout", beside: overStdio, run: func(x *trial) {
		x.serve("bad", child("banner"))
		for range 3 {
			x.works("bad")
		}
	}},
	{name: "closes its stdout and lives on", beside: overStdio, run: closesStdout},
	{name: "exits at once again and again", beside: overStdio, run: exitsAtOnce},
}

func childDies(x *trial) {
	x.hub.SetReconnect(Reconnect{MaxAttempts: 3, InitialDelay: 300 * time.Millisecond, MaxDelay: time.Second})
	x.serve("bad", child("serves"))
	x.expect("bad", connected)
	c := x.connect("/mcp", "user", `{}`)
	got := c.call(`tools/call {"name":"bad__die"}`)
	x.fails("the call", got, `server \"bad\": the connection was lost during the call; its outcome is unknown: the process ended: exit status 3; stderr: out of luck`)
	x.expect("bad", away, "the process ended: exit status 3; stderr: out of luck")
	x.works("bad")
}

// floodsStderr writes 50,000 lines and one of 4 MiB before it serves. The log gets
// what it has room for, and says how much is missing.
func floodsStderr(x *trial) {
	began := time.Now()
	x.serve("bad", child("floods stderr"))
	x.works("bad")
	most := 200 + 50*int(time.Since(began)/time.Second+1)
	if n := x.said.count("server wrote"); n > most || n < 200 {
		x.t.Errorf("%d lines logged, want 200 to %d", n, most)
	}
	if x.said.count("lines of stderr left out") == 0 {
		x.t.Error("it is not said that lines were left out")
	}
}

func closesStdout(x *trial) {
	x.serve("bad", child("serves"))
	x.expect("bad", connected)
	got := x.connect("/mcp", "user", `{}`).call(`tools/call {"name":"bad__quiet"}`)
	x.fails("the call", got, `server \"bad\": the connection was lost during the call; its outcome is unknown: the process closed its output; the process is running`)
	x.works("bad")
	x.serve("worse", child("closes stdout"))
	x.expect("worse", away, "the process closed its output; the process is running")
}

// exitsAtOnce is started as often as is configured, and no more often because
// clients list what there is.
func exitsAtOnce(x *trial) {
	starts := filepath.Join(x.t.TempDir(), "starts")
	x.hub.SetReconnect(Reconnect{MaxAttempts: 2, InitialDelay: 100 * time.Millisecond, MaxDelay: 1500 * time.Millisecond})
	x.serve("bad", child("exits="+starts))
	x.expect("bad", failed, "initialize: ", "the process ended: exit status 4; stderr: no licence found")
	counted := func() int {
		text, _ := os.ReadFile(starts)
		return len(text)
	}
	want(x.t, "starts until it is reported failed", counted(), 3)
	failedAt := time.Now()
	time.Sleep(minPause + minPause/4)
	if n := counted(); n > 3+int(time.Since(failedAt)/(1500*time.Millisecond)) {
		x.t.Errorf("%d starts within %v after", n-3, time.Since(failedAt))
	}
}
