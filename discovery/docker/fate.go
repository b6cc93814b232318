package docker

import (
	"fmt"
	"net/http"
	"strings"

	"mcphub/discovery"
)

// cutText is told of a process that runs when nothing more comes of it.
const cutText = "the connection to the process was cut off, by a proxy in front of Docker as a rule; the process itself runs"

// exitText says that a command in a container has ended; status may be nil. The engine's
// own are 126 and 127: then what it says of it came in place of the command's output.
func exitText(at discovery.Instance, status *int) string {
	switch {
	case status == nil:
		return fmt.Sprintf("the process in container %s ended", at.Name)
	case *status == 126, *status == 127:
		return fmt.Sprintf("the command cannot be run in container %s: exit status %d", at.Name, *status)
	}
	return fmt.Sprintf("the process in container %s ended: exit status %d", at.Name, *status)
}

func endedText(at discovery.Instance) string {
	return fmt.Sprintf("container %s has ended", at.Name)
}

func gone(at discovery.Instance) bool {
	select {
	case <-at.Gone:
		return true
	default:
		return false
	}
}

// isPaused reports whether the engine has refused something for as long as the container
// is paused.
func isPaused(err error) bool {
	return statusOf(err) == http.StatusConflict && strings.Contains(err.Error(), "paused")
}
