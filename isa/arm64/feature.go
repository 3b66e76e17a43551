package arm64

import (
	"iter"
	"slices"
	"sort"
	"strings"
)

//go:generate go run github.com/guise-project/guise/internal/gen/arm64tables .

// Feature is a FEAT_ name, or an architecture version such as v8Ap2, in Arm's
// spelling.
type Feature struct {
	Name string
	// Implies names the features that this one cannot be without.
	Implies []string
	// Present is the condition over ID registers under which a guest finds the
	// feature; nil where Arm ties it to none of the table's fields.
	Present Condition
}

// Condition holds if all tests of any of its alternatives hold.
type Condition [][]Test

// Operator compares a field with a value.
type Operator uint8

const (
	AtLeast Operator = iota
	Equal
	Below
)

// Test compares one field with a value.
type Test struct {
	Register int // place in Registers
	Field    int // place in that register's Fields
	Op       Operator
	Value    uint64
	Signed   bool
}

// Holds evaluates the condition on a view's register values, by their place in
// Registers.
func (c Condition) Holds(values *[NumRegisters]uint64) bool {
	return slices.ContainsFunc(c, func(all []Test) bool {
		return !slices.ContainsFunc(all, func(t Test) bool { return !t.Holds(values[t.Register]) })
	})
}

// Holds evaluates the test on a value of its register.
func (t Test) Holds(register uint64) bool {
	field := &Registers[t.Register].Fields[t.Field]
	value, want := int64(field.Get(register)), int64(t.Value)
	if t.Signed {
		shift := 64 - field.Width
		value = value << shift >> shift
	}
	switch t.Op {
	case AtLeast:
		return value >= want
	case Equal:
		return value == want
	default:
		return value < want
	}
}

// FeatureNames are the names of all features, in the order of the table.
func FeatureNames() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range FeatureTable {
			if !yield(FeatureTable[i].Name) {
				return
			}
		}
	}
}

// FeatureNamed returns the feature of that name, without regard to case, or
// nil.
func FeatureNamed(name string) *Feature {
	i := sort.Search(len(FeatureTable), func(i int) bool {
		return FeatureTable[i].Name >= name
	})
	if i < len(FeatureTable) && FeatureTable[i].Name == name {
		return &FeatureTable[i]
	}
	for i := range FeatureTable {
		if strings.EqualFold(FeatureTable[i].Name, name) {
			return &FeatureTable[i]
		}
	}
	return nil
}
