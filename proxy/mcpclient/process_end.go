package mcpclient

import (
	"sync/atomic"
	"time"
)

// The ladder by which a process ends.
const (
	graceEOF  = 5 * time.Second // after its input is closed
	graceTerm = 3 * time.Second // after SIGTERM
	graceKill = 5 * time.Second // after SIGKILL, which only the kernel can delay
)

// Deadline is when processes are killed that are still ending. Its zero value is
// never. It may be set at any time, again too, and holds for those that have begun
// to end.
type Deadline struct{ at atomic.Pointer[time.Time] }

// Set sets the deadline.
func (d *Deadline) Set(at time.Time) { d.at.Store(&at) }

// step returns when a step is over, after so long in a ladder that began then and
// takes whole in all. Where the deadline leaves less than that, all steps are
// shorter in proportion. A nil Deadline is never.
func (d *Deadline) step(began time.Time, after, whole time.Duration) time.Time {
	if d != nil {
		if at := d.at.Load(); at != nil {
			share := float64(max(0, at.Sub(began))) / float64(whole)
			after = time.Duration(float64(after) * min(1, share))
		}
	}
	return began.Add(after)
}

// End implements Streams: it ends the process and its group. On return all pipes are
// closed.
func (p *process) End() {
	patience := graceEOF
	if p.leaderGone() {
		patience = 0 // it went by itself; what it left behind has been told by that
	}
	p.stdin.Close()
	p.descend(patience)
	// Somebody outside the group may hold the other ends.
	p.stdout.Close()
	p.stderr.Close()
}

// descend takes the steps of the ladder until nobody is left of the group: patience
// for the end of the input, SIGTERM, SIGKILL.
func (p *process) descend(patience time.Duration) {
	began := time.Now()
	after := func(d time.Duration) func() time.Time {
		return func() time.Time { return p.deadline.step(began, d, patience+graceTerm) }
	}
	if wait(after(patience), p.groupGone) {
		return
	}
	signalGroup(p.cmd.Process, false)
	if wait(after(patience+graceTerm), p.groupGone) {
		return
	}
	signalGroup(p.cmd.Process, true)
	killed := time.Now()
	if !wait(func() time.Time { return killed.Add(graceKill) }, p.leaderGone) {
		p.log.Error("process not ended by SIGKILL", "pid", p.cmd.Process.Pid)
	}
}

func (p *process) leaderGone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) groupGone() bool { return p.leaderGone() && groupEmpty(p.cmd.Process) }

// wait waits until done, and reports whether it came true before the time that
// until returns. It asks both now and then.
func wait(until func() time.Time, done func() bool) bool {
	for pause := time.Millisecond; !done(); pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(until()) {
			return false
		}
		<-time.After(pause)
	}
	return true
}
