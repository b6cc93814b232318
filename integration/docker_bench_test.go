package integration

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

// BenchmarkFirstContact measures what passes from the moment at which a new container's server listens until a client is
// told that there are other tools, and until the server has answered the client's first call:
//
//	go test ./integration -run '^$' -bench FirstContact -benchtime 30x
//
// The server tells the moment itself: the engine must be on this machine.
func BenchmarkFirstContact(b *testing.B) {
	l := newQuietLab(b)
	hub := l.hub("MCPHUB_DOCKER_LINGER=100ms", "MCPHUB_LOG_LEVEL=info")
	hub.until()
	c := hub.open("/mcp")
	heard := c.listen(b)
	var told, answered []time.Duration
	for b.Loop() {
		server := l.create(ownServer("server"))
		server.start()
		awaitMethod(b, heard, toolsChanged, labLimit)
		tell := time.Now()
		since, err := c.call(b.Context(), "server__listening", map[string]any{})
		answer := time.Now()
		l.must(err)
		nanoseconds, err := strconv.ParseInt(since, 10, 64)
		l.must(err)
		told = append(told, tell.Sub(time.Unix(0, nanoseconds)))
		answered = append(answered, answer.Sub(time.Unix(0, nanoseconds)))

		server.remove()
		awaitMethod(b, heard, toolsChanged, labLimit)
		hub.until()
		time.Sleep(2 * time.Second) // a container that comes to others mostly comes after quiet
	}
	b.ReportMetric(0, "ns/op")
	reportTimes(b, told, "told")
	reportTimes(b, answered, "answered")
}

// reportTimes reports the median of some times, and the longest.
func reportTimes(b *testing.B, times []time.Duration, what string) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Milliseconds()), "ms-"+what+"-median")
	b.ReportMetric(float64(times[len(times)-1].Milliseconds()), "ms-"+what+"-worst")
}
