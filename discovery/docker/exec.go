package docker

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	api "github.com/moby/moby/api/types/container"

	"mcphub/discovery"
)

const (
	graceEOF   = 5 * time.Second        // for a command to end when its input has
	settleTime = time.Second            // for the engine to notice that a process has ended
	lookEvery  = 30 * time.Second       // at a command that does not end
	pausedLook = 500 * time.Millisecond // at a container that is paused
)

// Command is a command that runs in a container for one session, and its streams. The
// engine's interface has no way to end it: it ends when its input does.
type Command struct {
	*streams
	opener  *Opener
	engine  *engine
	server  string
	at      discovery.Instance
	id      string // the engine's
	remains bool   // after all came to an end; set before that is told
}

// Exec runs the command of a server in the container of an instance. While that is
// paused it waits.
func (o *Opener) Exec(ctx context.Context, server string, spec discovery.Spec, at discovery.Instance) (*Command, error) {
	if err := o.takeSeat(at); err != nil {
		return nil, err
	}
	c := &Command{opener: o, server: server, at: at}
	_, err := o.with(ctx, func(e *engine) (err error) {
		o.search(ctx, e, server, spec, at)
		if c.id, err = o.create(ctx, e, spec, at); err != nil {
			return err
		}
		conn, err := e.upgrade(ctx, "exec/"+c.id+"/start", nil, api.ExecStartRequest{})
		if err != nil {
			return o.explain("POST /exec/{id}/start", err)
		}
		c.engine = e
		c.streams = newStreams(conn, c.inquire)
		return nil
	})
	if err != nil {
		o.leaveSeat(at)
		return nil, err
	}
	return c, nil
}

// create has the engine make ready to run the command.
func (o *Opener) create(ctx context.Context, e *engine, spec discovery.Spec, at discovery.Instance) (id string, err error) {
	request := api.ExecCreateRequest{
		AttachStdin: true, AttachStdout: true, AttachStderr: true,
		Cmd: spec.Command, User: spec.User, WorkingDir: spec.Dir,
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Env)) {
		request.Env = append(request.Env, name+"="+spec.Env[name])
	}
	for waited := false; ; waited = true {
		var created api.ExecCreateResponse
		err := e.ask(ctx, http.MethodPost, "containers/"+at.Container+"/exec", nil, request, &created)
		switch {
		case err == nil:
			return created.ID, nil
		case waited && ctx.Err() != nil:
			return "", fmt.Errorf("container %s is paused; its server is tried again when it goes on", at.Name)
		case !isPaused(err):
			return "", o.explain("POST /containers/{id}/exec", err)
		}
		pause(ctx, pausedLook)
	}
}

// End closes the command's input and waits for it to end. One that does not is watched
// from then on.
func (c *Command) End() {
	passed := c.end(graceEOF)
	c.engine.close()
	switch {
	case !c.remains:
		c.opener.leaveSeat(c.at)
	case passed:
		c.opener.keep(left{c.server, c.id}, c.at)
	default: // the connection was cut, by which the input ends too
		c.opener.expect(left{c.server, c.id}, c.at)
	}
}

// inquire finds out what has become of the command when nothing more comes of it.
func (c *Command) inquire() string {
	ctx, cancel := context.WithTimeout(c.opener.ctx, callTimeout)
	defer cancel()
	var now api.ExecInspectResponse
	for began := time.Now(); ; {
		err := c.engine.ask(ctx, http.MethodGet, "exec/"+c.id+"/json", nil, nil, &now)
		switch {
		case gone(c.at), statusOf(err) == http.StatusNotFound:
			return endedText(c.at)
		case err != nil:
			return "nothing more comes of the process; how it fares cannot be seen: " + c.opener.explain("GET /exec/{id}/json", err).Error()
		case !now.Running:
			return exitText(c.at, now.ExitCode)
		case time.Since(began) > settleTime:
			c.remains = true
			return cutText
		}
		pause(ctx, 50*time.Millisecond)
	}
}
