package guise

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// NewDocumentError places what package json says of a document within it, and
// says it without the types of Go.
func NewDocumentError(file string, data []byte, err error) *DocumentError {
	offset, message := int64(-1), err.Error()
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &syntactic):
		offset = syntactic.ByteOffset
		message = fmt.Sprintf("not valid JSON: %v", syntactic.Err)
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		offset = semantic.ByteOffset
		message = fmt.Sprintf("%s: is no member that is known", semantic.JSONPointer)
	case errors.As(err, &semantic):
		offset = semantic.ByteOffset
		message = fmt.Sprintf("%s: %s is not what is wanted here", semantic.JSONPointer, kindName(byte(semantic.JSONKind)))
		if semantic.Err != nil {
			message = fmt.Sprintf("%s: %v", semantic.JSONPointer, semantic.Err)
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
