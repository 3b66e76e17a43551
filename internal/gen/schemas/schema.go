package main

import "maps"

// object is a JSON object: a schema, or part of one.
type object map[string]any

// Short forms of what the documents are made of.
var (
	// text goes into lines that people read: characters that are printable.
	text = matching(printable + "*")
	// name is a text that is not empty.
	name    = matching(printable + "+")
	boolean = object{"type": "boolean"}
	hex64   = shared("hex64")
	hex32   = shared("hex32")
)

// printable is a character that is printable, as a regular expression.
const printable = `[\p{L}\p{M}\p{N}\p{P}\p{S} ]`

// shared refers to a definition in common.json.
func shared(definition string) object { return object{"$ref": "common.json#/$defs/" + definition} }

// described adds what a member means.
func described(schema object, description string) object {
	schema = maps.Clone(schema)
	schema["description"] = description
	return schema
}

// closed is an object with these members and no others.
func closed(members object, required ...string) object {
	schema := object{"type": "object", "properties": members, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// list is an array of elements that have the same schema.
func list(elements object) object { return object{"type": "array", "items": elements} }

// set is a list in which nothing stands twice.
func set(elements object) object {
	return object{"type": "array", "items": elements, "uniqueItems": true}
}

// integer is a whole number from low to high.
func integer(low, high int64) object {
	return object{"type": "integer", "minimum": low, "maximum": high}
}

// matching is a string that a regular expression matches whole.
func matching(pattern string) object {
	return object{"type": "string", "pattern": "^(?:" + pattern + ")$"}
}

// oneOfWords is a string out of a list.
func oneOfWords[T ~string](words ...T) object { return object{"type": "string", "enum": words} }

// document makes a schema of what stands at the top of a document.
func document(title, description string, body object) object {
	schema := maps.Clone(body)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = title
	schema["description"] = description
	return schema
}
