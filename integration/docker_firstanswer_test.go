package integration

import (
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// TestFirstAnswers has the same server reached in each way in which a container can be, and logs how long the first call of
// a client's session takes there, of which the README tells:
//
//	go test ./integration -run TestFirstAnswers -v
//
// With a command or a bridge that is when a process starts.
func TestFirstAnswers(t *testing.T) {
	l := newLab(t)
	volume := l.volume("program")
	share := func(host *container.HostConfig, target string) {
		host.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: volume, Target: target}}
	}
	l.install(share)
	bridged := ownServer("bridge", ".port=8931")
	bridged.Expose, bridged.Cmd = []string{}, []string{"bridge", "--", "/server", "stdio"}
	bridged.Edit = func(c *container.Config, host *container.HostConfig) {
		c.Entrypoint = []string{"/mcphub/mcphub"}
		share(host, "/mcphub")
	}
	l.serve("http")
	l.run(bridged)
	l.run(stdioServer("attach", byAttach))
	l.run(stdioServer("exec", byExec, ".isolation=session"))
	hub := l.hub()
	hub.until("attach connected", "bridge connected", "exec connected", "http connected")
	const sessions = 21
	for _, id := range []string{"http", "attach", "bridge", "exec"} {
		var took []time.Duration
		for range sessions {
			c := hub.open("/mcp/server/" + id)
			began := time.Now()
			if _, err := c.call(t.Context(), "add", map[string]any{"a": 1, "b": 2}); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
			c.end()
		}
		slices.Sort(took)
		t.Logf("%-6s median %5.1f ms, most %5.1f ms", id, milliseconds(took[sessions/2]), milliseconds(took[sessions-1]))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
