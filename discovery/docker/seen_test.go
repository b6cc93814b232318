package docker

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"mcphub/discovery"
)

func (l *lab) remove(id string) {
	l.t.Helper()
	_, err := l.client.ContainerRemove(l.t.Context(), id, client.ContainerRemoveOptions{Force: true})
	l.must(err)
}

// seen is what a Source declares of the lab.
type seen struct {
	*lab
	source *Source
	lists  chan discovery.List
	last   discovery.List
}

// watch runs a Source until the test ends.
func (l *lab) watch(edit func(*Options)) *seen {
	l.t.Helper()
	o := Options{LabelPrefix: l.name, Filter: "label=" + labelOf + "=" + l.name, Self: NotContained, Stdio: true, Linger: time.Second, Log: slog.New(slog.DiscardHandler)}
	if edit != nil {
		edit(&o)
	}
	source, err := New(o)
	l.must(err)
	s := &seen{lab: l, source: source, lists: make(chan discovery.List)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := source.Run(ctx, s.lists); err != nil {
			l.t.Errorf("Run: %v", err)
		}
	})
	l.t.Cleanup(func() { cancel(); running.Wait() })
	return s
}

var anyIP = regexp.MustCompile(`http://[0-9.]+`)

// brief prints the last list, without addresses and the lab's name.
func (s *seen) brief() string {
	return anyIP.ReplaceAllString(strings.ReplaceAll(brief(s.last), s.name, "LAB"), "IP")
}

// until waits for a list that looks so, and returns the lists on the way, it included.
func (s *seen) until(want string) (way []discovery.List) {
	s.t.Helper()
	late := time.NewTimer(deadline)
	defer late.Stop()
	for {
		select {
		case s.last = <-s.lists:
			if way = append(way, s.last); s.brief() == want {
				return way
			}
		case <-late.C:
			s.t.Fatalf("got %s (%v), want %s", s.brief(), s.source.LastError(), want)
		}
	}
}

// answers asks the first instance of a server for its name. It may be booting.
func (s *seen) answers(id, want string) {
	s.t.Helper()
	patience := time.Now().Add(deadline)
	for {
		got, err := s.ask(id)
		if err == nil && got == want {
			return
		}
		if err == nil || time.Now().After(patience) {
			s.t.Fatalf("%s answers %q, %v; want %q", id, got, err, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *seen) ask(id string) (string, error) {
	response, err := (&http.Client{Timeout: 5 * time.Second}).Get(s.instance(id).URL)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func (s *seen) instance(id string) discovery.Instance {
	s.t.Helper()
	for _, server := range s.last.Servers {
		if server.ID == id && len(server.Instances) > 0 {
			return server.Instances[0]
		}
	}
	s.t.Fatalf("no instance of %s in %s", id, s.brief())
	return discovery.Instance{}
}

// over waits until an instance is gone.
func (s *seen) over(i discovery.Instance) {
	s.t.Helper()
	late := time.After(deadline)
	for {
		select {
		case <-i.Gone:
			return
		case s.last = <-s.lists:
		case <-late:
			s.t.Fatal("the instance is not gone")
		}
	}
}
