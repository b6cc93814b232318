package integration

import "testing"

// TestProxyOfTheEnvironment gives the hub a proxy that is not there, as Docker does with all containers where its client is
// configured so: neither containers nor the engine are reached by it.
func TestProxyOfTheEnvironment(t *testing.T) {
	l := newLab(t)
	n := l.network()
	proxy := l.run(spec{Name: "proxy", Cmd: []string{"socketproxy"}, Env: []string{"ALLOW=^(HEAD|GET) "}, Edit: l.socket}.on(n))
	server := l.run(ownServer("server").on(n))
	hub := l.hubBox(spec{Env: []string{
		"DOCKER_HOST=tcp://" + proxy.name + ":2375",
		"HTTP_PROXY=http://127.0.0.1:9", "http_proxy=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9",
	}}.on(n))
	hub.until("server connected")
	hub.serves(hub.open("/mcp"), "server", server)
}
