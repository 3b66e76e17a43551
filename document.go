package guise

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/guise-project/guise/internal/jsonread"
	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/isa/arm64"
)

// Schemas of the documents.
const (
	SchemaCapture  = "guise/capture/v1"
	SchemaContract = "guise/contract/v1"
	SchemaProof    = "guise/proof/v1"
	SchemaFleet    = "guise/fleet/v1"
)

// DocumentError is bad input: what is wrong with a document and where.
type DocumentError struct {
	File         string
	Line, Column int // from 1; 0 where the whole document is meant
	Message      string
}

func (e *DocumentError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// documentReader reads one JSON document value by value.
type documentReader struct {
	scanner
	accepts   acceptReader
	arm64     bool         // a member was read that documents of other architectures lack
	ids       []arm64.ID   // of the list that is being read
	merged    []arm64.ID   // the list of a setup that is stored as differences
	lists     [][]arm64.ID // that were read whole; shared, not changed
	forgotten int          // how many of the lists were replaced by later ones
	memory    readMemory
	// captured is where the setups of a capture are read, however many.
	captured []CapturedSetup
	setups   setupKeys // of the capture that is being read
	digest   digester
}

// text reads a string of printable characters: names and releases go into lines
// that people read on a terminal. The result is valid until the next read.
func (r *documentReader) text(what string) []byte {
	text := r.string(what)
	if r.err == nil && (r.unusual || bytes.IndexByte(text, '\x7f') >= 0) && plain.Odd(string(text)) {
		r.fail("%s: want printable characters, there is %q", what, text)
	}
	return text
}

// boolean reads true or false.
func (r *documentReader) boolean(what string) bool {
	if c := r.peek(); r.err == nil && c != 't' && c != 'f' {
		r.wanted(what, "true or false")
	}
	return r.literal("true", "false") == "true"
}

// integer reads a whole number from 0 to limit.
func (r *documentReader) integer(what string, limit int64) int64 {
	if r.err == nil && kindName(r.peek()) != "a number" {
		r.wanted(what, fmt.Sprintf("a whole number from 0 to %d", limit))
	}
	v := r.value()
	if r.err != nil {
		return 0
	}
	n, whole := jsonread.Whole(v)
	if !whole || n < 0 || n > limit {
		r.fail("%s: want a whole number from 0 to %d, there is %s", what, limit, v)
		return 0
	}
	return n
}

// hexadecimal reads "0x" and lower-case hex digits, as many as make up bits
// bits.
func (r *documentReader) hexadecimal(what string, bits int) uint64 {
	text := r.text(what)
	if r.err != nil {
		return 0
	}
	value, ok := parseHex(text, bits)
	if !ok {
		r.fail("%s: want 0x and %d lower-case hex digits, there is %q", what, bits/4, text)
	}
	return value
}

// parseHex reads what appendHex writes.
func parseHex(text []byte, bits int) (value uint64, ok bool) {
	if len(text) != 2+bits/4 || text[0] != '0' || text[1] != 'x' {
		return 0, false
	}
	var bad uint8
	for _, c := range text[2:] {
		digit := hexDigits[c]
		bad |= digit
		value = value<<4 | uint64(digit&15)
	}
	return value, bad < notHex
}

// hexDigits gives the value of each lower-case hex digit, notHex of all else.
var hexDigits = func() (values [256]uint8) {
	for c := range values {
		values[c] = notHex
	}
	for value, c := range "0123456789abcdef" {
		values[c] = uint8(value)
	}
	return values
}()

const notHex = 0x80

// hexText gives "0x" and bits/4 lower-case hex digits.
func hexText(value uint64, bits int) string { return fmt.Sprintf("0x%0*x", bits/4, value) }

// unknownKey records that a key means nothing here.
func (r *documentReader) unknownKey(key []byte, what string) {
	r.fail("%s: the key %q is not known", what, key)
}

// finishAs is finish for a document of the given schema.
func (r *documentReader) finishAs(schema string) error {
	if err := r.finish(); err != nil {
		return firstFault(r.file, r.data, schema, err)
	}
	return nil
}

// SchemaOf returns the schema that a document names, "" where it names none
// that can be found without reading it whole. It looks at no more than the keys
// of the outermost object.
func SchemaOf(data []byte) string {
	// Names that stand twice are for the reader of the kind to refuse: to find
	// them, all are remembered.
	decoder := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '{' {
		return ""
	}
	for decoder.PeekKind() == '"' {
		name, err := decoder.ReadToken()
		if err != nil {
			return ""
		}
		isSchema := name.String() == "schema"
		value, err := decoder.ReadValue()
		if err != nil {
			return ""
		}
		if isSchema && len(value) > longestQuoted {
			return "" // no name of a schema
		}
		if isSchema {
			text, err := jsontext.AppendUnquote(nil, value)
			if err != nil {
				return ""
			}
			return string(text)
		}
	}
	return ""
}
