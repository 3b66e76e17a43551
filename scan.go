package guise

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner reads JSON (RFC 8259) token by token out of a document that is in
// memory whole. It exists for speed: a fleet is ten thousand documents, and
// the tokens of theirs that count are plain strings in a known order. Whatever
// is not plain (escapes, values of unknown shape) is left to jsontext.
//
// The first error sticks: every later call does nothing.
type scanner struct {
	file  string
	data  []byte
	at    int // the byte to read next
	start int // of the token that was read last
	room  int // bytes of memory that the rest of the document may still take
	keys  [][]byte
	err   error
	// unusual: the string that was read last had an escape, or more than ASCII.
	unusual bool
}

// What errors about the form of a document say.
const (
	endsTooEarly = "the document ends too early; is it cut off?"
	notValidJSON = "not valid JSON: "
)

// reset readies the scanner, which may have read another document before.
func (s *scanner) reset(file string, data []byte) {
	clear(s.keys)
	*s = scanner{file: file, data: data, keys: s.keys[:0], room: roomFor(len(data))}
}

// failAt records an error at a byte offset of the document.
func (s *scanner) failAt(offset int, format string, args ...any) {
	if s.err != nil {
		return
	}
	before := s.data[:min(max(offset, 0), len(s.data))]
	s.err = &DocumentError{
		File:    s.file,
		Line:    1 + bytes.Count(before, []byte{'\n'}),
		Column:  len(before) - bytes.LastIndexByte(before, '\n'),
		Message: fmt.Sprintf(format, clipped(args)...),
	}
}

// longestQuoted is how much of a document's text an error message repeats, in
// bytes.
const longestQuoted = 200

// clipped cuts long texts of a document, which are then marked.
func clipped(args []any) []any {
	for i, arg := range args {
		switch v := reflect.ValueOf(arg); {
		case v.Kind() == reflect.String && v.Len() > longestQuoted:
			args[i] = v.String()[:longestQuoted] + "..."
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 && v.Len() > longestQuoted:
			args[i] = string(v.Bytes()[:longestQuoted]) + "..."
		}
	}
	return args
}

// fail records an error at the key or value that was read last.
func (s *scanner) fail(format string, args ...any) { s.failAt(s.start, format, args...) }

// failJSON records what jsontext says is wrong with the value at s.start.
func (s *scanner) failJSON(err error) {
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		s.failAt(s.start+int(syntactic.ByteOffset), "the key %q stands here twice", syntactic.JSONPointer.LastToken())
	case errors.As(err, &syntactic) && s.start+int(syntactic.ByteOffset) < len(s.data) && !errors.Is(err, io.ErrUnexpectedEOF):
		s.failAt(s.start+int(syntactic.ByteOffset), notValidJSON+"%v", syntactic.Err)
	default:
		s.failAt(len(s.data), endsTooEarly)
	}
}

// peek skips white space and returns the byte after it, 0 at the end of the
// document.
func (s *scanner) peek() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\n', '\r', '\t':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// take reads one byte of punctuation if it is the next token.
func (s *scanner) take(c byte) bool {
	if s.err != nil || s.peek() != c {
		return false
	}
	s.start = s.at
	s.at++
	return true
}

// unexpected records that the document does not go on as it must.
func (s *scanner) unexpected(want string) {
	s.peek()
	if s.at >= len(s.data) {
		s.failAt(len(s.data), endsTooEarly)
		return
	}
	character, _ := utf8.DecodeRune(s.data[s.at:])
	s.failAt(s.at, notValidJSON+"want %s, there is %q", want, character)
}

// string reads a string. The result is valid until the next read.
func (s *scanner) string(what string) []byte {
	if s.err != nil {
		return nil
	}
	if s.peek() != '"' {
		s.wanted(what, "a string")
		return nil
	}
	s.start = s.at
	rest := s.data[s.at+1:]
	length := asciiText(rest)
	s.unusual = false
	if length < len(rest) && rest[length] == '"' {
		s.at += length + 2
		return rest[:length]
	}
	s.unusual = true
	return s.quoted()
}

// quoted reads a string that is more than plain ASCII.
func (s *scanner) quoted() []byte {
	end := s.at + 1
	for end < len(s.data) && s.data[end] != '"' {
		if s.data[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(s.data) {
		s.failAt(len(s.data), "the document ends too early; is it cut off?")
		return nil
	}
	unquoted, err := jsontext.AppendUnquote(nil, s.data[s.at:end+1])
	if err != nil {
		s.value() // says where in the string
		s.failAt(s.start, notValidJSON+"%v", err)
		return nil
	}
	s.at = end + 1
	return unquoted
}

// literal reads one of the words, which begin with different letters.
func (s *scanner) literal(words ...string) string {
	if s.err != nil {
		return ""
	}
	s.peek()
	s.start = s.at
	for _, word := range words {
		if bytes.HasPrefix(s.data[s.at:], []byte(word)) {
			s.at += len(word)
			return word
		}
	}
	s.value()
	s.unexpected("one of " + strings.Join(words, ", "))
	return ""
}

// asciiText returns the number of bytes at the beginning that a string holds as
// they stand: printable ASCII, no quotation mark, no backslash. It looks at
// eight bytes at a time.
func asciiText(text []byte) int {
	const ones, tops = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080
	n := 0
	for ; len(text)-n >= 8; n += 8 {
		word := binary.LittleEndian.Uint64(text[n:])
		quote, backslash := word^ones*'"', word^ones*'\\'
		// The lowest bit that is set marks the first byte that is below a
		// space, equal to one of the two, or not ASCII.
		stop := ((word - ones*' ') | (quote - ones) | (backslash - ones) | word) & tops
		if stop != 0 {
			// Of a byte that is not ASCII the subtractions say nothing.
			return n + bits.TrailingZeros64(stop)/8
		}
	}
	for n < len(text) && ' ' <= text[n] && text[n] < utf8.RuneSelf && text[n] != '"' && text[n] != '\\' {
		n++
	}
	return n
}

// value reads a value of any shape as it stands in the document.
func (s *scanner) value() jsontext.Value {
	if s.err != nil {
		return nil
	}
	switch c := s.peek(); {
	case c == '-' || ('0' <= c && c <= '9'):
		if length := wholeNumber(s.data[s.at:]); length > 0 {
			s.start = s.at
			s.at += length
			return s.data[s.start:s.at]
		}
	case s.at >= len(s.data):
		s.unexpected("a value")
		return nil
	}
	s.start = s.at
	// Whoever reads the value refuses names that stand twice.
	decoder := jsontext.NewDecoder(bytes.NewBuffer(s.data[s.at:]), jsontext.AllowDuplicateNames(true))
	value, err := decoder.ReadValue()
	if err != nil {
		s.failJSON(err)
		return nil
	}
	s.at += int(decoder.InputOffset())
	return value
}

// wholeNumber returns the length of a number without fraction or exponent, 0
// where there is another one.
func wholeNumber(text []byte) int {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	if n == len(text) || (n > 1 && text[0] == '0') || bytes.IndexByte([]byte(".eE"), text[n]) >= 0 {
		return 0
	}
	return n
}

// manyKeys is how many keys no object of known names has.
const manyKeys = 1024

// object calls member for each key of an object; member must read the value.
func (s *scanner) object(what string, member func(key []byte)) {
	if !s.begin('{', what) {
		return
	}
	first := len(s.keys)
	var seen map[string]bool
	for s.err == nil && !s.take('}') {
		if len(s.keys) > first && !s.take(',') {
			s.unexpected("a comma or the end of the object")
			break
		}
		key := s.string("a key")
		at := s.start
		if s.err != nil {
			break
		}
		if seen = s.unique(first, seen, key); s.err != nil {
			break
		}
		if s.keys = append(s.keys, key); len(s.keys)-first > manyKeys {
			s.spend(roomOfName)
		}
		if !s.take(':') {
			s.unexpected("a colon")
			break
		}
		s.start = at
		member(key)
	}
	s.keys = s.keys[:first]
}

// unique refuses a key that the object has already. In a canonical document the
// keys ascend, and none can stand twice; for others all are remembered.
func (s *scanner) unique(first int, seen map[string]bool, key []byte) map[string]bool {
	before := s.keys[first:]
	if seen == nil {
		if len(before) == 0 || bytes.Compare(before[len(before)-1], key) < 0 {
			return nil
		}
		seen = make(map[string]bool, 2*len(before))
		for _, k := range before {
			seen[string(k)] = true
		}
	}
	if seen[string(key)] {
		s.failAt(s.start, "the key %q stands here twice", key)
	}
	seen[string(key)] = true
	return seen
}

// list calls element for each element of a list; element must read it.
func (s *scanner) list(what string, element func()) {
	if !s.begin('[', what) {
		return
	}
	for n := 0; s.err == nil && !s.take(']'); n++ {
		if n > 0 && !s.take(',') {
			s.unexpected("a comma or the end of the list")
			return
		}
		element()
	}
}

// begin reads the opening bracket of an object or list.
func (s *scanner) begin(bracket byte, what string) bool {
	switch {
	case s.err != nil:
	case s.take(bracket):
		return true
	default:
		s.wanted(what, kindName(bracket))
	}
	return false
}

// wanted records that the next token is not of the kind that is wanted.
func (s *scanner) wanted(what, kind string) {
	c := s.peek()
	if there := kindName(c); there != "" {
		s.failAt(s.at, "%s: want %s, there is %s", what, kind, there)
		return
	}
	s.unexpected(kind)
}

// kindName names the kind of token that begins with a byte, "" for none.
func kindName(c byte) string {
	switch {
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '"':
		return "a string"
	case c == 't' || c == 'f':
		return "true or false"
	case c == 'n':
		return "null"
	case c == '-' || ('0' <= c && c <= '9'):
		return "a number"
	}
	return ""
}

// finish checks that nothing follows the document.
func (s *scanner) finish() error {
	if s.err == nil && s.peek() != 0 {
		s.failAt(s.at, "something follows the document")
	} else if s.err == nil && s.at < len(s.data) {
		s.failAt(s.at, "something follows the document")
	}
	return s.err
}
