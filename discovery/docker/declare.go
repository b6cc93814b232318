package docker

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mcphub/discovery"
)

// claim is what one container says of one server.
type claim struct {
	container container
	reading   reading
	instance  *discovery.Instance // nil: it cannot serve now
	absence   discovery.Absence   // why
}

func (c container) where() string { return "container " + c.name }

// whose is the container with what tells people where it belongs.
func (c container) whose() string {
	if project := c.label(composeProject); project != "" {
		return fmt.Sprintf("%s (project %s)", c.where(), project)
	}
	return c.where()
}

// draft is a List in the making.
type draft struct {
	options *Options
	lives   *lives
	around  *surroundings
	since   int             // the moment on the clock of lives when the engine was asked
	alive   map[string]bool // containers that have a process, those that cannot be read included
	list    discovery.List
	claims  []claim
	remarks []string  // what nobody but the log has to know
	wake    time.Time // when something is over that no event tells of; zero: never
}

func (d *draft) problem(id, state string, c container, reason string) {
	d.list.Problems = append(d.list.Problems, discovery.Problem{
		ID: id, State: state, Origin: discovery.Label, Where: c.where(), Container: c.name, Reason: printable(reason, maxReason),
	})
}

func (d *draft) wakeAt(t time.Time) {
	if !t.IsZero() && (d.wake.IsZero() || t.Before(d.wake)) {
		d.wake = t
	}
}

// consider collects what the containers claim. What is wrong with one concerns no other.
func (d *draft) consider(all []container) {
	for _, c := range all {
		if !c.alive() && c.state != restarting || c.oneOff() {
			continue
		}
		readings := read(c, d.options)
		if len(readings) == 0 {
			continue
		}
		if d.around.own != nil && d.around.own.id == c.id {
			d.remarks = append(d.remarks, "the labels of the hub's own container are ignored")
			continue
		}
		d.claim(c, readings)
	}
	d.lives.settle(d.alive)
}

func (d *draft) claim(c container, readings []reading) {
	now, current := present{}, true
	if c.alive() {
		now, current = d.lives.present(c.id, d.since)
	}
	if !current {
		return
	}
	d.wakeAt(now.draining)
	for _, r := range readings {
		if len(r.errs) > 0 {
			d.problem(r.id, "invalid", c, strings.Join(r.errs, "; "))
			continue
		}
		one := claim{container: c, reading: r}
		if err := d.assess(&one, now); err != nil {
			d.problem(r.id, "invalid", c, err.Error())
			continue
		}
		d.claims = append(d.claims, one)
	}
}

// assess finds out whether the server can be spoken to now, and where.
func (d *draft) assess(one *claim, now present) error {
	c := one.container
	if !c.alive() {
		one.absence = discovery.Absence{State: "stopped", Reason: c.where() + " is being restarted"}
		if d.lives.crashing(c.id) {
			one.absence = discovery.Absence{State: "crashing", Reason: c.where() + " ends again and again; its log says why"}
		}
		return nil
	}
	url, absence, err := d.around.locate(c, &one.reading)
	if err != nil {
		return err
	}
	if absence.State == "" {
		absence = d.waiting(one, now)
	}
	if absence.State != "" {
		one.absence = absence
		return nil
	}
	d.lives.declared(c.id, d.around.lender(c, url))
	one.instance = &discovery.Instance{
		Container: c.id, Name: c.name, Image: c.image, Run: now.run, URL: url, Gone: now.gone,
		Booting:  c.health == "",
		Paused:   c.state == paused,
		Draining: !now.draining.IsZero() || c.health == "unhealthy",
	}
	return nil
}

// waiting says what the container's health check keeps the server from. A container
// that was well before and is not now keeps its sessions.
func (d *draft) waiting(one *claim, now present) (none discovery.Absence) {
	switch health := one.container.health; {
	case one.reading.ignoreHealth, now.ready, health == "", health == "healthy":
		return none
	case health == "starting":
		return discovery.Absence{State: "waiting", Reason: "waiting for the health check of " + one.container.where()}
	default:
		return discovery.Absence{State: "waiting", Reason: fmt.Sprintf("the health check of %s says unhealthy; mend it, or set %s.health=ignore", one.container.where(), d.options.LabelPrefix)}
	}
}

// server makes one server of the claims of one service. During a rollout they differ:
// then the newest container that can serve is right.
func (d *draft) server(claims []claim) discovery.Server {
	chosen := slices.MaxFunc(claims, func(a, b claim) int {
		if serves := a.instance != nil; serves != (b.instance != nil) {
			if serves {
				return 1
			}
			return -1
		}
		return older(a.container, b.container)
	})
	r := chosen.reading
	s := discovery.Server{
		ID: r.id, Spec: r.spec, Origin: discovery.Label, Where: chosen.container.where(), Container: chosen.container.name,
		Title: r.title, Description: r.description, Warnings: r.warnings,
		Standby: r.standby, Drain: r.drain,
	}
	for _, one := range claims {
		if one.instance != nil && one.reading.spec.Equal(r.spec) {
			s.Instances = append(s.Instances, *one.instance)
		}
	}
	if len(s.Instances) == 0 {
		s.Absence = chosen.absence
	}
	return s
}

// older orders containers by age, the oldest first.
func older(a, b container) int {
	if a.created != b.created {
		return int(min(max(a.created-b.created, -1), 1))
	}
	return strings.Compare(a.id, b.id)
}
