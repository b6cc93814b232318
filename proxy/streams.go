package proxy

import (
	"context"
	"fmt"
	"time"

	"mcphub/discovery"
	"mcphub/proxy/mcpclient"
)

// newProcess returns the way to a server that is a process of the hub's own.
func (h *Hub) newProcess(s discovery.Spec) mcpclient.Transport {
	env := mcpclient.ChildEnv(h.options.Environ, s.Env)
	return mcpclient.Stdio{Command: s.Command, Env: env, Dir: s.Dir, Deadline: &h.deadline}
}

// keepAlive is how often a process in a container is pinged: proxies in front of Docker
// cut streams off that are idle for ten minutes.
const keepAlive = 4 * time.Minute

// newPiped returns the way to a process in a container. It is never one of this machine:
// labels start nothing here.
func (h *Hub) newPiped(server discovery.Server, at discovery.Instance) mcpclient.Piped {
	open := func(ctx context.Context) (mcpclient.Streams, error) {
		if h.options.OpenStreams == nil {
			return nil, fmt.Errorf("%w: this hub reaches no processes in containers", mcpclient.ErrOutOfReach)
		}
		return h.options.OpenStreams(ctx, server, at)
	}
	return mcpclient.Piped{Open: open, KeepAlive: keepAlive}
}
