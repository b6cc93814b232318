package integration

import (
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
)

// TestThroughTheHub is in the README, but for the lines that say otherwise.
func TestThroughTheHub(t *testing.T) {
	l := newLab(t) // not in the README
	ctx := t.Context()
	net, err := network.New(ctx,
		network.WithLabels(l.labels(nil)), // not in the README
	)
	testcontainers.CleanupNetwork(t, net)
	if err != nil {
		t.Fatal(err)
	}
	server, err := testcontainers.Run(ctx, l.image(hubImage),
		testcontainers.WithLabels(l.labels(nil)), // not in the README
		testcontainers.WithCmd("demo-server", "--http", ":8080"),
		network.WithNetwork([]string{"demo"}, net),
	)
	testcontainers.CleanupContainer(t, server)
	if err != nil {
		t.Fatal(err)
	}
	hub, err := testcontainers.Run(ctx, l.image(hubImage),
		testcontainers.WithLabels(l.labels(nil)), // not in the README
		testcontainers.WithEnv(map[string]string{"MCPHUB_SERVERS": "demo=http://demo:8080/mcp"}),
		testcontainers.WithExposedPorts("7070/tcp"),
		testcontainers.WithWaitStrategy(wait.ForHTTP("/health?strict=1").WithPort("7070/tcp")),
		network.WithNetwork(nil, net),
	)
	testcontainers.CleanupContainer(t, hub)
	if err != nil {
		t.Fatal(err)
	}

	endpoint, err := hub.PortEndpoint(ctx, "7070/tcp", "http")
	if err != nil {
		t.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: endpoint + "/mcp"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	got, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "demo__add", Arguments: map[string]any{"a": 2, "b": 40}})
	if err != nil || got.IsError {
		t.Fatalf("demo__add: %v, %v", got, err)
	}
}
