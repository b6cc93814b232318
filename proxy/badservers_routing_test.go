package proxy

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestUnlistedURIsOfServersThatAreThere has a server that is away, and first in
// order, beside one that is connected: the second is asked first, for the other
// may take as long as a call waits.
func TestUnlistedURIsOfServersThatAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone, there := newRemote(t, "a", isUp), newRemote(t, "b", isUp)
		h := bubbleHub(t, Reconnect{MaxAttempts: 0, InitialDelay: time.Minute, MaxDelay: time.Hour}, gone, there)
		time.Sleep(15 * time.Second)
		c := newBubbleClient(t, h)
		gone.set(refuses)
		time.Sleep(time.Second)
		want(t, "the first", phaseOf(h, "a"), away)

		began := time.Now()
		got := c.request("resources/read", `{"uri":"a://1/unlisted"}`).Body.String()
		want(t, "took", time.Since(began), 0)
		if !strings.Contains(got, `"result":`) {
			t.Errorf("got %s", got)
		}
		for _, r := range []*remote{gone, there} {
			asked := slices.Contains(seen(r, &r.got), "resources/read a://1/unlisted")
			want(t, "asked of "+r.id, asked, r == there)
		}
	})
}
