package guise

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Schemas of the documents.
const (
	SchemaCapture  = "guise/capture/v1"
	SchemaContract = "guise/contract/v1"
	SchemaProof    = "guise/proof/v1"
	SchemaFleet    = "guise/fleet/v1"
)

// MaxDocumentSize is the largest document that is read, in bytes: room for a
// fleet of some ten thousand hosts that are all different.
const MaxDocumentSize = 256 << 20

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

// documentReader reads one JSON document token by token. The first error
// sticks: every later call does nothing.
type documentReader struct {
	file    string
	data    []byte
	decoder *jsontext.Decoder
	buffer  bytes.Buffer
	err     error
}

// reset readies the reader, which may have read another document before.
func (r *documentReader) reset(file string, data []byte) {
	r.file, r.data, r.err = file, data, nil
	r.buffer = *bytes.NewBuffer(data)
	if r.decoder == nil {
		r.decoder = jsontext.NewDecoder(&r.buffer)
	} else {
		r.decoder.Reset(&r.buffer)
	}
}

// failAt records an error at a byte offset of the document.
func (r *documentReader) failAt(offset int64, format string, args ...any) {
	if r.err != nil {
		return
	}
	before := r.data[:min(max(offset, 0), int64(len(r.data)))]
	r.err = &DocumentError{
		File:    r.file,
		Line:    1 + bytes.Count(before, []byte{'\n'}),
		Column:  len(before) - bytes.LastIndexByte(before, '\n'),
		Message: fmt.Sprintf(format, args...),
	}
}

// fail records an error at the value that was read last.
func (r *documentReader) fail(format string, args ...any) {
	r.failAt(r.decoder.InputOffset()-1, format, args...)
}

// failJSON records what the decoder says is wrong.
func (r *documentReader) failJSON(err error) {
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		r.failAt(syntactic.ByteOffset, "the key %q stands here twice", syntactic.JSONPointer.LastToken())
	case errors.As(err, &syntactic):
		message := "not valid JSON: " + syntactic.Err.Error()
		if syntactic.ByteOffset >= int64(len(r.data)) || bytes.Contains([]byte(syntactic.Err.Error()), []byte("EOF")) {
			message = "the document ends too early; is it cut off?"
		}
		r.failAt(syntactic.ByteOffset, "%s", message)
	default:
		r.failAt(int64(len(r.data)), "the document ends too early; is it cut off?")
	}
}

// value returns the next value as it stands in the document. It is valid until
// the next read.
func (r *documentReader) value() jsontext.Value {
	if r.err != nil {
		return nil
	}
	v, err := r.decoder.ReadValue()
	if err != nil {
		r.failJSON(err)
		return nil
	}
	return v
}

// begin reads the opening bracket of an object or array.
func (r *documentReader) begin(kind jsontext.Kind, what string) bool {
	if r.err != nil {
		return false
	}
	token, err := r.decoder.ReadToken()
	switch {
	case err != nil:
		r.failJSON(err)
	case token.Kind() != kind:
		r.fail("%s: want %s, there is %s", what, bracketNames[kind], kindName(token.Kind()))
	}
	return r.err == nil
}

var bracketNames = map[jsontext.Kind]string{'{': "an object", '[': "a list"}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{', '[':
		return bracketNames[k]
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "true or false"
	}
	return k.String()
}

// object calls member for each key of an object; member must read the value.
func (r *documentReader) object(what string, member func(key []byte)) {
	if !r.begin('{', what) {
		return
	}
	for r.err == nil && r.decoder.PeekKind() == '"' {
		key := r.text("a key")
		if r.err == nil {
			member(key)
		}
	}
	r.end()
}

// list calls element for each element of a list; element must read it.
func (r *documentReader) list(what string, element func()) {
	if !r.begin('[', what) {
		return
	}
	for r.err == nil {
		if kind := r.decoder.PeekKind(); kind == ']' || kind == 0 {
			break
		}
		element()
	}
	r.end()
}

// end reads the closing bracket.
func (r *documentReader) end() {
	if r.err != nil {
		return
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		r.failJSON(err)
	}
}

// text reads a string. The result is valid until the next read.
func (r *documentReader) text(what string) []byte {
	v := r.value()
	if r.err != nil {
		return nil
	}
	if v.Kind() != '"' {
		r.fail("%s: want a string, there is %s", what, kindName(v.Kind()))
		return nil
	}
	if inner := v[1 : len(v)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	unquoted, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		r.failJSON(err)
	}
	return unquoted
}

// boolean reads true or false.
func (r *documentReader) boolean(what string) bool {
	v := r.value()
	if r.err == nil && v.Kind() != 't' && v.Kind() != 'f' {
		r.fail("%s: want true or false, there is %s", what, kindName(v.Kind()))
	}
	return r.err == nil && v.Kind() == 't'
}

// integer reads a whole number from 0 to limit.
func (r *documentReader) integer(what string, limit int) int {
	v := r.value()
	if r.err != nil {
		return 0
	}
	n, err := strconv.Atoi(string(v))
	if err != nil || n < 0 || n > limit {
		r.fail("%s: want a whole number from 0 to %d, there is %s", what, limit, v)
		return 0
	}
	return n
}

// hexadecimal reads "0x" and lower-case hex digits, as many as make up bits
// bits.
func (r *documentReader) hexadecimal(what []byte, bits int) uint64 {
	text := r.text(string(what))
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
	for _, c := range text[2:] {
		switch {
		case '0' <= c && c <= '9':
			value = value<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			value = value<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return value, true
}

// hexText gives "0x" and bits/4 lower-case hex digits.
func hexText(value uint64, bits int) string { return fmt.Sprintf("0x%0*x", bits/4, value) }

// unknownKey records that a key means nothing here.
func (r *documentReader) unknownKey(key []byte, what string) {
	r.fail("%s: the key %q is not known", what, key)
}

// finish checks that nothing follows the document.
func (r *documentReader) finish() error {
	if r.err == nil {
		if kind := r.decoder.PeekKind(); kind != 0 {
			r.fail("something follows the document")
		} else if _, err := r.decoder.ReadToken(); err != nil && r.decoder.InputOffset() < int64(len(bytes.TrimRight(r.data, " \t\r\n"))) {
			r.failJSON(err)
		}
	}
	return r.err
}

// SchemaOf returns the schema that a document names, "" where it names none
// that can be found without reading it whole. It looks at no more than the keys
// of the outermost object.
func SchemaOf(data []byte) string {
	decoder := jsontext.NewDecoder(bytes.NewReader(data))
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
