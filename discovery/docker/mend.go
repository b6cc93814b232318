package docker

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/moby/moby/client"
)

// mend adds to an error of connecting what would mend it.
func mend(err error, host string) error {
	socket, local := strings.CutPrefix(host, "unix://")
	if !local || !client.IsErrConnectionFailed(err) {
		return err
	}
	info, statErr := os.Stat(socket)
	switch {
	case errors.Is(statErr, os.ErrNotExist):
		return fmt.Errorf("there is no socket at %s: mount it (-v /var/run/docker.sock:/var/run/docker.sock), or set DOCKER_HOST", socket)
	case errors.Is(statErr, os.ErrPermission):
		return fmt.Errorf("permission denied on the socket %s: %s", socket, admission(socket, info))
	case statErr != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory: Docker has made it because the path to mount did not exist on the host; remove it there, and mount the socket of the engine", socket)
	case info.Mode()&os.ModeSocket == 0:
		return fmt.Errorf("%s is no socket; mount the socket of the engine, or set DOCKER_HOST", socket)
	case strings.Contains(err.Error(), "permission denied"):
		return fmt.Errorf("permission denied on the socket %s: %s", socket, admission(socket, info))
	default:
		return fmt.Errorf("nobody listens at the socket %s: start the engine; if it runs and was restarted, restart the hub too, or mount the socket's directory instead of the socket", socket)
	}
}

// admission says how the hub's user gets to use the socket.
func admission(socket string, info os.FileInfo) string {
	gid, known := group(info)
	switch {
	case !known:
		return fmt.Sprintf("run the hub with --group-add $(stat -c %%g %s)", socket)
	case gid == 0:
		return `it belongs to the group 0: run the hub with --user 0 (user: "0" in Compose), or put a socket proxy before it`
	default:
		return fmt.Sprintf("run the hub with --group-add %d, which is $(stat -c %%g %s) (in Compose: group_add: [\"%[1]d\"])", gid, socket)
	}
}
