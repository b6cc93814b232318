package mcpclient

import (
	"fmt"
	"strings"
	"testing"
)

// TestAnswered finds whose answer a text was meant to be that cannot be read.
func TestAnswered(t *testing.T) {
	for text, want := range map[string]string{
		`{"jsonrpc":"2.0","id":7,"result":{"x":"` + "\xff" + `"}}`:                         "[7]",
		`{"id": 7, "jsonrpc": "2.0", "error": {"message":"` + "\xff" + `"}}`:               "[7]",
		`{"jsonrpc":"2.0","result":{"id":8,"x":"` + "\xff" + `"},"id":7}`:                  "[7]",
		`{"result":{"x":"` + "\xff" + `"},"id":7,"jsonrpc":"2.0"}`:                         "[7]",
		`{"jsonrpc":"2.0","id":7,"result":` + strings.Repeat("[", 1000) + `]}`:             "[7]",
		`{"jsonrpc":"2.0","id":7,"id":8,"result":{}}`:                                      "[7 8]",
		`{"jsonrpc":"2.0","id":7,"result":{},"ID":8}`:                                      "[7 8]",
		`{"jsonrpc":"2.0","id":7,"result":{},"result":{"id":9}}`:                           "[7]",
		`{"jsonrpc":"2.0","id":7,"result":{},"extra":1}`:                                   "[7]",
		`{"jsonrpc":"2.0","id":"7","result":{"x":"` + "\xff" + `"}}`:                       "[]",
		`{"jsonrpc":"2.0","id":7,"method":"m","params":{"x":"` + "\xff" + `"}}`:            "[]",
		`{"jsonrpc":"2.0","method":"m","id":7,"params":{"x":"` + "\xff" + `"}}`:            "[]",
		`{"jsonrpc":"2.0","id":7,"method":"m","method":"m"}`:                               "[]",
		`{"jsonrpc":"2.0","method":"m","params":{"x":"` + "\xff" + `","result":1},"id":7}`: "[]",
		`{"jsonrpc":"2.0","result":{"x":"` + "\xff" + `","id":7}}`:                         "[]",
		`{"jsonrpc":"2.0","result":"` + "\xff" + `,\"id\":7"}`:                             "[]",
		`{`: "[]", ``: "[]", `[{"id":7,"result":1,"x":1},{"id":8},[],9]`: "[7 8]",
	} {
		if got := fmt.Sprint(answered([]byte(text))); got != want {
			t.Errorf("%.100s: got %s, want %s", text, got, want)
		}
	}
}
