package integration

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// dockerCases are what must be shown of containers that come, go and are not as they should be, by number. Each has its
// test, named after it: TestCase05_….
var dockerCases = map[int]string{
	1:  "started before the hub",
	2:  "started after the hub",
	3:  "stopped",
	4:  "killed with 9",
	5:  "restarted, with the same address",
	6:  "restarted, with its address taken by another labelled server: no request may reach that",
	7:  "paused and unpaused in a call",
	8:  "paused for longer than the timeout of a call",
	9:  "renamed, with the id from the name",
	10: "renamed, with the id from a label",
	11: "removed by force in a call",
	12: "recreated as Compose does, with a temporary name and another group",
	13: "a label edited that changes the port",
	14: "a one-off of compose run with the same labels is ignored",
	15: "scaled from 1 to 3 and back, with sessions",
	16: "two projects with the same service: a conflict; the winner goes, the other takes its place",
	17: "an explicit id against a defaulted one",
	18: "an id of the environment against that of a label",
	19: "a bad port, boolean, id and field, each beside a good server",
	20: "an element of the engine's list that cannot be read, beside good ones",
	21: "a label of 100 kB, one with a new line, one that is empty",
	22: "no exposed port",
	23: "two exposed ports",
	24: "TCP and UDP of the same number; published on IPv4 and IPv6 counts once",
	25: "no shared network: said at once, and never dialled",
	26: "connected to a shared network later",
	27: "disconnected from the network in use",
	28: "two shared networks: the same one is taken over 20 restarts",
	29: "a network by label, with and without the project before it",
	30: "an internal network",
	31: "a server in the host's network, with and without host.docker.internal",
	32: "a server in another container's network, which restarts",
	33: "no network at all",
	34: "health: starting, then healthy",
	35: "health: starting, then unhealthy",
	36: "health: healthy, then unhealthy, in a session",
	37: "health ignored",
	38: "a crash loop with restart: always",
	39: "listens five seconds after its start",
	40: "accepts connections and never answers initialize",
	41: "the stream of events is cut and comes back: what changed meanwhile is found",
	42: "the socket's file is replaced, in a mounted directory",
	43: "the engine is away at the start and comes later",
	44: "away for 25 hours: it is still tried",
	45: "a slow listener and 2000 renames: the reader of events never stalls",
	46: "events are lost: the list is asked for again after 60 s",
	47: "a socket proxy that allows the three calls only",
	48: "a proxy that forbids events: the list is asked for again and again, with a warning",
	49: "a proxy that forbids the ping: the version is taken from the error",
	50: "engines whose lowest version is 1.44, and whose highest is 1.41",
	51: "no right to the socket: the message names its group; a directory in the socket's place",
	52: "a read-only file system and no capabilities",
	53: "mcphub healthcheck in the image",
	54: "SIGTERM with a call in flight",
	55: "a hub with labels of its own ignores itself",
	56: "two hubs with names, and labels that choose",
	57: "exec: a process each, half-close, a missing command, one that ignores the end of its input; see TestStdioServer… too",
	58: "exec and attach behind a proxy that answers 200 to an upgrade, that refuses calls, that cuts streams",
	59: "mcphub bridge by a named volume",
	60: "the hub is killed under commands that it runs in containers; it starts no containers",
	61: "a secret that labels refer to and that is unknown, or another server's",
	62: "100 containers: time, memory and goroutines, and both back at their base",
}

// TestCasesAreComplete finds one test for each case, here or among those with a fake engine.
func TestCasesAreComplete(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^func TestCase(\d\d)_\w+\(t \*testing\.T\)`)
	found := map[int]int{}
	for _, folder := range []string{".", filepath.Join("..", "discovery", "docker")} {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range declared.FindAllStringSubmatch(string(text), -1) {
				number, _ := strconv.Atoi(match[1]) // two digits
				found[number]++
			}
		}
	}
	for _, number := range slices.Sorted(maps.Keys(dockerCases)) {
		if found[number] != 1 {
			t.Errorf("case %d, %s: it has %d tests, want one", number, dockerCases[number], found[number])
		}
		delete(found, number)
	}
	for number := range found {
		t.Errorf("TestCase%02d_…: there is no such case", number)
	}
}
