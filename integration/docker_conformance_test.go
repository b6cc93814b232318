package integration

import "testing"

// TestConformanceThroughAMappedPort runs the official suite against a labelled container, through the hub's image.
func TestConformanceThroughAMappedPort(t *testing.T) {
	l := newLab(t)
	n := l.network()
	l.run(spec{
		Image: l.image(suiteImage), Labels: []string{".id=es"}, Cmd: []string{"-http", "0.0.0.0:8080", "-stateless=false"},
	}.on(n))
	hub := l.containedHub(n)
	hub.until("es connected")
	for _, run := range conformanceRuns {
		known := conformanceFixtures[0].known[run.version]
		runServerSuite(t, run.version, hub.URL+"/mcp/server/es", run.args).expect(t, run.name, known)
		runServerSuite(t, run.version, unprefixed(t, hub.URL+"/mcp", "es__"), run.args).expect(t, run.name+", aggregate", known)
	}
}
