package docker

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	api "github.com/moby/moby/api/types/container"

	"mcphub/discovery"
)

// maxCommands bounds the commands that run in one container, those included that have
// not ended with their sessions.
const maxCommands = 8

func (o *Opener) takeSeat(at discovery.Instance) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.enter(at)
	if r.commands >= maxCommands {
		return fmt.Errorf("%d of the server's processes run in container %s, %d of them without a session; more are not started", r.commands, r.name, len(r.left))
	}
	r.commands++
	return nil
}

func (o *Opener) leaveSeat(at discovery.Instance) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r := o.runs[keyOf(at)]; r != nil {
		r.commands--
	}
}

// expect gives a command, which has a seat, its time to end, and keeps it then.
func (o *Opener) expect(one left, at discovery.Instance) {
	o.work.Go(func() {
		pause(o.ctx, graceEOF)
		if o.ctx.Err() != nil || !o.running(one, at) {
			o.leaveSeat(at)
			return
		}
		o.keep(one, at)
	})
}

// keep tells of a command, which has a seat, that runs without a session, and watches it
// until it has ended.
func (o *Opener) keep(one left, at discovery.Instance) {
	o.log.Warn("process in a container ignores the end of its input, and from outside nothing else ends it; restart the container, or use mcphub bridge in it",
		"server", one.server, "container", at.Name, "exec", one.exec)
	o.mu.Lock()
	if r := o.runs[keyOf(at)]; r != nil {
		r.left = append(r.left, one)
	}
	o.mu.Unlock()
	o.work.Go(func() {
		for o.ctx.Err() == nil && o.running(one, at) {
			pause(o.ctx, lookEvery)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if r := o.runs[keyOf(at)]; r != nil {
			r.left = slices.DeleteFunc(r.left, func(l left) bool { return l == one })
			r.commands--
		}
	})
}

// running reports whether a command is not known to have ended.
func (o *Opener) running(one left, at discovery.Instance) bool {
	var now api.ExecInspectResponse
	e, err := o.with(o.ctx, func(e *engine) error {
		return e.ask(o.ctx, http.MethodGet, "exec/"+one.exec+"/json", nil, nil, &now)
	})
	if err == nil {
		e.close()
	}
	return !gone(at) && statusOf(err) != http.StatusNotFound && (err != nil || now.Running)
}

// search looks, once for each run of a container, for commands of a server that were left
// there by a hub that was killed. Most end with their input a moment later; those that do
// not are watched. What may not be looked at is not missed.
func (o *Opener) search(ctx context.Context, e *engine, server string, spec discovery.Spec, at discovery.Instance) {
	o.mu.Lock()
	r := o.enter(at)
	done := r.searched[server]
	r.searched[server] = true
	o.mu.Unlock()
	if done {
		return
	}
	for _, id := range o.find(ctx, e, spec, at) {
		if o.takeSeat(at) == nil {
			o.expect(left{server, id}, at)
		}
	}
}

// find returns which of the commands that run in a container are a server's.
func (o *Opener) find(ctx context.Context, e *engine, spec discovery.Spec, at discovery.Instance) (found []string) {
	var container struct{ ExecIDs []string }
	if err := e.ask(ctx, http.MethodGet, "containers/"+at.Container+"/json", nil, nil, &container); err != nil {
		o.log.Debug("container not searched for what an earlier hub has left", "container", at.Name, "err", err)
	}
	for _, id := range container.ExecIDs {
		var one api.ExecInspectResponse
		err := e.ask(ctx, http.MethodGet, "exec/"+id+"/json", nil, nil, &one)
		if p := one.ProcessConfig; err == nil && one.Running && p != nil && slices.Equal(append([]string{p.Entrypoint}, p.Arguments...), spec.Command) {
			found = append(found, id)
		}
	}
	return found
}
