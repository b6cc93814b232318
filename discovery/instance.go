package discovery

// Instance is one place where a server runs: an address, or the streams of a
// container. Replicas are several instances of one server.
//
// What a List says of instances can be relied on as follows.
//
//   - Two Instances that are the Same, in whatever Lists, are one run of one
//     process at one address, and have the same Gone.
//   - Gone is closed as soon as the process is known to have ended, as a rule
//     before the List that tells of it, and never while the process runs (but for
//     reports that come late, after which a new Instance follows). Nothing may be
//     sent to an instance that is gone: its address may be somebody else's by now.
//   - A process that comes back, at whatever address, is another Instance.
//   - An Instance that is in the List no more and is not gone still runs. Nothing
//     new may begin there; calls in flight may end, for the Drain of its server.
//   - Instances come and go without the Spec changing. A Server that has none now
//     stays declared for a while after its last one died, so that a restart or a
//     recreation of its container withdraws nothing; Server.Absence says what it
//     waits for. It is gone for good when it is in the List no more.
//   - They are in a stable order: by replica number, then name.
type Instance struct {
	Container string // the id of its container; empty: not in one
	Name      string // the container's name, for people
	Image     string
	Run       int    // tells the runs of one container apart
	URL       string // where it is spoken to; empty over stdio

	// Booting says that the container runs and nothing is known yet of the server
	// in it, so that it may listen any moment. Who has been connected to this very
	// Instance knows better.
	Booting bool
	// Paused says that the process is frozen: requests wait until it goes on.
	Paused bool
	// Draining says that it has been told to stop, or is unhealthy: what can begin
	// at another instance should.
	Draining bool

	Gone <-chan struct{} // closed once the process has ended; nil: nobody would know
}

// Same reports whether i and o are one run of one process at one address.
func (i Instance) Same(o Instance) bool {
	return i.Container == o.Container && i.Run == o.Run && i.URL == o.URL
}

// Absence is why a declared server has no instance.
type Absence struct {
	State  string // waiting, stopped, crashing or unreachable; empty: it has one
	Reason string // for people, with the mend where there is one
}

// Live returns where the server runs now. A server that is declared by address or
// command has always one instance, which its Spec describes; one in containers has
// those that run, perhaps none.
func (s Server) Live() []Instance {
	if s.Spec.InContainer {
		return s.Instances
	}
	return []Instance{{URL: s.Spec.URL}}
}
