package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"testing"
)

// healthReport is what /health answers.
type healthReport struct {
	Status  string              `json:"status"`
	Servers []serverHealth      `json:"servers"`
	Missing map[string][]string `json:"missing"`
	File    sourceHealth        `json:"file"`
	Docker  sourceHealth        `json:"docker"`
}

// sourceHealth is empty where a source can be read.
type sourceHealth struct {
	Error string `json:"error"`
}

type serverHealth struct {
	ID        string   `json:"id"`
	Connected bool     `json:"connected"`
	State     string   `json:"state"`
	Title     string   `json:"title"`
	Tools     int      `json:"tools"`
	Source    string   `json:"source"`
	Container string   `json:"container"`
	Error     string   `json:"error"`
	Since     string   `json:"since"`
	Attempts  int      `json:"attempts"`
	Problems  []string `json:"problems"`
	Groups    []string `json:"groups"`
}

func health(t testing.TB, hub *process) healthReport {
	t.Helper()
	return healthAt(t, hub.URL)
}

// healthAt is health of a hub at a URL.
func healthAt(t testing.TB, url string) healthReport {
	t.Helper()
	report, err := fetchHealth(url)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func fetchHealth(url string) (report healthReport, err error) {
	resp, err := http.Get(url + "/health")
	if err != nil {
		return report, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&report)
	if err != nil || resp.StatusCode != http.StatusOK {
		return report, fmt.Errorf("/health: HTTP %d: %v", resp.StatusCode, err)
	}
	return report, nil
}

// server returns what is said of a server, nothing if there is none with that id.
func (r healthReport) server(id string) serverHealth {
	for _, s := range r.Servers {
		if s.ID == id {
			return s
		}
	}
	return serverHealth{}
}

// containsWord reports whether a word, or a number, stands by itself in a text.
func containsWord(text, word string) bool {
	return regexp.MustCompile(`(^|\W)` + regexp.QuoteMeta(word) + `(\W|$)`).MatchString(text)
}
