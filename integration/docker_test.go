package integration

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An engine that is not there keeps nothing: the hub serves, /health says why no containers are seen, and the hub tries again
// until the engine is there.
func TestEngineThatIsNotThere(t *testing.T) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	hub := startHub(t, hubOptions{Env: []string{
		"MCPHUB_DOCKER=on", "DOCKER_HOST=tcp://" + address,
		"MCPHUB_SERVERS=first=stdio:" + gosdkCommand(t)[0], "MCPHUB_SERVER_FIRST_ENV_" + serverVariable + "=stdio",
		"MCPHUB_GROUPS=dev=first,later", // which a container may declare yet
	}})
	expectServers(t, open(t, hub.URL+"/mcp", ""), "first")
	hub.waitFor(t, "the reason", func() bool { return strings.Contains(health(t, hub).Docker.Error, address) })
	if got := health(t, hub); got.Status != "healthy" || !slices.Equal(got.Missing["dev"], []string{"later"}) {
		t.Errorf("got %+v, want healthy but for a missing server", got)
	}
	if !strings.Contains(hub.Output(), `group dev: there is no server \"later\"`) {
		t.Error("the log does not tell of the missing server")
	}

	engine := serveEmptyEngine(t, address)
	hub.waitFor(t, "the list of containers", func() bool { return len(engine) > 0 })
	hub.waitFor(t, "no reason any more", func() bool { return health(t, hub).Docker.Error == "" })
}

// serveEmptyEngine is an engine without containers. The channel has something in it once they have been listed.
func serveEmptyEngine(t *testing.T, address string) <-chan struct{} {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	listed := make(chan struct{}, 1)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		switch {
		case strings.HasSuffix(r.URL.Path, "/containers/json"):
			w.Write([]byte(`[]`))
			select {
			case listed <- struct{}{}:
			default:
			}
		case strings.HasSuffix(r.URL.Path, "/events"):
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listed
}
