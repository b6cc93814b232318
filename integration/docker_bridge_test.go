package integration

import (
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	docker "github.com/moby/moby/client"
)

// TestCase59_BridgeByNamedVolume: a container that shares a volume with the hub's image, into which that has put the hub's
// program, serves its command over HTTP, with no right on the engine's socket. It is reached by its address, and by its name
// from another container.
func TestCase59_BridgeByNamedVolume(t *testing.T) {
	l := newLab(t)
	volume := l.volume("program")
	share := func(host *container.HostConfig, target string) {
		host.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: volume, Target: target}}
	}
	l.install(share)

	n := l.network()
	bridged := func(s spec, env ...string) spec {
		s.Env = append(s.Env, env...)
		s.Expose, s.Cmd = []string{}, []string{"bridge", "--", "/server", "stdio"}
		s.Edit = func(c *container.Config, host *container.HostConfig) {
			c.Entrypoint = []string{"/mcphub/mcphub"}
			share(host, "/mcphub")
		}
		return s.on(n)
	}
	server := l.run(bridged(ownServer("server", ".port=8931"), "MCPHUB_SHUTDOWN_GRACE=1s"))
	named := l.run(bridged(spec{Name: "named"}))
	missing := bridged(spec{Name: "missing"})
	missing.Cmd = []string{"bridge", "--", "/nowhere/server"}
	hub := l.containedHub(n, "MCPHUB_SERVERS=named=http://"+named.name+":8931/mcp")
	hub.until("named connected", "server connected")
	c := hub.open("/mcp")
	hub.serves(c, "server", server)
	hub.serves(c, "named", named)

	call := startSleep(t, c, "server")
	server.restart()
	call.fails(t, "server")
	hub.awaitServed(c, "server", server)
	if said := named.output(); said == "" {
		t.Error("what the command wrote to its standard error is not in the container's log")
	} else {
		expectText(t, said, "nameless is ready")
	}

	gone := l.run(missing)
	l.ended(gone, 127)
	expectText(t, gone.output(), "/nowhere/server", "the image must have it")
}

// install has the hub's image put its program into a volume that share mounts.
func (l *lab) install(share func(host *container.HostConfig, target string)) {
	l.t.Helper()
	installer := l.run(spec{
		Image: l.image(hubImage), Name: "installer", Cmd: []string{"bridge", "--install", "/share/mcphub"}, Expose: []string{},
		Edit: func(c *container.Config, host *container.HostConfig) {
			c.User = "0" // whose a new volume is
			share(host, "/share")
		},
	})
	l.ended(installer, 0)
}

// volume makes a volume.
func (l *lab) volume(name string) string {
	l.t.Helper()
	made, err := l.engine.VolumeCreate(l.t.Context(), docker.VolumeCreateOptions{Name: l.name + "-" + name, Labels: l.labels(nil)})
	l.must(err)
	return made.Volume.Name
}

// ended waits for the end of a container, and reports a status that is another.
func (l *lab) ended(b *box, status int) {
	l.t.Helper()
	eventually(l.t, labLimit, "the end of "+b.name, func() bool { return !l.inspect(b).State.Running })
	if got := l.inspect(b).State.ExitCode; got != status {
		l.t.Errorf("%s ended with status %d, want %d:\n%s", b.name, got, status, b.output())
	}
}
