package jsonrpc

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

// What is no message is known by its id only where that is certain and its own.
func TestBatchElements(t *testing.T) {
	for text, id := range map[string]string{
		ping:              "1",
		"\n" + ping + " ": "1",
		`{"jsonrpc":"2.0","id":-1.50,"method":"x","params":[]}`:  "-1.50!",
		`{"jsonrpc":"1.0","id":"\u0061","method":"x"}`:           `"\u0061"!`,
		`{"jsonrpc":"2.0","id":7}`:                               "7!",
		`{"jsonrpc":"2.0","id":null,"method":"x"}`:               "!",
		`{"jsonrpc":"2.0","id":[7],"method":"x"}`:                "!",
		`{"jsonrpc":"2.0","id":1,"ID":2,"method":"x"}`:           "!",
		`{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}`:           "!",
		`{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`:        "!",
		`{"jsonrpc":"2.0","id":1,"method":"x","result":{}}`:      "!",
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`: "",
		`1`: "!", `null`: "!", `[]`: "!", `[` + ping + `]`: "!", `"{}"`: "!",
	} {
		elements, err := Batch([]byte(" [" + text + " ,\r\n" + ping + "]\n"))
		if err != nil || len(elements) != 2 || elements[1].Err != nil || elements[1].Message.Method != "ping" {
			t.Errorf("%s: got %v, %v", text, elements, err)
			continue
		}
		got := string(elements[0].Message.ID)
		if elements[0].Err != nil {
			got += "!"
		}
		if got != id {
			t.Errorf("%s: got id %s (%v), want %s", text, got, elements[0].Err, id)
		}
	}
}

func TestBatchRefuses(t *testing.T) {
	full := "[" + strings.Repeat(ping+",", MaxBatch-1) + ping
	if elements, err := Batch([]byte(full + "]")); err != nil || len(elements) != MaxBatch {
		t.Errorf("a full batch: got %d, %v", len(elements), err)
	}
	for text, want := range map[string]string{
		"[]": "at least one", " [ ] ": "at least one", full + "," + ping + "]": "at most 100",
		"[": "invalid JSON", "[" + ping: "invalid JSON", "[" + ping + "]]": "invalid JSON", "[" + ping + ",]": "invalid JSON",
	} {
		if _, err := Batch([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %q", text, err, want)
		}
	}
}

// FuzzBatch holds that a batch is the elements that another decoder finds, and that
// each is read as it would be by itself.
func FuzzBatch(f *testing.F) {
	f.Add([]byte("[" + ping + "," + ping + "]"))
	f.Add([]byte(`[{"jsonrpc":"1.0","id":"a"},1,[],{"id":1,"result":2,"error":3}]`))
	for text := range refusals {
		f.Add([]byte("[" + text + "," + ping + "]"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		elements, err := Batch(data)
		if err != nil {
			return
		}
		var want []Raw
		if err := json.Unmarshal(data, &want); err != nil || len(want) != len(elements) {
			t.Fatalf("%q: %d elements, another decoder finds %d, %v", data, len(elements), len(want), err)
		}
		for i, e := range elements {
			m, err := Parse(want[i])
			switch {
			case (err == nil) != (e.Err == nil):
				t.Fatalf("%q: element %d: %v, by itself %v", data, i, e.Err, err)
			case err == nil && (!bytes.Equal(m.ID, e.Message.ID) || m.Method != e.Message.Method || !bytes.Equal(m.Params, e.Message.Params)):
				t.Fatalf("%q: element %d is %v, by itself %v", data, i, e.Message, m)
			case err != nil && e.Message.ID != nil && string(e.Message.ID) != decode(want[i], lastWins).at([]string{"id"}):
				t.Fatalf("%q: element %d has the id %s", data, i, e.Message.ID)
			}
		}
	})
}
