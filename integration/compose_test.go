package integration

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestComposeExample brings the first example up as its top says, image and all.
func TestComposeExample(t *testing.T) {
	p := newProject(t, "compose.example.yml")
	p.edit("mcphub", service{Image: imageName("compose"), Build: p.build()})
	p.edit("demo", service{Image: imageName("compose")})
	p.compose("up", "--build", "--detach")
	p.showsFirstContact(service{Labels: p.table([]string{".port=8080", ".title=Mine", ".group=dev"})})
	hub := p.container("mcphub")
	eventually(t, labLimit, "the hub's health check", func() bool { return p.inspect(hub).State.Health.Status == "healthy" })
	p.endsWell()
}

// TestComposeHardenedExample has the tests' socket proxy take the flags of the one that is named there.
func TestComposeHardenedExample(t *testing.T) {
	p := newProject(t, "compose.hardened.example.yml")
	p.edit("mcphub", service{Image: p.image(hubImage)})
	p.edit("demo", service{Image: p.image(hubImage)})
	p.edit("socket-proxy", service{Image: p.image(serverImage)})
	p.compose("up", "--detach")
	p.showsFirstContact(service{Labels: p.table([]string{".enable=true", ".port=8080", ".group=dev"})})
	refused := strings.Contains(p.compose("logs", "socket-proxy"), "refused")
	if user := p.inspect(p.container("mcphub")).Config.User; refused || user != "65532:65532" {
		t.Errorf("the hub's user is %q; it has asked the proxy for more than is allowed: %t", user, refused)
	}
	p.endsWell()
}

// showsFirstContact is what somebody sees who follows the README: the demonstration server through the mapped port, for
// those who have the token, and then the tools of a service that gets labels, without a touch of the hub.
func (p *project) showsFirstContact(mine service) {
	t := p.t
	t.Helper()
	url, token := p.hubURL(), p.token()
	eventually(t, labLimit, "the demonstration server", func() bool { return p.health(url, token).server("demo").Connected })
	err := (&client{url: url + "/mcp"}).initialize(t.Context(), `{}`)
	if refusal, ok := errors.AsType[*statusError](err); !ok || refusal.code != http.StatusUnauthorized {
		t.Errorf("without the token: got %v, want 401", err)
	}
	c := open(t, url+"/mcp", token)
	heard := c.listen(t)
	if got, err := c.call(t.Context(), "demo__echo", map[string]any{"text": "hello"}); err != nil || got != "hello" {
		t.Errorf("demo__echo: got %q, %v", got, err)
	}

	hub := p.inspect(p.container("mcphub"))
	mine.Image, mine.Networks = p.image(serverImage), []string{"mcp"}
	p.edit("mine", mine)
	p.compose("up", "--detach", "mine")
	awaitMethod(t, heard, toolsChanged, labLimit)
	if names, err := c.tools(t.Context()); err != nil || !slices.Contains(names, "mine__whoami") {
		t.Errorf("tools: got %q, %v; want mine__whoami among them", names, err)
	}
	if names, err := open(t, url+"/mcp/group/dev", token).tools(t.Context()); err != nil || !slices.Contains(names, "mine__whoami") {
		t.Errorf("tools of the group: got %q, %v; want mine__whoami among them", names, err)
	}
	if now := p.inspect(p.container("mcphub")); now.ID != hub.ID || now.State.StartedAt != hub.State.StartedAt {
		t.Error("the hub was started again")
	}
}

// endsWell takes the project down in order.
func (p *project) endsWell() {
	t := p.t
	t.Helper()
	hub, demo := p.container("mcphub"), p.container("demo")
	p.compose("stop")
	for _, id := range []string{hub, demo} {
		if found := p.inspect(id); found.State.ExitCode != 0 {
			t.Errorf("%s ended with status %d", found.Name, found.State.ExitCode)
		}
	}
	p.compose("down")
}
