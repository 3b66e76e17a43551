package guise

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// NewDocumentError places what package json says of a document within it, and
// says it without the types of Go.
func NewDocumentError(file string, data []byte, err error) *DocumentError {
	if err == nil {
		return &DocumentError{File: file, Message: "is not what is wanted"}
	}
	offset, message := int64(-1), err.Error()
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &syntactic):
		offset = syntactic.ByteOffset
		message = fmt.Sprintf("%s%v", notValidJSON, syntactic.Err)
		if errors.Is(syntactic.Err, io.ErrUnexpectedEOF) {
			offset, message = int64(len(data)), endsTooEarly
		}
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		offset = semantic.ByteOffset
		message = fmt.Sprintf("%s: is no member that is known", semantic.JSONPointer)
	case errors.As(err, &semantic):
		offset = semantic.ByteOffset
		there := kindName(byte(semantic.JSONKind))
		if len(semantic.JSONValue) > 0 && len(semantic.JSONValue) <= 40 && semantic.JSONKind == '0' {
			there = string(semantic.JSONValue)
		}
		message = fmt.Sprintf("want %s, there is %s", wantedKind(semantic.GoType), there)
		if semantic.Err != nil && !errors.Is(semantic.Err, strconv.ErrSyntax) && !errors.Is(semantic.Err, strconv.ErrRange) {
			message = semantic.Err.Error()
		}
		if semantic.JSONPointer != "" {
			message = fmt.Sprintf("%s: %s", semantic.JSONPointer, message)
		}
	}
	if offset < 0 || offset > int64(len(data)) {
		return &DocumentError{File: file, Message: message}
	}
	before := data[:offset]
	return &DocumentError{
		File: file, Line: 1 + bytes.Count(before, []byte{'\n'}), Column: len(before) - bytes.LastIndexByte(before, '\n'),
		Message: message,
	}
}

// wantedKind says in the words of JSON what a place takes.
func wantedKind(t reflect.Type) string {
	if t == nil {
		return "something else"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Pointer:
		return wantedKind(t.Elem())
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<t.Bits()-1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	}
	return "something else"
}
