package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"mcphub/discovery"
)

var (
	// Compose renames a container so while it makes its successor.
	temporaryName = regexp.MustCompile(`^[0-9a-f]{12}_`)
	notInID       = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
	underscores   = regexp.MustCompile(`_{2,}`)
)

// maxID is how long an id may be, see discovery.CheckID.
const maxID = 40

// lastingName is the container's name without what Compose puts before it.
func (c container) lastingName() string { return temporaryName.ReplaceAllString(c.name, "") }

// defaultID is the id of a server whose labels give it none.
func (c container) defaultID() string {
	name := c.lastingName()
	if service := c.label(swarmService); service != "" {
		name = service
	}
	if service := c.label(composeService); service != "" {
		name = service
	}
	return slug(name)
}

// slug makes an id out of a name. Of a long one it keeps the beginning, and adds
// what tells it from others that begin so.
func slug(name string) string {
	id := notInID.ReplaceAllString(name, "-")
	id = underscores.ReplaceAllString(id, "_")
	id = strings.Trim(id, "-_")
	if len(id) > maxID {
		sum := sha256.Sum256([]byte(name))
		id = strings.TrimRight(id[:33], "-_") + "-" + hex.EncodeToString(sum[:])[:6]
	}
	if discovery.CheckID(id) != nil {
		return "server"
	}
	return id
}

// service names what a container is a replica of. Of two containers with the same
// service and id, the servers are one. Without Compose or Swarm each container is a
// service of its own, which outlives it if another of its name follows.
func (c container) service() string {
	if service := c.label(swarmService); service != "" {
		return "swarm service " + service
	}
	if service := c.label(composeService); service != "" {
		return "service " + service + " of project " + c.label(composeProject)
	}
	return "container " + c.lastingName()
}

// oneOff reports whether the container was made by `docker compose run`, which
// gives it the labels of the service it is not.
func (c container) oneOff() bool { return strings.EqualFold(c.label(composeOneOff), "true") }
