package docker

import (
	"os"
	"regexp"
	"strings"
)

// self is what the hub knows of where it runs itself.
type self struct {
	candidates []string // what its container may be called; empty: it is in none, or does not know
	contained  bool     // it is in a container
}

// NotContained is the value of Options.Self for a hub outside of any container.
const NotContained = "none"

var (
	ownMount  = regexp.MustCompile(`/[a-z-]*containers/([0-9a-f]{64})/(?:userdata/)?(?:hostname|hosts|resolv\.conf)$`)
	ownCgroup = regexp.MustCompile(`(?:docker|libpod)[/-]([0-9a-f]{64})`)
	shortID   = regexp.MustCompile(`^[0-9a-f]{12}$`)
)

// findSelf finds out in which container the hub is. The engine's own mounts come first:
// they are right even where --hostname or host networking make the host name wrong.
func findSelf(said string, read func(path string) ([]byte, error), hostname string) (me self) {
	switch said {
	case NotContained:
		return self{}
	case "":
	default:
		return self{candidates: []string{said}, contained: true}
	}
	mounts, _ := read("/proc/self/mountinfo") // where it does not exist, it tells nothing
	for line := range strings.Lines(string(mounts)) {
		// id, parent, device, root, mount point, …; the root says whose file it is. On
		// the engine's host the mount points name containers too: those of others.
		fields := strings.Fields(line)
		if len(fields) < 5 || !strings.HasPrefix(fields[4], "/etc/") {
			continue
		}
		if found := ownMount.FindStringSubmatch(fields[3]); found != nil {
			me.candidates = append(me.candidates, found[1])
			break
		}
	}
	groups, _ := read("/proc/self/cgroup")
	if found := ownCgroup.FindSubmatch(groups); found != nil {
		me.candidates = append(me.candidates, string(found[1]))
	}
	if shortID.MatchString(hostname) {
		me.candidates = append(me.candidates, hostname)
	}
	me.contained = len(me.candidates) > 0
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := read(mark); err == nil {
			me.contained = true
		}
	}
	return me
}

// among returns the hub's own container, or nil if it is not one of these.
func (me self) among(all []container) *container {
	for _, candidate := range me.candidates {
		for i, c := range all {
			if strings.HasPrefix(c.id, candidate) && len(candidate) >= 12 || c.name == candidate {
				return &all[i]
			}
		}
	}
	return nil
}

func hostname() string {
	name, _ := os.Hostname() // without one there is one hint less
	return name
}
