package jsonrpc

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSetKeepsEveryOtherByte(t *testing.T) {
	for _, test := range []struct{ object, key, value, want string }{
		{`{"b":1.0, "name" : "x","a":{}}`, "name", `"y"`, `{"b":1.0, "name" : "y","a":{}}`},
		{`{"b":1.0 }`, "name", `"y"`, `{"b":1.0 ,"name":"y"}`},
		{`{ }`, "name", `"y"`, `{ "name":"y"}`},
		{`{"name":1,"name":2}`, "name", `"y"`, `{"name":1,"name":2}`},
	} {
		if got := string(Set(Raw(test.object), test.key, Raw(test.value))); got != test.want {
			t.Errorf("Set(%s, %s): got %s, want %s", test.object, test.key, got, test.want)
		}
	}
}

func TestRemove(t *testing.T) {
	got := string(Remove(Raw(`{"a":1,"b":[ 2 ],"c":"\u0041"}`), "b"))
	if want := `{"a":1,"c":"\u0041"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestElementsAndMembers(t *testing.T) {
	var elements []string
	for e := range Elements(Raw(` [1 , {"a":[ ]},"x" ]`)) {
		elements = append(elements, string(e))
	}
	if len(elements) != 3 || elements[1] != `{"a":[ ]}` {
		t.Errorf("elements: %q", elements)
	}
	for range Elements(Raw(`{"a":1}`)) {
		t.Error("an object has elements")
	}
	var keys strings.Builder
	for k, v := range Members(Raw(`{"a\u0062":1,"c": null}`)) {
		keys.WriteString(k + "=" + string(v) + ";")
	}
	if keys.String() != "ab=1;c=null;" {
		t.Errorf("members: %q", keys.String())
	}
	for range Members(Raw(`{"a":1,"b":2}`)) {
		break // must not panic
	}
}

func TestErrorsPassAsTheyCame(t *testing.T) {
	raw := Raw(`{"code":-32042,"message":"go there","data":{"n":9007199254740993,"u":1.0},"extra":"x"}`)
	e := PeerError(raw)
	if e.Code != -32042 || e.Message != "go there" || string(e.Data) != `{"n":9007199254740993,"u":1.0}` {
		t.Errorf("read as %+v", e)
	}
	if got, want := string(AppendError(nil, Raw("7"), e)), `{"jsonrpc":"2.0","id":7,"error":`+string(raw)+`}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	own := AppendError(nil, nil, &Error{Code: 1, Message: "a \"quoted\" <b>\n", Data: Raw(`[1]`)})
	if !json.Valid(own) || string(own) != `{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"a \"quoted\" <b>\n","data":[1]}}` {
		t.Errorf("own error: %s", own)
	}
}

func TestAppend(t *testing.T) {
	for got, want := range map[string]string{
		string(AppendRequest(nil, Raw("1"), "ping", nil)):            `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		string(AppendNotification(nil, "a/b", Raw(`{"x":1}`))):       `{"jsonrpc":"2.0","method":"a/b","params":{"x":1}}`,
		string(AppendRequest(nil, Raw(`"é"`), "we\"ird", Raw(`{}`))): `{"jsonrpc":"2.0","id":"é","method":"we\"ird","params":{}}`,
		string(AppendResult(nil, Raw(`"a"`), Raw(`{"b":1}`))):        `{"jsonrpc":"2.0","id":"a","result":{"b":1}}`,
		string(Flatten([]byte("{\r\n \"a\":\n1}"))):                  `{   "a": 1}`,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
