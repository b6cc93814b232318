package proxy

import (
	"testing"
	"time"
)

const updatedA = `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:\/\/\/a","n":1.0}}`

// TestSubscriptions has clients with sessions of their own subscribe. Each hears
// what its own session hears.
func TestSubscriptions(t *testing.T) {
	onEach(t, []wire{overJSON, overEvents, overSSE}, func(t *testing.T, w wire) {
		server := reading("srv", w, uris("file:///a"), "")
		f := newFleet(t, server)
		client, other := f.connect("/mcp", "c", `{}`), f.connect("/mcp", "d", `{}`)
		stream, theirs := client.open(), other.open()
		client.call(`resources/read {"uri":"file:///a"}`) // the session is open before
		other.call(`resources/read {"uri":"file:///a"}`)
		equal(t, "subscribe", client.result(`resources/subscribe {"uri":"file:\/\/\/a"}`), `{"from":"srv"}`)
		equal(t, "the server heard", string(server.awaitMethod("resources/subscribe").Params), `{"uri":"file:\/\/\/a"}`)
		server.sessionOf("c").say <- updatedA
		equal(t, "the subscriber heard", stream.expect("updated"), updatedA)
		theirs.silent(100 * time.Millisecond)
		client.call(`resources/unsubscribe {"uri":"file:///a"}`)
		server.awaitMethod("resources/unsubscribe")
	})
}

// TestSharedSubscriptions has two clients subscribe at a server that they share:
// it hears of the first and of the last, and both hear of the change.
func TestSharedSubscriptions(t *testing.T) {
	t.Parallel()
	server := reading("srv", overStdio, uris("file:///a"), "")
	f := newFleet(t, server)
	first, other, none := f.connect("/mcp", "c", `{}`), f.connect("/mcp/server/srv", "d", `{}`), f.connect("/mcp", "e", `{}`)
	streams := []*answer{first.open(), other.open()}
	silent := none.open()
	none.result(`resources/unsubscribe {"uri":"file:///a"}`) // which nobody ever was
	for _, c := range []*client{first, other, first} {
		c.result(`resources/subscribe {"uri":"file:///a"}`)
	}
	if n := server.count("resources/subscribe"); n != 1 {
		t.Errorf("the server heard of %d subscriptions, want 1", n)
	}
	server.sessionOf("mcphub").say <- updatedA
	for _, stream := range streams {
		equal(t, "heard", stream.expect("updated"), updatedA)
	}
	none.result(`resources/unsubscribe {"uri":"file:///a"}`) // which this one never was
	first.result(`resources/unsubscribe {"uri":"file:///a"}`)
	if n := server.count("resources/unsubscribe"); n != 0 {
		t.Errorf("the server heard %d times that nobody is subscribed", n)
	}
	server.sessionOf("mcphub").say <- updatedA
	streams[1].expect("updated")
	other.do("DELETE", "").close()
	server.awaitMethod("resources/unsubscribe")
	silent.silent(50 * time.Millisecond)
	streams[0].silent(50 * time.Millisecond)
}

// TestListensOnlyForAReason opens a server's own stream only for clients that
// could hear something on it.
func TestListensOnlyForAReason(t *testing.T) {
	t.Parallel()
	server := offering("srv", overJSON, "do")
	f := newFleet(t, server)
	for capabilities, want := range map[string]int{`{}`: 0, `{"experimental":{}}`: 0, `{"roots":{}}`: 1, `{"sampling":{}}`: 1, `{"elicitation":{}}`: 1} {
		f.connect("/mcp", capabilities, capabilities).call(`tools/call {"name":"srv__do"}`)
		time.Sleep(100 * time.Millisecond)
		if got := server.streamsOf(capabilities); got != want {
			t.Errorf("%s: %d streams, want %d", capabilities, got, want)
		}
	}
}
