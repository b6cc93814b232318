package docker

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"mcphub/discovery"
)

// Attachment is the streams of a container's own process. There is one for a container at
// a time, as whatever is attached hears all that the process says. The process was there
// before, and outlives it.
type Attachment struct {
	*streams
	opener  *Opener
	engine  *engine
	at      discovery.Instance
	started string // when the container was, as the engine has it
}

// inspection is what is read of a container.
type inspection struct {
	Config struct{ OpenStdin, Tty bool }
	State  struct {
		Running, Paused bool
		ExitCode        *int
		StartedAt       string
	}
}

// attachQuery asks for all streams from now on: what was said before is nobody's any more.
var attachQuery = url.Values{"stream": {"1"}, "logs": {"0"}, "stdin": {"1"}, "stdout": {"1"}, "stderr": {"1"}}

// Attach attaches to the process of an instance's container. While that is paused it
// waits.
func (o *Opener) Attach(ctx context.Context, at discovery.Instance) (*Attachment, error) {
	if !o.takeAttachment(at) {
		return nil, fmt.Errorf("container %s is attached to already", at.Name)
	}
	a := &Attachment{opener: o, at: at}
	_, err := o.with(ctx, func(e *engine) error {
		found, err := o.attachable(ctx, e, at)
		if err != nil {
			return err
		}
		conn, err := e.upgrade(ctx, "containers/"+at.Container+"/attach", attachQuery, nil)
		if err != nil {
			return o.explain("POST /containers/{id}/attach", err)
		}
		a.engine, a.started = e, found.State.StartedAt
		a.streams = newStreams(conn, a.inquire)
		return nil
	})
	if err != nil {
		o.leaveAttachment(at)
		return nil, err
	}
	return a, nil
}

// attachable looks whether a container's process can be spoken to.
func (o *Opener) attachable(ctx context.Context, e *engine, at discovery.Instance) (found inspection, err error) {
	for {
		if found, err = inspect(ctx, e, at); err != nil {
			return found, o.explain("GET /containers/{id}/json", err)
		}
		switch {
		case found.Config.Tty:
			return found, fmt.Errorf("container %s has a terminal, which mixes what its process says with what it hears; take tty: true away", at.Name)
		case !found.Config.OpenStdin:
			return found, fmt.Errorf("container %s keeps no standard input open; set stdin_open: true (docker run -i)", at.Name)
		case !found.State.Paused:
			return found, nil
		}
		pause(ctx, pausedLook)
	}
}

func inspect(ctx context.Context, e *engine, at discovery.Instance) (found inspection, err error) {
	err = e.ask(ctx, http.MethodGet, "containers/"+at.Container+"/json", nil, nil, &found)
	return found, err
}

// End lets go of the process.
func (a *Attachment) End() {
	a.end(0)
	a.engine.close()
	a.opener.leaveAttachment(a.at)
}

// inquire finds out what has become of the container when nothing more comes of it.
func (a *Attachment) inquire() string {
	ctx, cancel := context.WithTimeout(a.opener.ctx, callTimeout)
	defer cancel()
	for began := time.Now(); ; {
		now, err := inspect(ctx, a.engine, a.at)
		switch {
		case err == nil && !now.State.Running:
			return exitText(a.at, now.State.ExitCode)
		case gone(a.at), statusOf(err) == http.StatusNotFound, err == nil && now.State.StartedAt != a.started:
			return endedText(a.at)
		case err != nil:
			return "nothing more comes of the process; how it fares cannot be seen: " + a.opener.explain("GET /containers/{id}/json", err).Error()
		case time.Since(began) > settleTime:
			return cutText
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// Restart restarts the container, for a process that takes no second initialize: an
// earlier hub, or an earlier connection, has had a session with it. One that refuses
// though nobody can have had is left alone.
func (a *Attachment) Restart(ctx context.Context) error {
	o := a.opener
	if !o.mayRestart(a.at) {
		return fmt.Errorf("container %s has been restarted for that already", a.at.Name)
	}
	o.log.Warn("container restarted, as its process takes no second session", "container", a.at.Name)
	restarted := make(chan error, 1)
	o.work.Go(func() { // is not given up when its end, which it causes, ends ctx
		err := a.engine.askFor(o.ctx, http.MethodPost, "containers/"+a.at.Container+"/restart", nil, nil, nil)
		if err != nil {
			o.notRestarted(a.at)
			err = o.explain("POST /containers/{id}/restart", err)
		}
		restarted <- err
	})
	select {
	case err := <-restarted:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// takeAttachment reports whether the container's process is free to be attached to.
func (o *Opener) takeAttachment(at discovery.Instance) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.enter(at)
	if r.attached {
		return false
	}
	r.attached = true
	return true
}

// leaveAttachment notes that whoever was attached may have had a session.
func (o *Opener) leaveAttachment(at discovery.Instance) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r := o.runs[keyOf(at)]; r != nil {
		r.attached, r.fresh = false, false
	}
}

// mayRestart reports whether the container is to be restarted, and takes note of it.
func (o *Opener) mayRestart(at discovery.Instance) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.enter(at)
	r.hopeless = r.hopeless || r.fresh
	if !r.hopeless {
		o.anew[at.Container] = true
	}
	return !r.hopeless
}

func (o *Opener) notRestarted(at discovery.Instance) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.anew, at.Container)
}
