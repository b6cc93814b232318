package docker

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"mcphub/discovery"
)

// Opener opens the standard streams of processes in containers: of a command that it
// runs there (Exec), or of a container's own process (Attach).
type Opener struct {
	host string // as Options has it
	dial dialer // nil but in tests
	log  *slog.Logger

	ctx  context.Context // of what goes on when a session is over; ends with Close
	stop context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex // leaf: held for operations on the fields below only
	version string     // that the engine has asked for; empty: negotiate
	runs    map[runKey]*run
	anew    map[string]bool // containers that the hub has restarted, until they are seen to run
}

// run is what is known of one run of a container, until it has ended.
type run struct {
	name     string
	commands int             // that run in it, those of left included
	left     []left          // commands that have not ended with their sessions
	searched map[string]bool // by server, for what an earlier hub has left
	attached bool
	fresh    bool // nobody has had a session with the container's process, as it is the hub that has started it
	hopeless bool // the container's process refuses to begin a session, fresh as it was
}

type runKey struct {
	container string
	run       int
}

func keyOf(at discovery.Instance) runKey { return runKey{at.Container, at.Run} }

// left is a command that runs without a session.
type left struct{ server, exec string }

// NewOpener returns an Opener for the engine that a Source with the same options
// follows. It does not connect.
func NewOpener(o Options) *Opener {
	ctx, stop := context.WithCancel(context.Background())
	return &Opener{host: o.Host, log: o.Log, ctx: ctx, stop: stop, runs: map[runKey]*run{}, anew: map[string]bool{}}
}

// Close waits for what goes on when sessions are over. The streams are to be ended
// before.
func (o *Opener) Close() {
	o.stop()
	o.work.Wait()
}

// Left says of a server which of its processes have not ended with their sessions, for
// people.
func (o *Opener) Left(server string) (texts []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.runs {
		mine := slices.DeleteFunc(slices.Clone(r.left), func(l left) bool { return l.server != server })
		if len(mine) > 0 {
			texts = append(texts, fmt.Sprintf("%d of its processes run in container %s without a session: they ignore the end of their input, and from outside nothing else ends them; restart the container, or use mcphub bridge in it", len(mine), r.name))
		}
	}
	slices.Sort(texts)
	return texts
}

// enter returns what is known of an instance's container, and forgets it when that has
// ended. o.mu is held.
func (o *Opener) enter(at discovery.Instance) *run {
	key := keyOf(at)
	if r := o.runs[key]; r != nil {
		return r
	}
	r := &run{name: cmp.Or(at.Name, at.Container), searched: map[string]bool{}, fresh: o.anew[at.Container]}
	o.runs[key] = r
	delete(o.anew, at.Container)
	o.work.Go(func() {
		select {
		case <-at.Gone:
		case <-o.ctx.Done():
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.runs, key)
	})
	return r
}

// with connects to the engine. Where it asks for another API version than what was
// agreed on, do is done once more.
func (o *Opener) with(ctx context.Context, do func(*engine) error) (*engine, error) {
	o.mu.Lock()
	version := o.version
	o.mu.Unlock()
	for {
		e, err := connect(ctx, o.host, version, o.dial)
		if err != nil {
			return nil, o.explain("HEAD /_ping", err)
		}
		if err = do(e); err == nil {
			return e, nil
		}
		e.close()
		wanted := wantedVersion.FindStringSubmatch(err.Error())
		if wanted == nil || wanted[1] == version {
			return nil, err
		}
		version = wanted[1]
		o.mu.Lock()
		o.version = version
		o.mu.Unlock()
	}
}
