// Package health is what people look at: /health. It reads what the proxy knows
// and never steers.
package health

import (
	"encoding/json"
	"net/http"
	"time"

	"mcphub/proxy"
)

// report is the answer. Its shape, and the order of its first keys, are promised.
type report struct {
	Status  string              `json:"status"` // healthy, degraded or unhealthy
	Servers []server            `json:"servers"`
	Missing map[string][]string `json:"missing,omitempty"` // group → members that nobody declares
	File    *trouble            `json:"file,omitempty"`    // nil: the file could be read, or there is none
	Docker  *trouble            `json:"docker,omitempty"`  // nil: the engine is followed, or none is
}

type trouble struct {
	Error string `json:"error"`
}

type server struct {
	ID              string     `json:"id"`
	Connected       bool       `json:"connected"`
	Tools           int        `json:"tools"`
	Resources       int        `json:"resources"`
	Prompts         int        `json:"prompts"`
	Templates       int        `json:"templates"`
	State           string     `json:"state"`
	Transport       string     `json:"transport,omitempty"`
	Source          string     `json:"source"`
	Container       string     `json:"container,omitempty"`
	Title           string     `json:"title,omitempty"`
	Description     string     `json:"description,omitempty"`
	Groups          []string   `json:"groups,omitempty"`
	ProtocolVersion string     `json:"protocolVersion,omitempty"`
	Since           *time.Time `json:"since,omitempty"`
	Error           string     `json:"error,omitempty"`
	Attempts        int        `json:"attempts,omitempty"`
	NextAttempt     *time.Time `json:"nextAttempt,omitempty"`
	Strays          int64      `json:"strays,omitempty"` // messages that nobody waited for
	Problems        []string   `json:"problems,omitempty"`
}

// Troubles say why places where servers are declared cannot be read now; nil where they
// can. What was read last is in force meanwhile, so they do not change the status.
type Troubles struct{ File, Docker error }

// Handler returns the handler of /health. The status code is 200 as long as the
// hub itself works, so that no orchestrator restarts it because a server is down;
// with ?strict=1 it is 503 unless every declared server is connected. A request
// that allowed does not accept gets the status alone.
func Handler(status func() proxy.Status, troubles func() Troubles, allowed func(*http.Request) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		full := newReport(status(), troubles())
		var body any = full
		if !allowed(r) {
			body = map[string]string{"status": full.Status}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if r.URL.Query().Get("strict") == "1" && full.Status != "healthy" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(body) // a client that is gone needs no answer
	}
}

func newReport(s proxy.Status, t Troubles) report {
	r := report{Servers: []server{}, Missing: s.Missing, File: newTrouble(t.File), Docker: newTrouble(t.Docker)}
	up := 0
	for _, one := range s.Servers {
		if one.Connected {
			up++
		}
		r.Servers = append(r.Servers, newServer(one))
	}
	r.Status = summary(up, len(s.Servers))
	return r
}

func newTrouble(err error) *trouble {
	if err == nil {
		return nil
	}
	return &trouble{err.Error()}
}

// summary says how the hub is, of whose servers so many are connected.
func summary(up, all int) string {
	switch {
	case up == all:
		return "healthy"
	case up == 0:
		return "unhealthy"
	default:
		return "degraded"
	}
}

func newServer(s proxy.ServerStatus) server {
	return server{
		ID: s.ID, Connected: s.Connected,
		Tools: s.Tools, Resources: s.Resources, Prompts: s.Prompts, Templates: s.Templates,
		State: s.State, Transport: s.Transport, Source: s.Source,
		Container: s.Container, Title: s.Title, Description: s.Description, Groups: s.Groups,
		ProtocolVersion: s.ProtocolVersion, Since: moment(s.Since), Error: s.Error,
		Attempts: s.Attempts, NextAttempt: moment(s.NextAttempt), Strays: s.Strays, Problems: s.Problems,
	}
}

// moment returns t in UTC to the second, nil if there is none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Truncate(time.Second))
}
