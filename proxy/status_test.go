package proxy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mcphub/discovery"
)

// What a declaration says of its server is told, beside what the server says of itself.
func TestStatusOfDeclarations(t *testing.T) {
	files := discovery.Server{
		ID: "files", Origin: discovery.Label, Container: "files-1", Title: "Files", Description: "All of them",
		Spec:     discovery.Spec{Transport: discovery.StreamableHTTP, InContainer: true},
		Warnings: []string{"mcphub.prot: did you mean mcphub.port?"},
	}
	show := func(s discovery.Server) string {
		v := newView(discovery.Desired{}, map[string]*state{"files": {link: new(link), server: s, phase: connected, features: &features{problems: []string{"a tool is odd"}}}}, nil)
		out := v.status(v.servers["files"])
		return fmt.Sprintf("%s|%s|%s|%s", out.Container, out.Title, out.Description, strings.Join(out.Problems, "; "))
	}
	const rest = "|Files|All of them|mcphub.prot: did you mean mcphub.port?; a tool is odd"
	equal(t, "running nowhere", show(files), "files-1"+rest)
	files.Instances = []discovery.Instance{{Name: "files-2"}, {Name: "files-3"}}
	equal(t, "two replicas", show(files), "files-2, files-3"+rest)
}

// TestStatusOfProblems has a declaration that cannot be followed beside none that can.
func TestStatusOfProblems(t *testing.T) {
	f := newFleet(t)
	f.desired <- discovery.Desired{
		Missing:  map[string][]string{"dev": {"absent"}},
		Problems: []discovery.Problem{{ID: "box", State: "invalid", Origin: discovery.Label, Where: "container box-1", Container: "box-1", Reason: "no port"}},
	}
	f.await("the problem", func(v *view) bool { return len(v.desired.Problems) > 0 })
	s := f.hub.Status()
	equal(t, "missing", fmt.Sprint(s.Missing), "map[dev:[absent]]")
	equal(t, "box", fmt.Sprintf("%+v", s.Servers[0]), fmt.Sprintf("%+v", ServerStatus{ID: "box", State: "invalid", Source: "label", Container: "box-1", Error: "no port"}))
}

// What a label says is to run is never run on the hub's own machine.
func TestCommandsOfContainersStayThere(t *testing.T) {
	touch, err := exec.LookPath("touch")
	if err != nil {
		t.Skip(err)
	}
	f := newHub(t)
	mark := filepath.Join(t.TempDir(), "ran")
	f.desired <- discovery.Desired{Servers: []discovery.Server{{
		ID: "box", Origin: discovery.Label,
		Spec:      discovery.Spec{Transport: discovery.Stdio, InContainer: true, Command: []string{touch, mark}},
		Instances: []discovery.Instance{{Container: "0123", Name: "box", Run: 1}},
	}}}
	f.await("the end of the first try", func(v *view) bool { return v.servers["box"] != nil && v.servers["box"].phase != starting })
	if _, err := os.Stat(mark); err == nil {
		t.Error("the command of a label has run here")
	}
}
