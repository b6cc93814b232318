package integration

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// step is one thing that a client does, and what should come of it. Its words:
//
//	initialize             connect; the answer has serverInfo, instructions, capabilities and protocolVersion
//	ping
//	list NAME              all pages of tools, prompts, resources or templates; the answer has pages and names
//	show NAME OF           the whole of one feature of such a list
//	call NAME ARGUMENTS    call a tool, with a callback for progress
//	read URI               read a resource
//	prompt NAME ARGUMENTS  get a prompt
//	complete NAME|URI ARGUMENTS CONTEXT
//	level NAME             set the log level
//	subscribe, unsubscribe URI
//	root NAME URI          have one more root, and say that the roots changed
//	await NAME UNTIL       wait until a message of the method came that contains a text; the answer is all that came of it
//	                       since the method was last awaited
//	resume NAME ARGUMENTS  call a tool, close the transport when the first progress comes, and take up the call on a new one
//	                       with the ids of the session and of the last event; the answer has the result and all progress
//	end                    end the session; always the last step
//
// Every client declares all that it can: sampling with tools, elicitation by form and by URL, roots. It has the root
// file:///first. Its model uses the first tool that it is offered, and else says "sampled: " and the last text it was
// given. It accepts elicitations with the current step's answer; to a step that cancels it does not answer, and
// "withdrawn" comes when the server gives up. Where the step says to meet, it first gets that URL. The answer to a step is
// the SDK's result as JSON, or {"error":{"code","message","data"}}.
type step struct {
	Do        string            `json:"do"`
	Name      string            `json:"name,omitempty"`
	Of        string            `json:"of,omitempty"`
	URI       string            `json:"uri,omitempty"`
	Arguments map[string]any    `json:"arguments,omitempty"`
	Context   map[string]string `json:"context,omitempty"`
	Until     string            `json:"until,omitempty"`
	Answer    map[string]any    `json:"answer,omitempty"`
	Cancel    string            `json:"cancel,omitempty"` // cancel the call when a message of this method comes
	Meet      string            `json:"meet,omitempty"`

	want    []string // parts of the answer, or some of the list's names
	once    []string // parts of the answer that must not be there twice, as nothing may come twice
	not     []string // what must not be in the answer
	refused bool     // the answer is an error
	at      place
}

// place says where a step is done.
type place string

const (
	everywhere place = ""
	viaHub     place = "through the hub"
)

// in reports whether the place includes an endpoint.
func (p place) in(endpoint string) bool {
	return p != viaHub || endpoint != direct
}

// script is what a client reads.
type script struct {
	URL     string `json:"url"`
	Version string `json:"version"` // of the protocol, which the client asks for
	Steps   []step `json:"steps"`
}

// prefixed returns the step with the prefix before the names of tools and prompts.
func (s step) prefixed(prefix string) step {
	switch s.Do {
	case "call", "prompt", "complete", "resume":
		if s.Name != "" {
			s.Name = prefix + s.Name
		}
	case "show":
		if s.Name == "tools" || s.Name == "prompts" {
			s.Of = prefix + s.Of
		}
	case "list":
		var names []string
		for _, name := range s.want {
			if s.Name == "tools" || s.Name == "prompts" {
				name = prefix + name
			}
			names = append(names, strconv.Quote(name))
		}
		s.want = names
	}
	return s
}

func (s step) String() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s", s.Do, s.Name, s.Of, s.URI, s.Until)), " ")
}

// check says what is wrong with the answer to a step, nothing if it is right.
func (s step) check(answer string) string {
	if failed := strings.HasPrefix(answer, `{"error":`); failed != s.refused {
		return fmt.Sprintf("got an error: %t, want %t", failed, s.refused)
	}
	for _, part := range s.want {
		if !strings.Contains(answer, part) {
			return fmt.Sprintf("want %s in it", part)
		}
	}
	for _, part := range s.once {
		if n := strings.Count(answer, part); n != 1 {
			return fmt.Sprintf("got %s %d times in it, want 1", part, n)
		}
	}
	for _, part := range s.not {
		if strings.Contains(answer, part) {
			return fmt.Sprintf("want no %s in it", part)
		}
	}
	return ""
}

// checkAnswers compares what came of the steps with what should.
func checkAnswers(t *testing.T, steps []step, answers []string) {
	t.Helper()
	for i, answer := range answers[:min(len(answers), len(steps))] {
		if problem := steps[i].check(answer); problem != "" {
			t.Errorf("step %d, %s: %s\nanswer: %.2000s", i, steps[i], problem, answer)
		}
	}
	if len(answers) != len(steps) {
		t.Errorf("got %d answers to %d steps", len(answers), len(steps))
	}
}
