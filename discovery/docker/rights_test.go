package docker

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcphub/discovery"
)

// Whoever guards the engine's socket is named as what is in the way, with the call and
// what would mend it.
func TestRefusedStreams(t *testing.T) {
	for _, test := range []struct {
		refused string
		status  int
		want    []string
	}{
		{"/exec", http.StatusForbidden, []string{"POST /containers/{id}/exec is refused (status 403: no)", "allow it where the socket is guarded, or run the server behind mcphub bridge"}},
		{"/start", http.StatusMethodNotAllowed, []string{"POST /exec/{id}/start is refused", "status 405: no"}},
		{"/start", http.StatusOK, []string{"POST /exec/{id}/start", "the proxy in front of Docker drops the upgrade", "wollomatic/socket-proxy"}},
		{"/containers/x/json", http.StatusForbidden, []string{"GET /containers/{id}/json is refused"}},
		{"/attach", http.StatusForbidden, []string{"POST /containers/{id}/attach is refused"}},
	} {
		engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Api-Version", "1.41")
			switch {
			case strings.HasSuffix(r.URL.Path, test.refused):
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, "no")
			case strings.HasSuffix(r.URL.Path, "/exec"):
				_, _ = io.WriteString(w, `{"Id":"e"}`)
			case strings.HasSuffix(r.URL.Path, "/containers/x/json"):
				_, _ = io.WriteString(w, `{"Config":{"OpenStdin":true},"State":{"Running":true}}`)
			}
		}))
		o := NewOpener(Options{Host: "tcp://" + strings.TrimPrefix(engine.URL, "http://"), Log: slog.New(slog.DiscardHandler)})
		at := discovery.Instance{Container: "x", Name: "x"}
		var err error
		if strings.Contains(strings.Join(test.want, ""), "/containers/{id}/exec") || strings.Contains(test.want[0], "/start") {
			_, err = o.Exec(t.Context(), "x", discovery.Spec{Command: []string{"run"}}, at)
		} else {
			_, err = o.Attach(t.Context(), at)
		}
		wantError(t, err, test.want...)
		if !errors.Is(err, ErrOutOfReach) {
			t.Errorf("%v is not %v", err, ErrOutOfReach)
		}
		o.Close()
		engine.Close()
	}
}

// A proxy that forbids the ping leaves the version to be guessed; the engine's refusal says
// which it is to be, once for all.
func TestOpenerAdoptsTheEnginesVersion(t *testing.T) {
	newest := 0
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/_ping"):
			w.WriteHeader(http.StatusForbidden)
		case !strings.HasPrefix(r.URL.Path, "/v1.41/"):
			newest++
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"message":"client version 1.56 is too new. Maximum supported API version is 1.41"}`)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer engine.Close()
	o := NewOpener(Options{Host: "tcp://" + strings.TrimPrefix(engine.URL, "http://"), Log: slog.New(slog.DiscardHandler)})
	defer o.Close()
	for range 2 {
		_, err := o.Attach(t.Context(), discovery.Instance{Container: "x", Name: "x"})
		wantError(t, err, "GET /containers/{id}/json is refused")
	}
	if newest != 1 {
		t.Errorf("%d calls were made in another version than the engine's, want 1", newest)
	}
}
