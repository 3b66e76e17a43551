package guise

import (
	"bytes"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// kindWords are the documents that there are, as messages call them, by what
// their schemas have between "guise/" and the version.
var kindWords = map[string]string{
	"capture":   "a capture",
	"contract":  "a contract",
	"proof":     "a proof",
	"fleet":     "a fleet",
	"vmstate":   "the state of a VM",
	"arrival":   "an arrival of a VM",
	"questions": "a list of questions",
	"answers":   "a list of answers",
}

// DocumentKind says what documents of a schema are, "a capture" for
// guise/capture/v1, or "" where the schema is none of guise's.
func DocumentKind(schema string) string {
	name, ok := strings.CutPrefix(schema, "guise/")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, "/")
	return kindWords[name]
}

// firstFault says what a person has to know first of a document that could not
// be read: that it is no JSON, is cut off, or is of another kind. Where it is
// none of these, the reader's own error stands.
func firstFault(file string, data []byte, schema string, err error) error {
	want := DocumentKind(schema)
	start := len(data) - len(bytes.TrimLeft(data, " \t\r\n"))
	s := scanner{file: file, data: data, start: start}
	switch {
	case start == len(data):
		return &DocumentError{File: file, Message: "is empty; want " + want}
	case bytes.HasPrefix(data, []byte("\ufeff")):
		s.failAt(0, "begins with a byte order mark; want none")
		return s.err
	case bytes.IndexByte([]byte(`{["-0123456789tfn`), data[start]) < 0:
		s.failAt(start, "is not JSON; want %s", want)
		return s.err
	}
	decoder := jsontext.NewDecoder(bytes.NewBuffer(data[start:]), jsontext.AllowDuplicateNames(true))
	if fault := decoder.SkipValue(); fault != nil {
		if saysSyntax(err) {
			return err
		}
		s.failJSON(fault)
		return s.err
	}
	there := SchemaOf(data)
	if there == "" || there == schema {
		return err
	}
	at := bytes.Index(data, []byte(`"`+there+`"`))
	if kind := DocumentKind(there); kind != "" && kind != want {
		s.failAt(at, "is %s; want %s", kind, want)
	} else {
		s.failAt(at, "schema: want %s, there is %s", schema, there)
	}
	return s.err
}

// saysSyntax reports whether a reader's error is about the form of the document,
// not about what it says.
func saysSyntax(err error) bool {
	var e *DocumentError
	return errors.As(err, &e) && (strings.HasPrefix(e.Message, notValidJSON) || e.Message == endsTooEarly)
}
