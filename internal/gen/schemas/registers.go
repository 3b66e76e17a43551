package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/guise-project/guise/isa/arm64"
)

// Generic assembler names of the feature ID space, and of any register.
const (
	featureEncoding = "S3_[013]_C0_C[0-7]_[0-7]"
	anyEncoding     = "S[0-3]_[0-7]_C(?:1[0-5]|[0-9])_C(?:1[0-5]|[0-9])_[0-7]"
)

// namesOf returns the names by which documents may call a register: the
// architecture's, and the generic assembler name where it has an encoding.
func namesOf(place int) []string {
	names := []string{arm64.Registers[place].Name}
	if encoding, ok := arm64.ID(arm64.Registers[place].ID).Encoding(); ok && encoding.String() != names[0] {
		names = append(names, encoding.String())
	}
	return names
}

// firmware reports whether a register is one of KVM's own, which have a map to
// themselves; the 32-bit CCSIDR_EL1 array is the architecture's.
func firmware(place int) bool {
	_, system := arm64.ID(arm64.Registers[place].ID).Encoding()
	return !system && arm64.Registers[place].Bits == 64
}

// valueOf is the schema of a register's value.
func valueOf(place int) object {
	if arm64.Registers[place].Bits == 32 {
		return hex32
	}
	return hex64
}

// registerMap is an object from the names of registers to what make gives for
// them; registers for which it gives nil are left out.
func registerMap(make func(place int) object) object {
	members := object{}
	for place := range arm64.Registers {
		schema := make(place)
		if schema == nil {
			continue
		}
		for _, name := range namesOf(place) {
			members[name] = schema
		}
	}
	return closed(members)
}

// withPattern adds members whose name matches a pattern.
func withPattern(schema object, pattern string, value object) object {
	schema["patternProperties"] = object{"^" + pattern + "$": value}
	return schema
}

// registerName is any register of the table.
func registerName() object {
	var names []string
	for place := range arm64.Registers {
		names = append(names, namesOf(place)...)
	}
	return oneOfWords(names...)
}

// ruledName is a register that a contract is complete over.
func ruledName() object {
	names := []string{featureEncoding}
	for place := range arm64.Registers {
		if encoding, ok := arm64.ID(arm64.Registers[place].ID).Encoding(); firmware(place) || ok && encoding.InFeatureSpace() {
			names = append(names, regexp.QuoteMeta(arm64.Registers[place].Name))
		}
	}
	return matching(strings.Join(names, "|"))
}

// acceptedFields refers to the sets of values that a host takes of one
// register's fields.
func acceptedFields(place int) object {
	if first, end := arm64.SlotsOf(place); first == end {
		return shared("accepts")
	}
	return shared("accepts." + arm64.Registers[place].Name)
}

// acceptedSets are the definitions that acceptedFields refers to.
func acceptedSets() object {
	definitions := object{"accepts": closed(object{"*": anyValue})}
	for place := range arm64.Registers {
		members := object{"*": anyValue}
		first, end := arm64.SlotsOf(place)
		for i := first; i < end; i++ {
			_, field := arm64.Slots[i].Describe()
			members[field.Name] = acceptedSet(&arm64.Slots[i])
		}
		if first < end {
			definitions["accepts."+arm64.Registers[place].Name] = closed(members)
		}
	}
	return definitions
}

// anyValue stands for all bits of a register that are compared whole.
var anyValue = object{"const": "any"}

// acceptedSet is a set of one field's values; versions are called by name.
func acceptedSet(slot *arm64.Slot) object {
	_, field := slot.Describe()
	if !slot.Coded {
		return shared(fmt.Sprintf("set%d", field.Width))
	}
	var versions []string
	for _, v := range field.Values {
		versions = append(versions, regexp.QuoteMeta(v.Name))
	}
	return matching(separated("(?:" + strings.Join(versions, "|") + ")"))
}

// sets are the sets of values of fields of each width: 0-2 or 0,15.
func sets() object {
	definitions := object{}
	for width, member := range map[string]string{"1": "[01]", "2": "[0-3]", "3": "[0-7]", "4": "(?:1[0-5]|[0-9])"} {
		definitions["set"+width] = described(matching(separated(member+"(?:-"+member+")?")),
			"values of a field of "+width+" bits: ranges and single values in decimal, each value once")
	}
	return definitions
}

// separated is a list of members with commas between them.
func separated(member string) string { return member + "(?:," + member + ")*" }
