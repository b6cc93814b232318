package integration

import (
	"context"
	"crypto/rand"
	"flag"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	apinetwork "github.com/moby/moby/api/types/network"
	docker "github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	tcnetwork "github.com/testcontainers/testcontainers-go/network"
)

// The tests of files docker_*_test.go have the hub follow a real engine. TestCaseNN_… are the cases that must be shown;
// dockerCases lists them. A case is written like this:
//
//	func TestCase03_Stop(t *testing.T) {
//		l := newLab(t)                       // a place of its own on the engine; the test runs beside others
//		hub := l.hub()                       // the binary on this machine; l.containedHub() is its image
//		server := l.serve("server")          // a container with labels, the tests' own server in it; l.run says all of it
//		l.serve("neighbour")
//		hub.until("neighbour connected", "server connected") // all that /health says, by id and state
//		c := hub.open("/mcp")                // a client's session
//		server.stop()
//		…
//	}
//
// What a case asserts is what people see at the hub: /health, lists, answers, list_changed. The server's program is in
// folder server; its tools tell which container answers, wait, change the list, crash.

// labelOf names the test that an object of the engine belongs to, labelRun the run of tests. They are outside of the hub's
// prefix, since any label with that declares a server.
const (
	labelOf  = "mcphub-test"
	labelRun = "mcphub-test.run"
)

// labLimit is how long a case waits for what takes moments.
const labLimit = 30 * time.Second

// lab is a test's place on the engine. Its objects carry its label, by which they are removed.
type lab struct {
	t      testing.TB
	name   string // the label's value, and what names of objects begin with
	engine *testcontainers.DockerClient
}

// newLab skips the test where there is no engine. The test runs beside others of its kind, which it does not see.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := newQuietLab(t)
	t.Parallel()
	return l
}

// newQuietLab is newLab for a test, or a benchmark, that runs beside no other.
func newQuietLab(t testing.TB) *lab {
	t.Helper()
	engine := needEngine(t)
	l := &lab{t: t, name: "lab" + strings.ToLower(rand.Text()[:8]), engine: engine}
	t.Cleanup(func() {
		if err := removeLabelled(engine, labelOf+"="+l.name); err != nil {
			t.Errorf("clear the lab: %v", err)
		}
	})
	return l
}

// runLabsTogether has at least four labs run beside each other unless the command line says how many: most of the time each
// waits for its containers.
func runLabsTogether() {
	const name, together = "test.parallel", 4
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == name })
	if !said && runtime.GOMAXPROCS(0) < together {
		flag.Set(name, strconv.Itoa(together))
	}
}

// needEngine returns a client of the engine. Where none answers it skips the test; where MCPHUB_TEST_DOCKER is "required",
// as in the gate, it fails it instead, and where that is "off" it does not ask.
func needEngine(t testing.TB) *testcontainers.DockerClient {
	t.Helper()
	if os.Getenv("MCPHUB_TEST_DOCKER") == "off" {
		t.Skip("MCPHUB_TEST_DOCKER is off")
	}
	if testing.Short() {
		engineMissing(t, "no Docker engine in short tests")
	}
	engine, err := findEngine()
	if err != nil {
		engineMissing(t, "no Docker engine, .ci/engine brings one up: %v", err)
	}
	return engine
}

func engineMissing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("MCPHUB_TEST_DOCKER") == "required" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// findEngine looks for the engine once, and prepares testcontainers for it.
var findEngine = sync.OnceValues(func() (*testcontainers.DockerClient, error) {
	log.SetDefault(log.NewNoopLogger())
	// Its reaper is an image that would have to be pulled. Ours is a process that removes by label, see reaper.
	os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	ctx, cancel := context.WithTimeout(context.Background(), labLimit)
	defer cancel()
	plain, err := docker.New(docker.FromEnv)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	if _, err := plain.Ping(ctx, docker.PingOptions{NegotiateAPIVersion: true}); err != nil {
		return nil, err
	}
	if err := findPublished(ctx, plain); err != nil {
		return nil, err
	}
	engine, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, err
	}
	return engine, startReaper()
})

// findPublished has testcontainers look for published ports on this machine's loopback where the engine shares its network
// with us. In a container testcontainers takes that for impossible, but so it is where the engine was started in here.
func findPublished(ctx context.Context, engine *docker.Client) error {
	const variable = "TESTCONTAINERS_HOST_OVERRIDE"
	if os.Getenv(variable) != "" {
		return nil
	}
	bridge, err := engine.NetworkInspect(ctx, "bridge", docker.NetworkInspectOptions{})
	if err != nil {
		return err
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, config := range bridge.Network.IPAM.Config {
		for _, address := range own {
			if prefix, err := netip.ParsePrefix(address.String()); err == nil && config.Subnet.Contains(prefix.Addr()) {
				return os.Setenv(variable, "localhost")
			}
		}
	}
	return nil
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// labels are what every object of the lab carries, and more.
func (l *lab) labels(more map[string]string) map[string]string {
	all := runLabels()
	all[labelOf] = l.name
	maps.Copy(all, more)
	return all
}

// network makes a network.
func (l *lab) network(options ...tcnetwork.NetworkCustomizer) *testcontainers.DockerNetwork {
	l.t.Helper()
	made, err := tcnetwork.New(l.t.Context(), append(options, tcnetwork.WithLabels(l.labels(nil)))...)
	l.must(err)
	return made
}

// subnet makes a network in which containers may be given addresses.
func (l *lab) subnet() *testcontainers.DockerNetwork {
	l.t.Helper()
	part := netip.AddrFrom4([4]byte{10, byte(64 + mathrand.N(128)), byte(mathrand.N(256)), 0})
	ipam := &apinetwork.IPAM{Config: []apinetwork.IPAMConfig{{Subnet: netip.PrefixFrom(part, 24)}}}
	return l.network(tcnetwork.WithIPAM(ipam))
}

// named makes a network with a name, before which the lab's is put as Compose does with a project's.
func (l *lab) named(name string) *testcontainers.DockerNetwork {
	l.t.Helper()
	name = l.name + "_" + name
	made, err := l.engine.NetworkCreate(l.t.Context(), name, docker.NetworkCreateOptions{Labels: l.labels(nil)})
	l.must(err)
	return &testcontainers.DockerNetwork{ID: made.ID, Name: name}
}

// connect puts a running container on a network.
func (l *lab) connect(b *box, n *testcontainers.DockerNetwork) {
	l.t.Helper()
	_, err := l.engine.NetworkConnect(l.t.Context(), n.ID, docker.NetworkConnectOptions{Container: b.id})
	l.must(err)
}

// disconnect takes a container from a network.
func (l *lab) disconnect(b *box, n *testcontainers.DockerNetwork) {
	l.t.Helper()
	_, err := l.engine.NetworkDisconnect(l.t.Context(), n.ID, docker.NetworkDisconnectOptions{Container: b.id, Force: true})
	l.must(err)
}

// address returns a container's address in a network, or the one it has if there is but one.
func (l *lab) address(b *box, n *testcontainers.DockerNetwork) netip.Addr {
	l.t.Helper()
	for name, endpoint := range l.inspect(b).NetworkSettings.Networks {
		if n == nil || n.Name == name {
			return endpoint.IPAddress
		}
	}
	l.t.Fatalf("%s is not on the network", b.name)
	return netip.Addr{}
}

func (l *lab) inspect(b *box) container.InspectResponse {
	l.t.Helper()
	found, err := l.engine.ContainerInspect(l.t.Context(), b.id, docker.ContainerInspectOptions{})
	l.must(err)
	return found.Container
}
