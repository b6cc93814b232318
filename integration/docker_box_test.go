package integration

import (
	"context"
	"time"

	docker "github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
)

// box is a container of a lab.
type box struct {
	lab  *lab
	id   string
	name string
	testcontainers.Container
}

// tell shows the end of the container's log in the log of a test that has failed.
func (b *box) tell() {
	if !b.lab.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), labLimit)
	defer cancel()
	logs, err := b.Container.Logs(ctx)
	if err != nil {
		return // it is not there any more
	}
	defer logs.Close()
	b.lab.t.Logf("log of %s:\n%s", b.name, tail(logs))
}

// stop asks the container to end.
func (b *box) stop() life {
	b.lab.t.Helper()
	return b.ending(func(ctx context.Context) error {
		limit := 5 * time.Second
		return b.Container.Stop(ctx, &limit)
	})
}

func (b *box) start() {
	b.lab.t.Helper()
	b.lab.must(b.Container.Start(b.lab.t.Context()))
}

func (b *box) kill() {
	b.lab.t.Helper()
	_, err := b.lab.engine.ContainerKill(b.lab.t.Context(), b.id, docker.ContainerKillOptions{Signal: "KILL"})
	b.lab.must(err)
}

// restart asks the container to end and starts it again.
func (b *box) restart() life {
	b.lab.t.Helper()
	return b.ending(func(ctx context.Context) error {
		_, err := b.lab.engine.ContainerRestart(ctx, b.id, docker.ContainerRestartOptions{})
		return err
	})
}

// life says when something was done to a container that ended its process.
type life struct {
	began, died, ended time.Time
}

// ending does what ends the container's process, and waits for the engine to report that. Among many events it would not find
// the report afterwards.
func (b *box) ending(do func(context.Context) error) life {
	b.lab.t.Helper()
	ctx, cancel := context.WithTimeout(b.lab.t.Context(), labLimit)
	defer cancel()
	events := b.lab.engine.Events(ctx, docker.EventsListOptions{Filters: docker.Filters{}.Add("container", b.id).Add("event", "die")})
	began := time.Now()
	b.lab.must(do(ctx))
	select {
	case event := <-events.Messages:
		return life{began: began, died: time.Unix(0, event.TimeNano), ended: time.Now()}
	case err := <-events.Err:
		b.lab.t.Fatalf("the end of %s is not among the engine's events: %v", b.name, err)
		return life{}
	}
}

func (b *box) pause() {
	b.lab.t.Helper()
	_, err := b.lab.engine.ContainerPause(b.lab.t.Context(), b.id, docker.ContainerPauseOptions{})
	b.lab.must(err)
}

func (b *box) unpause() {
	b.lab.t.Helper()
	_, err := b.lab.engine.ContainerUnpause(b.lab.t.Context(), b.id, docker.ContainerUnpauseOptions{})
	b.lab.must(err)
}

// rename gives the container another name, before which the lab's is put.
func (b *box) rename(name string) {
	b.lab.t.Helper()
	b.name = b.lab.name + "-" + name
	_, err := b.lab.engine.ContainerRename(b.lab.t.Context(), b.id, docker.ContainerRenameOptions{NewName: b.name})
	b.lab.must(err)
}

// remove ends the container at once and removes it, as docker rm -f does.
func (b *box) remove() {
	b.lab.t.Helper()
	_, err := b.lab.engine.ContainerRemove(b.lab.t.Context(), b.id, docker.ContainerRemoveOptions{Force: true})
	b.lab.must(err)
}

// turn has the health check of the tests' own server say that it is good, or bad.
func (b *box) turn(health string) {
	b.lab.t.Helper()
	status, output, err := b.Exec(b.lab.t.Context(), []string{"/server", "health", health}, exec.Multiplexed())
	b.lab.must(err)
	if status != 0 {
		b.lab.t.Fatalf("health of %s: %s", b.name, tail(output))
	}
}
