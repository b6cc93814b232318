package proxy

import (
	"fmt"
	"strings"

	"mcphub/proxy/jsonrpc"
)

// Strict clients of the legacy era refuse a whole list for one feature that is not
// as their schemas have it. So what they would refuse is mended, feature by
// feature, and reported; everything else stays as the server wrote it.

// shape says with which bytes the value of a member may begin.
type shape struct{ member, first string }

const (
	aText   = `"`
	aNumber = "-0123456789"
	aBool   = "tf"
	aList   = "["
	aMap    = "{"
)

// What the schemas say of optional members (2025-11-25/schema).
var (
	featureShapes = []shape{
		{"title", aText}, {"description", aText}, {"mimeType", aText}, {"size", aNumber},
		{"icons", aList}, {"arguments", aList},
		{"annotations", aMap}, {"execution", aMap}, {"_meta", aMap},
	}
	annotationShapes = []shape{
		{"title", aText}, {"readOnlyHint", aBool}, {"destructiveHint", aBool}, {"idempotentHint", aBool},
		{"openWorldHint", aBool}, {"audience", aList}, {"priority", aNumber}, {"lastModified", aText},
	}
	schemaShapes = []shape{{"properties", aMap}, {"required", aList}}
)

// repair mends a feature. An error says that it cannot be used.
func repair(k kind, key string, feature jsonrpc.Raw) (repaired jsonrpc.Raw, repairs []string, err error) {
	feature, repairs = trim(feature, "", featureShapes)
	if own := jsonrpc.Get(feature, "annotations"); own != nil {
		trimmed, left := trim(own, "annotations.", annotationShapes)
		if left != nil {
			feature, repairs = jsonrpc.Set(feature, "annotations", trimmed), append(repairs, left...)
		}
	}
	switch k {
	case tools:
		var more []string
		feature, more, err = repairTool(feature)
		repairs = append(repairs, more...)
	case resources, templates:
		if !begins(jsonrpc.Get(feature, "name"), aText) {
			feature, repairs = jsonrpc.Set(feature, "name", jsonrpc.Quote(key)), append(repairs, "named by its URI")
		}
	}
	return feature, repairs, err
}

// trim leaves out members that are not of their shape.
func trim(object jsonrpc.Raw, path string, shapes []shape) (trimmed jsonrpc.Raw, repairs []string) {
	for _, s := range shapes {
		if value := jsonrpc.Get(object, s.member); value != nil && !begins(value, s.first) {
			object = jsonrpc.Remove(object, s.member)
			repairs = append(repairs, fmt.Sprintf("%s%s left out: %.40s", path, s.member, value))
		}
	}
	return object, repairs
}

func begins(value jsonrpc.Raw, first string) bool {
	return len(value) > 0 && strings.IndexByte(first, value[0]) >= 0
}

// repairTool mends the schemas of a tool: both must be of type "object". A tool
// whose schemas two decoders would read differently cannot be used.
func repairTool(tool jsonrpc.Raw) (repaired jsonrpc.Raw, repairs []string, err error) {
	values, err := jsonrpc.Lookup(tool, "inputSchema", "outputSchema")
	if err != nil {
		return nil, nil, err
	}
	input, output := values[0], values[1]
	if !objectSchema(input) {
		schema := anyObject
		if jsonrpc.IsObject(input) {
			schema = jsonrpc.Set(input, "type", jsonrpc.Raw(`"object"`))
		}
		if !objectSchema(schema) {
			return nil, nil, fmt.Errorf("inputSchema: type is ambiguous")
		}
		tool, input = jsonrpc.Set(tool, "inputSchema", schema), schema
		repairs = append(repairs, `inputSchema made "type": "object"`)
	}
	if output != nil && !objectSchema(output) {
		tool, output = jsonrpc.Remove(tool, "outputSchema"), nil
		repairs = append(repairs, `outputSchema left out: it is not of type "object"`)
	}
	for _, s := range []struct {
		member string
		schema jsonrpc.Raw
	}{{"inputSchema", input}, {"outputSchema", output}} {
		if schema, more := repairSchema(s.schema, s.member+"."); more != nil {
			tool, repairs = jsonrpc.Set(tool, s.member, schema), append(repairs, more...)
		}
	}
	return tool, repairs, nil
}

// repairSchema mends what a schema of type "object" says of its properties.
func repairSchema(schema jsonrpc.Raw, path string) (repaired jsonrpc.Raw, repairs []string) {
	schema, repairs = trim(schema, path, schemaShapes)
	if spelled, changed := spellOut(schema); changed {
		return spelled, append(repairs, path+"properties: true and false spelled out")
	}
	return schema, repairs
}

var anyObject = jsonrpc.Raw(`{"type":"object"}`)

func objectSchema(schema jsonrpc.Raw) bool {
	return jsonrpc.IsObject(schema) && jsonrpc.Text(schema, "type") == "object"
}

// spellOut writes the schemas true and false of an object's properties as objects
// that say the same (JSON Schema 2020-12, section 4.3.2).
func spellOut(schema jsonrpc.Raw) (spelled jsonrpc.Raw, changed bool) {
	properties := jsonrpc.Get(schema, "properties")
	for name, property := range jsonrpc.Members(properties) {
		if jsonrpc.IsObject(property) {
			continue
		}
		same := jsonrpc.Raw("{}")
		if string(property) == "false" {
			same = jsonrpc.Raw(`{"not":{}}`)
		}
		properties, changed = jsonrpc.Set(properties, name, same), true
	}
	if !changed {
		return schema, false
	}
	return jsonrpc.Set(schema, "properties", properties), true
}
