package docker

import (
	"testing"

	api "github.com/moby/moby/api/types/container"
)

// runsLines starts a container whose own process answers lines.
func (l *lab) runsLines(name, mode string, edit func(*api.Config, *api.HostConfig)) {
	l.t.Helper()
	l.run(name, func(c *api.Config, h *api.HostConfig) {
		c.Cmd, c.OpenStdin = []string{mode}, true
		if edit != nil {
			edit(c, h)
		}
	}, ".transport=stdio")
}

func TestRealAttach(t *testing.T) {
	l := newLab(t)
	l.runsLines("a", "lines", nil)
	l.runsLines("terminal", "lines", func(c *api.Config, _ *api.HostConfig) { c.Tty = true })
	l.runsLines("closed", "lines", func(c *api.Config, _ *api.HostConfig) { c.OpenStdin, c.Cmd = false, []string{"deaf"} })
	s := l.watch(nil)
	s.until("a: stdio attach to LAB-a; closed: stdio attach to LAB-closed; terminal: stdio attach to LAB-terminal")
	o := l.opener()

	attach := func() (*Attachment, *talk) {
		t.Helper()
		a, err := o.Attach(t.Context(), s.instance("a"))
		l.must(err)
		return a, converse(t, a.streams)
	}
	a, k := attach()
	k.says("one")
	k.hears(k.stdout, "heard one")
	_, err := o.Attach(t.Context(), s.instance("a"))
	wantError(t, err, "is attached to already")
	a.End()
	k.hears(k.stdout, "")
	k.over("the process itself runs")

	a, k = attach() // it lives on, and what it has said is not said again
	k.says("complain of nothing")
	k.hears(k.stderr, "of nothing")
	k.says("two")
	k.hears(k.stdout, "heard two")

	_, err = o.Attach(t.Context(), s.instance("terminal"))
	wantError(t, err, "has a terminal", "take tty: true away")
	_, err = o.Attach(t.Context(), s.instance("closed"))
	wantError(t, err, "set stdin_open: true")

	// It was there before: it is restarted when it refuses, once.
	first := s.instance("a")
	l.must(a.Restart(t.Context()))
	k.over("ended")
	a.End()
	s.over(first)
	for s.last = <-s.lists; len(s.last.Servers[0].Instances) == 0 || s.instance("a").Same(first); s.last = <-s.lists {
	}
	a, k = attach()
	wantError(t, a.Restart(t.Context()), "has been restarted for that already")
	k.says("three")
	k.hears(k.stdout, "heard three")
	a.End()
	a, k = attach()
	wantError(t, a.Restart(t.Context()), "has been restarted for that already")
	k.says("exit 3")
	k.over("the process in container " + s.instance("a").Name + " ended: exit status 3")
	a.End()
}
