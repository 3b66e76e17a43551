// Package jsonread holds what readers of documents have in common: which numbers
// are whole, and how a document whose shape is a Go type is read without letting
// it take memory beyond its worth.
package jsonread

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Whole returns the value of a JSON number that is whole, however it is written:
// 1, 1.0 and 10e-1 are one number, as they are for JSON Schema ("integer"). It
// reports false for other numbers, and for those beyond 64 bits with a sign.
func Whole(number []byte) (int64, bool) {
	digits, negative := bytes.CutPrefix(number, []byte{'-'})
	exponent := 0
	if at := bytes.IndexAny(digits, "eE"); at >= 0 {
		// The value alone counts below: of numbers with so long an exponent
		// only 0 is whole.
		var err error
		if exponent, err = strconv.Atoi(string(clip(digits[at+1:], 12))); err != nil || len(digits)-at > 12 {
			exponent = math.MinInt32
		}
		digits = digits[:at]
	}
	whole, fraction, _ := bytes.Cut(digits, []byte{'.'})
	whole = bytes.TrimLeft(whole, "0")
	fraction = bytes.TrimRight(fraction, "0")
	if len(fraction) == 0 {
		trimmed := bytes.TrimRight(whole, "0")
		exponent += len(whole) - len(trimmed)
		whole = trimmed
	}
	exponent -= len(fraction)
	if len(whole) == 0 {
		fraction = bytes.TrimLeft(fraction, "0")
	}
	const longest = 19 // digits of 64 bits
	switch length := len(whole) + len(fraction); {
	case length == 0:
		return 0, true
	case exponent < 0 || exponent > longest || length+exponent > longest:
		return 0, false
	}
	text := make([]byte, 0, 1+longest)
	if negative {
		text = append(text, '-')
	}
	text = append(append(text, whole...), fraction...)
	for range exponent {
		text = append(text, '0')
	}
	value, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, false
	}
	return value, true
}

func clip(text []byte, length int) []byte { return text[:min(len(text), length)] }

// integer is what a Go type has for a whole number of a document.
type integer interface {
	~int | ~int64 | ~uint8 | ~uint32 | ~uint64
}

// Integers reads whole numbers as Whole does.
func Integers() *json.Unmarshalers {
	return json.JoinUnmarshalers(integers[int](), integers[int64](), integers[uint8](), integers[uint32](), integers[uint64]())
}

func integers[T integer]() *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(in *jsontext.Decoder, to *T) error {
		if in.PeekKind() != '0' {
			return errors.ErrUnsupported // what package json says of it will do
		}
		number, err := in.ReadValue()
		if err != nil {
			return err
		}
		value, ok := Whole(number)
		if !ok || int64(T(value)) != value || value < 0 && T(0)-1 > 0 {
			return fmt.Errorf("want a whole number that is not too large, there is %s", clip(number, 40))
		}
		*to = T(value)
		return nil
	})
}

// List reads lists whose elements are of type T, of which there may be at most so
// many in all lists of the document; what names them in errors. It is for one
// document.
func List[T any](most int, what string) *json.Unmarshalers {
	return ListFunc(most, what, func(in *jsontext.Decoder, to *T) error { return json.UnmarshalDecode(in, to) })
}

// ListFunc is List with a function that reads an element.
func ListFunc[T any](most int, what string, read func(*jsontext.Decoder, *T) error) *json.Unmarshalers {
	count := 0
	return json.UnmarshalFromFunc(func(in *jsontext.Decoder, to *[]T) error {
		if in.PeekKind() != '[' {
			return errors.ErrUnsupported
		}
		if _, err := in.ReadToken(); err != nil {
			return err
		}
		list := []T{}
		for in.PeekKind() != ']' {
			if count++; count > most {
				return fmt.Errorf("more than %d %s; want fewer in one document", most, what)
			}
			var element T
			if err := read(in, &element); err != nil {
				return placed(err, len(list))
			}
			list = append(list, element)
		}
		*to = list
		_, err := in.ReadToken()
		return err
	})
}

// placed says of which element an error is, unless it says so itself.
func placed(err error, index int) error {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &semantic) || errors.As(err, &syntactic) {
		return err
	}
	return fmt.Errorf("element %d: %w", index, err)
}

// Map is List for objects with any keys.
func Map[T any](most int, what string) *json.Unmarshalers {
	count := 0
	return json.UnmarshalFromFunc(func(in *jsontext.Decoder, to *map[string]T) error {
		if in.PeekKind() != '{' {
			return errors.ErrUnsupported
		}
		if _, err := in.ReadToken(); err != nil {
			return err
		}
		values := map[string]T{}
		for in.PeekKind() != '}' {
			if count++; count > most {
				return fmt.Errorf("more than %d %s; want fewer in one document", most, what)
			}
			name, err := in.ReadToken()
			if err != nil {
				return err
			}
			key := name.String()
			var value T
			if err := json.UnmarshalDecode(in, &value); err != nil {
				return err
			}
			values[key] = value
		}
		*to = values
		_, err := in.ReadToken()
		return err
	})
}

// Into reads a document into a Go value. Members that the type has not are
// refused, and so is a name that stands twice.
func Into(data []byte, to any, bounds ...*json.Unmarshalers) error {
	if data == nil {
		return errors.New("there is no document")
	}
	return json.Unmarshal(data, to, json.RejectUnknownMembers(true), json.WithUnmarshalers(json.JoinUnmarshalers(append(bounds, Integers())...)))
}
