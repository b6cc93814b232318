package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// broken is a call whose stream breaks, at a server that numbers its events.
type broken struct {
	server realServer
	step   step                 // a call that reports progress in steps
	mark   string               // part of the event that the stream breaks in
	event  func(n int) string   // what only the event of step n has
	ends   func(n int) []string // parts of the result
	until  string               // what the server says before it may be asked for the rest
}

const brokenSteps = 9

var brokenCalls = []broken{
	{goFeatures, countSlowly, `"step 4"`, countEvent, countEnd, ""},
	{typescriptFeatures, countSlowly, `"step 4"`, countEvent, countEnd, ""},
	{fastmcpServer, countSlowly, `"step 4"`, countEvent, countEnd, ""},
	{typescriptServer, step{Do: "call", Name: "trigger-long-running-operation", Arguments: arguments{"duration": 1.8, "steps": brokenSteps}},
		`"progress":4,`, func(n int) string { return fmt.Sprintf(`"progress":%d`, n) },
		func(n int) []string { return []string{fmt.Sprintf("Steps: %d.", n)} },
		"operation completed"}, // whoever asks earlier gets no more than what was said by then, and no end
}

var countSlowly = step{Do: "call", Name: "count", Arguments: arguments{"steps": brokenSteps, "pause": 0.2}}

func countEvent(n int) string { return fmt.Sprintf(`"message":"step %d"`, n) }
func countEnd(n int) []string { return []string{fmt.Sprintf("counted %d", n)} }

// steps returns what a client does while its call breaks: nothing is lost, and nothing comes twice.
func (b broken) steps() []step {
	call := b.step.prefixed(b.server.id + "__")
	call.want = b.ends(brokenSteps)
	await := step{Do: "await", Name: onProgress, Until: b.event(brokenSteps)}
	for n := range brokenSteps {
		await.once = append(await.once, b.event(n+1))
	}
	again := b.step.prefixed(b.server.id + "__")
	again.Arguments, again.want = map[string]any{"steps": 1, "duration": 0.01}, b.ends(1)
	if b.step.Name == "count" {
		delete(again.Arguments, "duration")
	}
	return []step{{Do: "initialize"}, call, await, again, {Do: "end"}}
}

// TestRealClientsResume breaks the connection in the middle of a call, once between a client and the hub, once between
// the hub and a server. Each SDK's client, and the hub, ask for the rest by Last-Event-ID.
func TestRealClientsResume(t *testing.T) {
	seat(t, func(s *seated) {
		for _, call := range brokenCalls {
			server := call.server.start(t)
			for _, client := range others(call.server.id) {
				s.run(client.name+" to "+call.server.id+" loses the hub", func(t *testing.T) {
					hub := startHubOf(t, call.server.id, server)
					c := startCutter(t, hub.URL+"/mcp", call.mark, "")
					checkAnswers(t, call.steps(), client.run(t, script{c.URL, clientVersion, call.steps()}))
					c.check(t)
				})
				s.run(client.name+" to "+call.server.id+" while the hub loses the server", func(t *testing.T) {
					c := startCutter(t, server, call.mark, call.until)
					hub := startHubOf(t, call.server.id, c.URL)
					checkAnswers(t, call.steps(), client.run(t, script{hub.URL + "/mcp", clientVersion, call.steps()}))
					c.check(t)
				})
			}
		}
	})
}

// TestRealClientsResumeByToken lets the TypeScript SDK's client close its transport in the middle of a call, and take the
// call up on another one with the ids of the session and of the last event.
func TestRealClientsResumeByToken(t *testing.T) {
	seat(t, func(s *seated) {
		for _, call := range []broken{brokenCalls[0], brokenCalls[2]} {
			s.run(call.server.id, func(t *testing.T) {
				hub := startHubOf(t, call.server.id, call.server.start(t))
				resume := call.step.prefixed(call.server.id + "__")
				resume.Do, resume.want = "resume", call.ends(brokenSteps)
				for n := range brokenSteps {
					resume.once = append(resume.once, call.event(n+1))
				}
				steps := []step{{Do: "initialize"}, resume, {Do: "end"}}
				checkAnswers(t, steps, runTypescriptClient(t, script{hub.URL + "/mcp", clientVersion, steps}))
			})
		}
	})
}

// TestRealClientsCancelOnce lets clients cancel a call whose stream they could resume, and go on for a while. They have their
// own stream, and may ask for the rest of the call once.
func TestRealClientsCancelOnce(t *testing.T) {
	cancel := map[string]step{
		fastmcpServer.id:    {Do: "call", Name: "wait", Cancel: onProgress},
		typescriptServer.id: {Do: "call", Name: "trigger-long-running-operation", Arguments: arguments{"duration": 60, "steps": 300}, Cancel: onProgress},
	}
	seat(t, func(s *seated) {
		for _, call := range brokenCalls[2:] {
			server := call.server.start(t)
			for _, client := range others(call.server.id) {
				s.run(client.name+" to "+call.server.id, func(t *testing.T) {
					recorder := startRecorder(t, startHubOf(t, call.server.id, server).URL+"/mcp")
					goOn := call.step.prefixed(call.server.id + "__")
					goOn.want = call.ends(brokenSteps)
					steps := []step{{Do: "initialize"}, cancel[call.server.id].prefixed(call.server.id + "__"), goOn, {Do: "end"}}
					steps[1].want = []string{`"cancelled":true`}
					checkAnswers(t, steps, client.run(t, script{recorder.URL, clientVersion, steps}))
					if n := recorder.count(http.MethodGet); n > 2 {
						t.Errorf("the client opened %d streams, want 2 at most", n)
					}
				})
			}
		}
	})
}

// startHubOf starts a hub with servers, of which ids and URLs are given by turns, and returns when it is connected to them.
func startHubOf(t *testing.T, idsAndURLs ...string) *process {
	t.Helper()
	var lines, ids []string
	for pair := range slices.Chunk(idsAndURLs, 2) {
		lines, ids = append(lines, strings.Join(pair, "=")), append(ids, pair[0])
	}
	hub := startHub(t, hubOptions{Env: []string{"MCPHUB_SERVERS=" + strings.Join(lines, "\n")}})
	for _, id := range ids {
		waitConnected(t, hub, id)
	}
	return hub
}
