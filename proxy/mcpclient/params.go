package mcpclient

import (
	"bytes"
	"strconv"

	"mcphub/proxy/jsonrpc"
)

// request returns the whole request under an id of the session, which is the
// progress token too if the call asks for progress.
func (c *Call) request(id int64) []byte {
	var digits [20]byte
	number := strconv.AppendInt(digits[:0], id, 10)
	if c.Message == nil || c.Raw != nil {
		return jsonrpc.AppendRequest(nil, number, c.Method, withToken(c.Raw, number))
	}
	if c.Message.Params == nil {
		return jsonrpc.AppendRequest(nil, number, c.Method, nil)
	}
	size := len(c.Message.Params) + len(c.Method) + 2*len(number) + 64
	var some [6]jsonrpc.Edit
	edits := append(some[:0], jsonrpc.Edit{Field: jsonrpc.MetaProgressToken, Value: number})
	for _, e := range c.Edits {
		size += len(e.Value)
		if e.Field == jsonrpc.Meta { // the token lies inside: no other edit may
			edits = edits[1:]
			e.Value = replaceToken(e.Value, number)
		}
		edits = append(edits, e)
	}
	dst := jsonrpc.AppendHead(make([]byte, 0, size), number, c.Method)
	return append(c.Message.AppendParams(dst, edits...), jsonrpc.Tail)
}

// withToken returns params with the progress token replaced, if they have one.
func withToken(params jsonrpc.Raw, token []byte) jsonrpc.Raw {
	if !bytes.Contains(params, []byte("progressToken")) {
		return params
	}
	meta := jsonrpc.Get(params, "_meta")
	if jsonrpc.Get(meta, "progressToken") == nil {
		return params
	}
	return jsonrpc.Set(params, "_meta", replaceToken(meta, token))
}

// replaceToken returns _meta with its progress token replaced, if it has one.
func replaceToken(meta jsonrpc.Raw, token []byte) jsonrpc.Raw {
	if jsonrpc.Get(meta, "progressToken") == nil {
		return meta
	}
	return jsonrpc.Set(meta, "progressToken", token)
}
