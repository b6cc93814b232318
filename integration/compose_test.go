package integration

import (
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestComposeExample brings the first example up as its top says, image and all.
func TestComposeExample(t *testing.T) {
	l := newQuietLab(t) // a build leaves no time to tests beside it
	p := newProject(l, filepath.Join("..", "compose.example.yml"), map[string]any{"mcp": l.ownNetwork()})
	p.edit("mcphub", service{Image: imageName("compose"), Build: p.build()})
	p.edit("demo", service{Image: imageName("compose")})
	p.edit("attached", service{Image: imageName("compose")})
	p.compose("up", "--build", "--detach")
	p.showsFirstContact(".port=8080", ".title=Mine", ".group=dev")
	hub := p.container("mcphub")
	eventually(t, labLimit, "the hub's health check", func() bool { return p.inspect(hub).State.Health.Status == "healthy" })
	p.serves("attached", p.token())
	p.endsWell("mcphub", "demo", "attached")
}

// TestComposeHardenedExample has the tests' socket proxy take the flags of the one that is named there.
func TestComposeHardenedExample(t *testing.T) {
	l := newQuietLab(t)
	networks := map[string]any{"mcp": l.ownNetwork(), "socket": map[string]any{"labels": l.labels(nil)}}
	p := newProject(l, filepath.Join("..", "compose.hardened.example.yml"), networks)
	p.edit("mcphub", service{Image: p.image(hubImage)})
	p.edit("demo", service{Image: p.image(hubImage)})
	p.edit("socket-proxy", service{Image: p.image(serverImage)})
	p.compose("up", "--detach")
	p.showsFirstContact(".enable=true", ".port=8080", ".group=dev")
	refused := strings.Contains(p.compose("logs", "socket-proxy"), "refused")
	if user := p.inspect(p.container("mcphub")).Config.User; refused || user != "65532:65532" {
		t.Errorf("the hub's user is %q; it has asked the proxy for more than is allowed: %t", user, refused)
	}
	p.endsWell("mcphub", "demo")
}

// TestReadmeStack starts the README's stack, and then its service, which is a project of somebody else.
func TestReadmeStack(t *testing.T) {
	l := newQuietLab(t)
	p := newProject(l, readmeFile(t, "compose:stack", "yaml"), map[string]any{"mcp": l.ownNetwork()})
	p.env = append(p.env, "MCPHUB_AUTH_TOKEN=of-the-stack")
	p.edit("mcphub", service{Image: p.image(hubImage)})
	p.compose("up", "--detach")

	theirs := newProject(l, readmeFile(t, "compose:service", "yaml"), map[string]any{"mcp": map[string]any{"name": l.name + "-mcp"}})
	theirs.edit("files", service{Image: p.image(serverImage)})
	p.adopts("files", "of-the-stack", func() { theirs.compose("up", "--detach") })
	theirs.compose("down")
	p.endsWell("mcphub")
}

// TestReadmeStdio has a hub serve what the README shows of servers over stdio.
func TestReadmeStdio(t *testing.T) {
	l := newQuietLab(t)
	n := l.network()
	p := newProject(l, readmeFile(t, "compose:stdio", "yaml"), map[string]any{"mcp": map[string]any{"name": n.Name}})
	p.file.Volumes = map[string]any{"bridge": map[string]any{"labels": l.labels(nil)}}
	for _, name := range []string{"attached", "run", "bridged", "bridge"} {
		p.edit(name, service{Image: p.image(hubImage)})
	}
	hub := l.containedHub(n)
	p.compose("up", "--detach")
	hub.until("attached connected", "bridged connected", "run connected")
	c := hub.open("/mcp")
	for _, id := range []string{"attached", "bridged", "run"} {
		if got, err := c.call(t.Context(), id+"__echo", map[string]any{"text": id}); err != nil || got != id {
			t.Errorf("%s__echo: got %q, %v", id, got, err)
		}
	}
	p.endsWell("attached", "bridged", "run")
}

// serves waits for a demonstration server at the project's hub.
func (p *project) serves(id, token string) {
	p.t.Helper()
	url := p.hubURL()
	eventually(p.t, labLimit, "the server "+id, func() bool { return p.health(url, token).server(id).Connected })
	if got, err := open(p.t, url+"/mcp", token).call(p.t.Context(), id+"__echo", map[string]any{"text": "hello"}); err != nil || got != "hello" {
		p.t.Errorf("%s__echo: got %q, %v", id, got, err)
	}
}

// showsFirstContact is what somebody sees who follows the README: the demonstration server through the mapped port, for
// those who have the token, and then the tools of a service that gets labels.
func (p *project) showsFirstContact(labels ...string) {
	p.t.Helper()
	token := p.token()
	p.serves("demo", token)
	p.edit("mine", service{Image: p.image(serverImage), Networks: []string{"mcp"}, Labels: p.table(labels)})
	p.adopts("mine", token, func() { p.compose("up", "--detach", "mine") })
}

// adopts has a service of the group dev start: its tools are there for a client that is connected, without a touch of the
// hub, and not for one without the token.
func (p *project) adopts(id, token string, start func()) {
	t := p.t
	t.Helper()
	url, before := p.hubURL(), p.inspect(p.container("mcphub"))
	eventually(t, labLimit, "/health", func() bool { return answers(url + "/health") })
	err := (&client{url: url + "/mcp"}).initialize(t.Context(), `{}`)
	if refusal, ok := errors.AsType[*statusError](err); !ok || refusal.code != http.StatusUnauthorized {
		t.Errorf("without the token: got %v, want 401", err)
	}
	c := open(t, url+"/mcp", token)
	heard := c.listen(t)
	start()
	awaitMethod(t, heard, toolsChanged, labLimit)
	for _, c := range []*client{c, open(t, url+"/mcp/group/dev", token)} {
		if names, err := c.tools(t.Context()); err != nil || !slices.Contains(names, id+"__whoami") {
			t.Errorf("tools at %s: got %q, %v; want %s__whoami among them", c.url, names, err, id)
		}
	}
	if now := p.inspect(before.ID); now.State.StartedAt != before.State.StartedAt {
		t.Error("the hub was started again")
	}
}

// endsWell takes the project down, whose named services end in order.
func (p *project) endsWell(services ...string) {
	t := p.t
	t.Helper()
	var ids []string
	for _, service := range services {
		ids = append(ids, p.container(service))
	}
	p.compose("stop")
	for _, id := range ids {
		if found := p.inspect(id); found.State.ExitCode != 0 {
			t.Errorf("%s ended with status %d", found.Name, found.State.ExitCode)
		}
	}
	p.compose("down")
}
