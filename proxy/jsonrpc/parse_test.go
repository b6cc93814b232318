package jsonrpc

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestParseFindsEnvelopeAndFields(t *testing.T) {
	m, err := Parse([]byte(` {"jsonrpc":"2.0","params":{"arguments":{"name":"inner","n":9007199254740993},"_meta":{"x":1,"progressToken":"p"},"name":"to\u006fl"},
		"id":71.0,"method":"tools/call"}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Kind() != Request || string(m.ID) != "71.0" || m.Method != "tools/call" {
		t.Errorf("envelope: kind %v id %s method %s", m.Kind(), m.ID, m.Method)
	}
	if name, _ := m.Text(Name); name != "tool" {
		t.Errorf("name: got %q", name)
	}
	if got := string(m.Field(MetaProgressToken)); got != `"p"` {
		t.Errorf("progress token: got %s", got)
	}
	if m.Field(Cursor) != nil {
		t.Errorf("cursor: got %s, want none", m.Field(Cursor))
	}
	got := string(m.AppendParams(nil, Edit{MetaProgressToken, []byte("5")}, Edit{Name, []byte(`"own"`)}, Edit{Cursor, []byte(`"no"`)}))
	want := `{"arguments":{"name":"inner","n":9007199254740993},"_meta":{"x":1,"progressToken":5},"name":"own"}`
	if got != want {
		t.Errorf("edited params:\n got %s\nwant %s", got, want)
	}
}

func TestParseKinds(t *testing.T) {
	for text, want := range map[string]Kind{
		`{"jsonrpc":"2.0","id":1,"method":"ping"}`:                              Request,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`:                Notification,
		`{"jsonrpc":"2.0","id":"a","result":{}}`:                                Response,
		`{"jsonrpc":"2.0","id":"a","result":null}`:                              Response,
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"oh"}}`:    Response,
		"\t{\r\n\"jsonrpc\" : \"2.0\" ,\n\"id\" : -1e3 , \"method\":\"x\"\n}\n": Request,
	} {
		m, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if m.Kind() != want {
			t.Errorf("%s: got kind %v, want %v", text, m.Kind(), want)
		}
	}
}

// refusals are messages that must not pass, by the error code they get.
var refusals = map[string]int64{
	``:     CodeParse,
	`{`:    CodeParse,
	`[]`:   CodeInvalidRequest,
	`null`: CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x"}{}`:                                                        CodeParse,
	`{"jsonrpc":"2.0","id":1,"method":"x",}`:                                                         CodeParse,
	`{"jsonrpc":"2.0","id":01,"method":"x"}`:                                                         CodeParse,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":tru}}`:                                       CodeParse,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\x"}}`:                                      CodeParse,
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\nb\"}":                                             CodeParse,
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\xffb\"}":                                           CodeParse,
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\xed\xa0\x80\"}":                                    CodeParse,
	`{"jsonrpc":"1.0","id":1,"method":"x"}`:                                                          CodeInvalidRequest,
	`{"id":1,"method":"x"}`:                                                                          CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":null,"method":"x"}`:                                                       CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":{},"method":"x"}`:                                                         CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":true,"result":{}}`:                                                        CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1}`:                                                                       CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`:                                                CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"error":"no"}`:                                                          CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x","result":{}}`:                                              CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":7}`:                                                            CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":[]}`:                                              CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x","extra":1}`:                                                CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":71,"ID":72,"method":"x"}`:                                                 CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":71,"i\u0064":73,"method":"x"}`:                                            CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}`:                                                   CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x","paramſ":{}}`:                                              CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":"a","name":"b"}}`:                         CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":"a","Name":"b"}}`:                         CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"n\u0061me":"b"}}`:                               CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"progressToken":1,"ProgressToken":2}}}`: CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"_META":{}}}`:                                    CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"uri":"a","uri":"b"}}}`: CodeInvalidRequest,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":` + strings.Repeat("[", 600) + `}`:           CodeParse,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":` + strings.Repeat(`{"a":`, 600) + `1}`:      CodeParse,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[1,2}}`:                                      CodeParse,
	`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":{"b"}}}`:                                     CodeParse,
}

func TestParseRefuses(t *testing.T) {
	for text, want := range refusals {
		_, err := Parse([]byte(text))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != want {
			t.Errorf("%.90s: got %v, want code %d", text, err, want)
		}
	}
}

func TestParsePassesWhatTheHubDoesNotRead(t *testing.T) {
	for _, params := range []string{
		`{"arguments":{"a":1,"a":2,"A":3,"\u0061":4,"id":1,"ID":2}}`,
		`{"é":"\ud800","x":[[],{},[{}],-0.0e-7,"",true,false,null]}`,
		`{"name":7,"_meta":null,"ref":"x","uri":{}}`,
		`{}`,
	} {
		m, err := Parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"x","params":` + params + `}`))
		if err != nil {
			t.Errorf("%s: %v", params, err)
		} else if got := string(m.AppendParams(nil)); got != params {
			t.Errorf("params: got %s, want %s", got, params)
		}
	}
}

func TestParseBatch(t *testing.T) {
	one := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	messages, batch, err := ParseBatch([]byte(" [" + one + ",\n" + one + "] "))
	if err != nil || !batch || len(messages) != 2 {
		t.Errorf("batch of two: got %d, %v, %v", len(messages), batch, err)
	}
	messages, batch, err = ParseBatch([]byte(one))
	if err != nil || batch || len(messages) != 1 {
		t.Errorf("a single message: got %d, %v, %v", len(messages), batch, err)
	}
	many := "[" + strings.Repeat(one+",", MaxBatch) + one + "]"
	for _, bad := range []string{"[]", "[1]", "[" + one, "[" + one + "]x", many} {
		if _, _, err := ParseBatch([]byte(bad)); err == nil {
			t.Errorf("%.60s: accepted", bad)
		}
	}
}

// FuzzParse holds the property that makes a byte-passing proxy safe: what Parse
// accepts, a first-wins, a last-wins and a case-insensitive decoder read alike in
// everything that the hub reads.
func FuzzParse(f *testing.F) {
	for text := range refusals {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"n","_meta":{"progressToken":1},"ref":{"uri":"u"}}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":[1.0]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%q: the error is %T", data, err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted invalid JSON %q", data)
		}
		first, last, folded := decode(data, firstWins), decode(data, lastWins), decode(data, caseInsensitive)
		for _, path := range readPaths {
			a, b, c := first.at(path), last.at(path), folded.at(path)
			if a != b || b != c {
				t.Fatalf("%q: %v is %q first-wins, %q last-wins, %q case-insensitive", data, path, a, b, c)
			}
		}
		if got := last.at([]string{"id"}); got != string(m.ID) {
			t.Fatalf("%q: id %q, decoders read %q", data, m.ID, got)
		}
		if got := last.at([]string{"params", "name"}); got != string(m.Field(Name)) {
			t.Fatalf("%q: name %q, decoders read %q", data, m.Field(Name), got)
		}
		if m.Params != nil && string(m.AppendParams(nil)) != string(m.Params) {
			t.Fatalf("%q: params change when nothing is edited", data)
		}
		edited := AppendHead(nil, m.ID, "x")
		edited = append(m.AppendParams(edited, Edit{Name, Raw(`"y"`)}, Edit{MetaProgressToken, Raw("1")}), Tail)
		if m.Params != nil && !json.Valid(edited) {
			t.Fatalf("%q: edited into invalid %q", data, edited)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, size := range map[string]int{"100B": 100, "100kB": 100_000} {
		data := []byte(`{"jsonrpc":"2.0","id":71,"method":"tools/call","params":{"name":"echo","arguments":{"text":"` +
			strings.Repeat("abcdefghij", size/10) + `"},"_meta":{"progressToken":1}}}`)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
