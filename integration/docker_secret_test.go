package integration

import (
	"strings"
	"testing"
)

// What a label refers to and may not have, it does not get, and nothing of it is told.
func TestCase61_Secrets(t *testing.T) {
	const secret, private = "open-sesame", "for-nobody-else"
	l := newLab(t)
	hub := l.hub("MCPHUB_LABEL_SECRET_FILES="+secret, "MCPHUB_LABEL_SECRET_FILES_SERVERS=mine",
		"MCPHUB_LABEL_SECRET_SHARED="+private)
	mine := l.serve("mine", ".header.Authorization=Bearer {secret:files}", ".header.X-Shared={secret:shared}")
	l.serve("others", ".header.Authorization=Bearer {secret:files}")
	l.serve("unknown", ".header.Authorization=Bearer {secret:nothing}")
	hub.until("mine connected", "others invalid", "unknown invalid")
	c := hub.open("/mcp")
	hub.serves(c, "mine", mine)
	for name, want := range map[string]string{"Authorization": "Bearer " + secret, "X-Shared": private} {
		if got, err := c.call(t.Context(), "mine__header", map[string]any{"name": name}); err != nil || got != want {
			t.Errorf("header %s at the server: got %q, %v; want %q", name, got, err, want)
		}
	}
	expectText(t, hub.server("others").Error, `the secret "files" is for other servers`)
	expectText(t, hub.server("unknown").Error, `the secret "nothing" is not defined; set MCPHUB_LABEL_SECRET_NOTHING`)
	if said := hub.Output() + quoted(t, hub.health()); strings.Contains(said, secret) || strings.Contains(said, private) {
		t.Error("the log or /health tells a secret")
	}
}
