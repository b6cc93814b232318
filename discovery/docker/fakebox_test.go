package docker

import (
	"encoding/json"
	"fmt"
	"strings"
)

// box is a container of the fake engine.
type box struct {
	id, name, state, status, ip, mode string
	labels                            map[string]string
}

func (b *box) pass(filters map[string]map[string]bool) bool {
	for label := range filters["label"] {
		key, value, exact := strings.Cut(label, "=")
		if got, set := b.labels[key]; !set || exact && got != value {
			return false
		}
	}
	for id := range filters["id"] {
		if !strings.HasPrefix(b.id, id) {
			return false
		}
	}
	return true
}

func (b *box) json() string {
	text, _ := json.Marshal(map[string]any{
		"Id": b.id, "Names": []string{"/" + b.name}, "Image": "image", "State": b.state, "Status": b.status, "Labels": b.labels,
		"HostConfig":      map[string]any{"NetworkMode": b.mode},
		"Ports":           []map[string]any{{"PrivatePort": 80, "Type": "tcp"}},
		"NetworkSettings": map[string]any{"Networks": map[string]any{"bridge": map[string]any{"NetworkID": "n", "IPAddress": b.ip}}},
	})
	return string(text)
}

func (f *fakeEngine) set(edit func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit()
}

// put has a container run, without an event.
func (f *fakeEngine) put(name, ip string, labels ...string) string {
	id := fmt.Sprintf("%-64s", name)
	id = strings.ReplaceAll(id, " ", "0")
	table := map[string]string{"mcphub.enable": "true"}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		table[key] = value
	}
	f.set(func() {
		f.boxes[id] = &box{id: id, name: name, state: running, status: "Up 2 seconds", ip: ip, labels: table}
	})
	return id
}

func (f *fakeEngine) start(name, ip string, labels ...string) string {
	id := f.put(name, ip, labels...)
	f.emit("container start", id)
	return id
}

// die ends a container's process. It stays, exited.
func (f *fakeEngine) die(id string) {
	f.set(func() { f.boxes[id].state, f.boxes[id].ip = "exited", "" })
	f.emit("container die", id)
}

func (f *fakeEngine) remove(id string) {
	labels := f.boxes[id].labels
	f.set(func() { delete(f.boxes, id) })
	f.send("container destroy", id, labels)
}
