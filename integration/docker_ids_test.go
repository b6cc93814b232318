package integration

import (
	"testing"
)

// The cases of ids that two want to have.

func TestCase16_TwoProjectsWithTheSameService(t *testing.T) {
	l := newLab(t)
	hub := l.hub(shortLinger)
	project := func(name string) spec {
		return spec{Name: name, Labels: append(compose(l.name+name, "files", "1"), ".enable=true")}
	}
	first := l.run(project("one"))
	hub.until("files connected")
	second := l.run(project("two"))
	hub.until("files connected", "files conflict")
	c := hub.open("/mcp")
	hub.serves(c, "files", first)
	problem := hub.problem("files")
	expectText(t, problem.Container, second.name)
	expectText(t, problem.Error, `"files" is taken by`, first.name, l.name+"one", "mcphub.id")
	first.remove()
	hub.until("files connected")
	hub.serves(c, "files", second)
}

func TestCase17_ExplicitIDAgainstADefault(t *testing.T) {
	l := newLab(t)
	hub := l.hub()
	byService := l.run(l.service("files", "1"))
	hub.until("files connected")
	c := hub.open("/mcp")
	hub.serves(c, "files", byService)
	byLabel := l.run(spec{Name: "other", Labels: []string{".id=files"}})
	hub.until("files connected", "files conflict")
	eventually(t, labLimit, "the container with the label to answer", func() bool { return hub.asks(c, "files") == byLabel.id[:12] })
	expectText(t, hub.problem("files").Container, byService.name)
}

func TestCase18_IDOfTheEnvironmentAgainstALabel(t *testing.T) {
	l := newLab(t)
	plain := l.run(spec{Name: "plain"})
	labelled := l.serve("files")
	hub := l.hub("MCPHUB_SERVERS=files=http://" + l.address(plain, nil).String() + ":8080/mcp")
	hub.until("files connected", "files conflict")
	hub.serves(hub.open("/mcp"), "files", plain)
	problem := hub.problem("files")
	expectText(t, problem.Container, labelled.name)
	expectText(t, problem.Error, "files", "MCPHUB_SERVERS")
	if got := hub.server("files").Source; got != "environment" {
		t.Errorf("source: got %s, want environment", got)
	}
}
