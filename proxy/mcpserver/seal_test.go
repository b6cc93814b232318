package mcpserver

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcphub/proxy/jsonrpc"
)

const (
	keyOne = "one--------------------random-32"
	keyTwo = "two--------------------random-32"
)

func someState() State {
	return State{
		Endpoint: "/mcp/group/dev", Principal: Principal{1, 2, 3}, ProtocolVersion: "2025-06-18",
		Capabilities: jsonrpc.Raw(`{"roots":{"listChanged":true}}`), ClientInfo: jsonrpc.Raw(`{"name":"ünïcode","version":"1"}`),
		Issued: time.Unix(1_790_000_000, 0),
	}
}

func TestSealedState(t *testing.T) {
	keys := newKeys(t, keyOne)
	want := someState()
	id, ok := keys.seal(&want)
	if !ok {
		t.Fatal("not sealed")
	}
	got, err := keys.open(id)
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if again, _ := keys.seal(&want); again == id {
		t.Error("the same state sealed twice has the same id: the nonce is not random")
	}
	if strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		t.Errorf("%s has characters beyond base64url", id)
	}
}

func TestKeys(t *testing.T) {
	if _, err := NewKeys([]byte("short")); err == nil {
		t.Error("a short key is taken")
	}
	a, b := newKeys(t), newKeys(t)
	state := someState()
	id, _ := a.seal(&state)
	if _, err := b.open(id); err == nil {
		t.Error("two random keys are the same")
	}
}

// forgeries are ids that must not open, made from one that does.
func forgeries(t *testing.T, id string) map[string]string {
	out := map[string]string{
		"empty but for a letter": "A",
		"nothing like it":        "hello world",
		"another process's":      strings.Repeat("x", 52),
		"extended":               id + "A",
		"extended by four":       id + "AAAA",
		"padded":                 id + "=",
		"twice":                  id + id,
		"too long":               strings.Repeat("A", 5000),
	}
	for n := range len(id) {
		out[fmt.Sprint("cut to ", n)] = id[:n]
		other := byte('A')
		if id[n] == other {
			other = 'B'
		}
		out[fmt.Sprint("changed at ", n)] = id[:n] + string(other) + id[n+1:]
	}
	delete(out, "cut to 0") // no id at all is another matter
	return out
}

// Whatever is wrong with an id, the answer is the same.
func TestBadSessionIDs(t *testing.T) {
	access := Access{Endpoints: map[string]Rule{"/mcp": {true, "a"}, "/mcp/server/x": {true, "b"}}}
	h := newHost(t, Options{Keys: newKeys(t, keyOne)}, access)
	other := newHost(t, Options{Keys: newKeys(t, keyTwo)}, access)
	a, b := "Authorization: Bearer a", "Authorization: Bearer b"
	id := h.initialize("/mcp", a)

	want := h.do("POST", "/mcp", "unknown", call(1, `{}`), a)
	if want.StatusCode != http.StatusNotFound {
		t.Fatalf("got %d %s", want.StatusCode, want.body)
	}
	same := func(what, path, id, token string) {
		t.Helper()
		got := h.do("POST", path, id, call(1, `{}`), token)
		if got.StatusCode != want.StatusCode || got.body != want.body || len(got.Header) != len(want.Header) {
			t.Errorf("%s: got %d %v %s, want %d %v %s", what, got.StatusCode, got.Header, got.body, want.StatusCode, want.Header, want.body)
		}
	}
	for what, forged := range forgeries(t, id) {
		same(what, "/mcp", forged, a)
	}
	same("another endpoint's", "/mcp/group/x", id, a)
	same("another endpoint's and principal's", "/mcp/server/x", id, b)
	same("another key's", "/mcp", other.initialize("/mcp", a), a)
	h.guard.Set(Access{Endpoints: map[string]Rule{"/mcp": {true, "c"}}})
	same("another principal's", "/mcp", id, "Authorization: Bearer c")
	h.guard.Set(Access{})
	same("a principal's, where no token is asked for", "/mcp", id, a)
	h.guard.Set(access)
	if !h.works("/mcp", id, a) {
		t.Error("the id itself does not work")
	}
}

// Of the encodings of the same bytes one is an id: a deleted session does not live
// on under another spelling.
func TestOneSpelling(t *testing.T) {
	keys := newKeys(t, keyOne)
	for extra := range 4 {
		state := someState()
		state.Endpoint += strings.Repeat("x", extra)
		id, _ := keys.seal(&state)
		raw, _ := base64.RawURLEncoding.DecodeString(id)
		for i := range 64 {
			spelling := id[:len(id)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[i])
			same, _ := base64.RawURLEncoding.DecodeString(spelling)
			if _, err := keys.open(spelling); spelling != id && string(same) == string(raw) && err == nil {
				t.Errorf("%s is %s too", spelling[len(id)-4:], id[len(id)-4:])
			}
		}
		for _, spelling := range []string{id + "\n", "\r\n" + id, id[:8] + "\n" + id[8:]} {
			if _, err := keys.open(spelling); err == nil {
				t.Errorf("%q is an id too", spelling[:12])
			}
		}
	}
}

func TestSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeys(t, keyOne)
		h := newHost(t, Options{Keys: keys, IdleAfter: 24 * time.Hour}, Access{})
		id := h.initialize("/mcp")
		time.Sleep(sessionLife - 2*time.Second)
		if !h.works("/mcp", id) {
			t.Error("ended before its time")
		}
		time.Sleep(3 * time.Second)
		got := h.do("POST", "/mcp", id, call(1, `{}`))
		check(t, "in memory, expired", got.StatusCode, 404)
		h2 := newHost(t, Options{Keys: keys, IdleAfter: 24 * time.Hour}, Access{})
		check(t, "revived, expired", h2.do("POST", "/mcp", id, call(1, `{}`)).body, got.body)
	})
}

// After a key is replaced, sessions that the old one sealed go on, with their
// token; new ones are sealed by the new one.
func TestKeyRotation(t *testing.T) {
	access := Access{Default: Rule{true, "secret"}}
	token := "Authorization: Bearer secret"
	before := newHost(t, Options{Keys: newKeys(t, keyOne)}, access).initialize("/mcp", token)
	both := newHost(t, Options{Keys: newKeys(t, keyTwo, keyOne)}, access)
	if !both.works("/mcp", before, token) {
		t.Error("a session of the old key is lost")
	}
	if !both.guard.Admits("/mcp", both.last().session.State.Principal) {
		t.Error("a session of the old key would be revoked")
	}
	fresh := both.initialize("/mcp", token)
	after := newHost(t, Options{Keys: newKeys(t, keyTwo)}, access)
	if !after.works("/mcp", fresh, token) {
		t.Error("the new key does not seal")
	}
	check(t, "old session without the old key", after.works("/mcp", before, token), false)
}

func TestLongClientInfo(t *testing.T) {
	keys := newKeys(t, keyOne)
	h := newHost(t, Options{Keys: keys}, Access{})
	for _, name := range []string{strings.Repeat("n", 5000), strings.Repeat("é", 3000), strings.Repeat(`\u0001`, 1000), strings.Repeat(`\"`, 2000)} {
		info := `{"name":"` + name + `","version":"` + strings.Repeat("1", 500) + `"}`
		got := h.do("POST", "/mcp", "", hello(`{"roots":{}}`, info))
		id := got.Header.Get(headerSession)
		if len(id) > 1024 || id == "" {
			t.Errorf("id of %d characters", len(id))
		}
		state, err := keys.open(id)
		if err != nil {
			t.Fatalf("%.20q: %v", name, err)
		}
		if cut := string(state.ClientInfo); len(cut) > maxClientInfo || jsonrpc.Text(state.ClientInfo, "name") == "" || strings.Contains(cut, "�") {
			t.Errorf("%.20q: client info cut to %s", name, cut)
		}
		if known := len(h.last().session.State.ClientInfo); known > maxKnownInfo {
			t.Errorf("%d bytes of client info in memory", known)
		}
	}
}

// What fits into no id makes a session that lasts as long as the process, however
// long it is idle.
func TestUnsealedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeys(t, keyOne)
		h := newHost(t, Options{Keys: keys, IdleAfter: 24 * time.Hour}, Access{})
		got := h.do("POST", "/mcp", "", hello(`{"experimental":{"x":"`+strings.Repeat("x", 900)+`"}}`, `{"name":"big","version":"1"}`))
		id := got.Header.Get(headerSession)
		if id == "" || len(id) > 100 {
			t.Fatalf("id %q", id)
		}
		if log := h.log.String(); !strings.Contains(log, "too large to seal") || !strings.Contains(log, "big") {
			t.Errorf("log: %s", log)
		}
		time.Sleep(30 * time.Hour)
		check(t, "sessions in memory", h.server.Sessions(), 0)
		if !h.works("/mcp", id) {
			t.Error("put away for good")
		}
		check(t, "at another endpoint", h.works("/mcp/server/x", id), false)
		check(t, "after a restart", newHost(t, Options{Keys: keys}, Access{}).works("/mcp", id), false)
		check(t, "DELETE", h.do("DELETE", "/mcp", id, "").StatusCode, 204)
		check(t, "deleted", h.works("/mcp", id), false)

		first := h.do("POST", "/mcp", "", hello(`{"x":"`+strings.Repeat("x", 900)+`"}`, `{}`)).Header.Get(headerSession)
		time.Sleep(2 * time.Second)
		for range maxUnsealed {
			h.do("POST", "/mcp", "", hello(`{"x":"`+strings.Repeat("x", 900)+`"}`, `{}`))
		}
		time.Sleep(30 * time.Hour)
		kept := func() int {
			h.server.sessions.mu.Lock()
			defer h.server.sessions.mu.Unlock()
			return len(h.server.sessions.unsealed)
		}
		check(t, "kept states", kept(), maxUnsealed)
		check(t, "the oldest of too many", h.works("/mcp", first), false)
		time.Sleep(sessionLife)
		check(t, "kept states that have expired", kept(), 0)
	})
}

func TestCapabilitiesHaveABound(t *testing.T) {
	h := newHost(t, Options{}, Access{})
	got := h.do("POST", "/mcp", "", hello(`{"x":"`+strings.Repeat("x", maxCapabilities)+`"}`, `{}`))
	if !strings.Contains(got.body, "-32602") || got.Header.Get(headerSession) != "" {
		t.Errorf("got %s", got.body)
	}
}

// The token is not in the id, whoever has the key.
func TestIDHasNoToken(t *testing.T) {
	const token = "a-secret-token-of-some-length"
	keys := newKeys(t, keyOne)
	h := newHost(t, Options{Keys: keys}, Access{Default: Rule{true, token}})
	id := h.initialize("/mcp", "Authorization: Bearer "+token)
	sealed, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := keys.keys[0].seal.Open(nil, nil, sealed[sealedHeadSize:], sealed[:sealedHeadSize])
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{token, token[:8], base64.StdEncoding.EncodeToString([]byte(token))[:10]} {
		if strings.Contains(string(plain), part) || strings.Contains(id, part) {
			t.Errorf("%q is in the id", part)
		}
	}
	if !strings.Contains(string(plain), "/mcp") {
		t.Errorf("the test looks at the wrong thing: %q", plain)
	}
	if strings.Contains(h.log.String(), token) {
		t.Error("the token is in the log")
	}
}

func FuzzOpenSessionID(f *testing.F) {
	keys := newKeys(f, keyOne)
	state := someState()
	id, _ := keys.seal(&state)
	for _, seed := range []string{id, id[1:], id + "A", "", "AQ", strings.Repeat("_", 1024)} {
		f.Add(seed, []byte(seed))
	}
	f.Add("", state.encode())
	f.Fuzz(func(t *testing.T, other string, plain []byte) {
		if opened, err := keys.open(other); err == nil && !reflect.DeepEqual(*opened, state) {
			t.Errorf("%q opens: %+v", other, opened)
		}
		got, err := decodeState(plain) // what only a holder of the key can make
		if err != nil {
			return
		}
		if again, err := decodeState(got.encode()); err != nil || len(got.ClientInfo) <= maxClientInfo && !reflect.DeepEqual(got, again) {
			t.Errorf("%q: %+v, encoded and decoded %+v, %v", plain, got, again, err)
		}
	})
}
