package docker

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/moby/moby/client"
)

// ErrOutOfReach says that whoever guards the engine does not allow a call that the hub
// needs for a server over stdio.
var ErrOutOfReach = errors.New("out of reach")

// guarded is such an error, in words of its own.
type guarded struct{ error }

// Is has errors.Is tell what it is.
func (guarded) Is(target error) bool { return target == ErrOutOfReach }

// explain adds to an error of a call what would mend it.
func (o *Opener) explain(call string, err error) error {
	switch status := statusOf(err); {
	case client.IsErrConnectionFailed(err):
		return mend(err, hostOr(o.host))
	case status == http.StatusOK:
		return guarded{fmt.Errorf("%s: the proxy in front of Docker drops the upgrade of the connection, as HAProxy before 3.0 does; update it, take wollomatic/socket-proxy, or run the server behind mcphub bridge, which needs no rights on the socket", call)}
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusMethodNotAllowed:
		return guarded{fmt.Errorf("%s is refused (%w); allow it where the socket is guarded, or run the server behind mcphub bridge, which needs no rights on the socket", call, err)}
	}
	return fmt.Errorf("%s: %w", call, err)
}

// statusOf returns the status of the answer that err is about; 0 if it is about none.
func statusOf(err error) int {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused.status
	}
	return 0
}
