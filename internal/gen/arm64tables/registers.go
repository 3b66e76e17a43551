package main

import (
	"bytes"
	"fmt"
	"go/format"
	"strconv"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

var orders = map[string]isa.Order{
	"exact": isa.Exact, "lower": isa.Lower, "higher": isa.Higher,
	"higher-or-zero": isa.HigherOrZero, "subset": isa.Subset, "floor": isa.Floor,
}

var scopes = map[string]isa.Scope{"vm": isa.PerVM, "vcpu": isa.PerVCPU, "hardware": isa.Hardware}

// parseRegisters reads registers.txt; its head describes the form.
func parseRegisters(source []byte) ([]isa.Register, error) {
	var registers []isa.Register
	var first int // the first of the registers that the current lines describe
	for n, line := range strings.Split(string(source), "\n") {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("registers.txt:%d: %s", n+1, fmt.Sprintf(format, args...))
		}
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '#':
		case words[0] == "register":
			described, err := parseHeading(words[1:])
			if err != nil {
				return nil, fail("%v", err)
			}
			first = len(registers)
			registers = append(registers, described...)
		default:
			if len(registers) == 0 {
				return nil, fail("a field before any register")
			}
			field, err := parseField(line)
			if err != nil {
				return nil, fail("%v", err)
			}
			for i := first; i < len(registers); i++ {
				if registers[i].Named()&field.Mask() != 0 {
					return nil, fail("%s.%s overlaps another field", registers[i].Name, field.Name)
				}
				registers[i].Fields = append(registers[i].Fields, field)
			}
		}
	}
	return registers, nil
}

// parseHeading reads NAME PLACE SCOPE and returns the registers it stands for,
// several where the name ends in a range, [0..13].
func parseHeading(words []string) ([]isa.Register, error) {
	whole := len(words) == 4 && words[3] == "whole"
	if len(words) != 3 && !whole {
		return nil, fmt.Errorf("want register NAME PLACE SCOPE [whole]")
	}
	scope, ok := scopes[words[2]]
	if !ok {
		return nil, fmt.Errorf("scope %s: want vm, vcpu or hardware", words[2])
	}
	name, bounds, isRange := strings.Cut(strings.TrimSuffix(words[0], "]"), "[0..")
	last := uint64(0)
	if isRange {
		var err error
		if last, err = strconv.ParseUint(bounds, 10, 8); err != nil {
			return nil, err
		}
	}
	var registers []isa.Register
	for i := uint64(0); i <= last; i++ {
		id, err := parsePlace(words[1], i)
		if err != nil {
			return nil, err
		}
		r := isa.Register{Name: name, ID: uint64(id), Bits: uint8(id.Size() * 8), Scope: scope, Whole: whole || scope == isa.Hardware}
		if isRange {
			r.Name = fmt.Sprintf("%s[%d]", name, i)
		}
		registers = append(registers, r)
	}
	return registers, nil
}

// parsePlace reads where KVM keeps the register and returns its id.
func parsePlace(place string, index uint64) (arm64.ID, error) {
	kind, number, numbered := strings.Cut(place, ":")
	if !numbered {
		encoding, err := arm64.ParseEncoding(place)
		return encoding.ID(), err
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return 0, err
	}
	switch n += index; kind {
	case "demux":
		return arm64.CCSIDRID(uint8(n)), nil
	case "firmware":
		return arm64.FirmwareID(uint16(n)), nil
	case "bitmap":
		return arm64.FirmwareFeatureID(uint16(n)), nil
	}
	return 0, fmt.Errorf("place %s: want an encoding, demux:N, firmware:N or bitmap:N", place)
}

// parseField reads one field's line.
func parseField(line string) (isa.Field, error) {
	description, names, _ := strings.Cut(line, " : ")
	words := strings.Fields(description)
	if len(words) < 4 {
		return isa.Field{}, fmt.Errorf("want MSB:LSB FIELD ORDER SAFE")
	}
	high, low, _ := strings.Cut(words[0], ":")
	msb, err1 := strconv.ParseUint(high, 10, 6)
	lsb, err2 := strconv.ParseUint(low, 10, 6)
	safe, err3 := strconv.ParseUint(words[3], 10, 64)
	order, ok := orders[words[2]]
	if err1 != nil || err2 != nil || err3 != nil || lsb > msb || !ok {
		return isa.Field{}, fmt.Errorf("field %s: bits, order or safe value do not read", words[1])
	}
	f := isa.Field{
		Name: words[1], LSB: uint8(lsb), Width: uint8(msb - lsb + 1),
		Order: order, HostOrder: order, Safe: safe, Sanitised: true, Strict: true,
	}
	for _, flag := range words[4:] {
		rule, isRule := strings.CutPrefix(flag, "host=")
		switch {
		case flag == "signed":
			f.Signed = true
		case flag == "nonstrict":
			f.Strict = false
		case flag == "unsanitised":
			f.Sanitised, f.Strict = false, false
		case isRule:
			if f.HostOrder, ok = orders[rule]; !ok {
				return isa.Field{}, fmt.Errorf("field %s: rule %s", f.Name, rule)
			}
		default:
			return isa.Field{}, fmt.Errorf("field %s: flag %s", f.Name, flag)
		}
	}
	for _, pair := range strings.Fields(names) {
		number, name, _ := strings.Cut(pair, "=")
		value, err := strconv.ParseUint(number, 10, 64)
		if err != nil || name == "" || value > f.Mask()>>f.LSB {
			return isa.Field{}, fmt.Errorf("field %s: value %s", f.Name, pair)
		}
		f.Values = append(f.Values, isa.Value{Value: value, Name: name})
	}
	return f, nil
}

// printRegisters writes the table as Go source.
func printRegisters(registers []isa.Register) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprint(&b, "// Code generated by arm64tables from source/registers.txt; DO NOT EDIT.\n\n")
	fmt.Fprint(&b, "package arm64\n\nimport \"github.com/guise-project/guise/isa\"\n\n")
	fmt.Fprint(&b, "// Registers is every register of the feature ID space and KVM's firmware\n// registers, in the order of the source file.\n")
	fmt.Fprint(&b, "var Registers = [...]isa.Register{\n")
	for _, r := range registers {
		fmt.Fprintf(&b, "{Name: %q, ID: %#x, Bits: %d, Scope: %d, Whole: %t, Fields: []isa.Field{\n", r.Name, r.ID, r.Bits, r.Scope, r.Whole)
		for _, f := range r.Fields {
			fmt.Fprintf(&b, "{Name: %q, LSB: %d, Width: %d, Order: %d, HostOrder: %d, Safe: %d", f.Name, f.LSB, f.Width, f.Order, f.HostOrder, f.Safe)
			for _, flag := range []struct {
				name string
				set  bool
			}{{"Signed", f.Signed}, {"Sanitised", f.Sanitised}, {"Strict", f.Strict}} {
				if flag.set {
					fmt.Fprintf(&b, ", %s: true", flag.name)
				}
			}
			if len(f.Values) > 0 {
				fmt.Fprint(&b, ", Values: []isa.Value{")
				for _, v := range f.Values {
					fmt.Fprintf(&b, "{Value: %d, Name: %q},", v.Value, v.Name)
				}
				fmt.Fprint(&b, "}")
			}
			fmt.Fprint(&b, "},\n")
		}
		fmt.Fprint(&b, "}},\n")
	}
	fmt.Fprint(&b, "}\n\n")
	printSlots(&b, registers)
	printIndexes(&b, registers)
	return format.Source(b.Bytes())
}

// printSlots writes the flat layout of offers: one slot for each field that has
// at most 16 values.
func printSlots(b *bytes.Buffer, registers []isa.Register) {
	fmt.Fprint(b, "// Slots is the layout of offers: every field whose values fit a set.\nvar Slots = [...]Slot{\n")
	first := make([]int, 0, len(registers)+1)
	slots := 0
	for r, register := range registers {
		first = append(first, slots)
		for f, field := range register.Fields {
			coded := field.Width > 4 && len(field.Values) > 0 && len(field.Values) <= 16
			if register.Whole || (field.Width > 4 && !coded) {
				continue
			}
			fmt.Fprintf(b, "{Register: %d, Field: %d, Coded: %t},\n", r, f, coded)
			slots++
		}
	}
	first = append(first, slots)
	fmt.Fprint(b, "}\n\n// firstSlot is each register's first slot; the last entry is the number of slots.\n")
	fmt.Fprintf(b, "var firstSlot = [...]int{")
	for _, n := range first {
		fmt.Fprintf(b, "%d,", n)
	}
	fmt.Fprint(b, "}\n\n")
}

// printIndexes writes one constant for each register's place in the table, so
// that code can name a register without a look-up.
func printIndexes(b *bytes.Buffer, registers []isa.Register) {
	fmt.Fprint(b, "// Places of the registers in Registers.\nconst (\n")
	for i, r := range registers {
		fmt.Fprintf(b, "%s = %d\n", indexName(r.Name), i)
	}
	fmt.Fprint(b, ")\n")
}

// indexName turns ID_AA64PFR0_EL1 into IDAA64PFR0EL1 and CCSIDR_EL1[3] into
// CCSIDREL1Level3; reserved encodings keep their underscores.
func indexName(register string) string {
	if _, err := arm64.ParseEncoding(register); err == nil {
		return register
	}
	name, level, indexed := strings.Cut(strings.TrimSuffix(register, "]"), "[")
	name = strings.ReplaceAll(name, "_", "")
	if indexed {
		name += "Level" + level
	}
	return name
}
