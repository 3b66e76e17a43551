package power

import (
	"fmt"
	"strings"

	"github.com/guise-project/guise/isa"
)

// Register is a register of the nested interface with its named fields, most
// significant first.
type Register struct {
	Name   string
	SPR    uint16 // special-purpose register number; 0 for what is none
	About  string
	Fields []isa.Field
}

// LPCR fields (Power ISA 3.1B book III, 2.2).
const (
	LPCRPrefetchDepth uint64 = 0x0070000000000000 // DPFD
	LPCRHAIL          uint64 = 0x0000000004000000
	LPCRILE           uint64 = 0x0000000002000000
	LPCRAIL           uint64 = 0x0000000001800000
	LPCRUPRT          uint64 = 0x0000000000400000
	LPCRHR            uint64 = 0x0000000000100000
	LPCRLD            uint64 = 0x0000000000020000
	LPCRMER           uint64 = 0x0000000000000800
	LPCRGTSE          uint64 = 0x0000000000000400
	LPCRTC            uint64 = 0x0000000000000200
	LPCRLPES          uint64 = 0x000000000000000c

	// LPCRNested holds what L1 may set for L2; the rest is L1's own. Since
	// March 2022 Linux keeps LPES to itself as well.
	LPCRNested = LPCRPrefetchDepth | LPCRILE | LPCRAIL | LPCRLD | LPCRTC | LPCRLPES | LPCRMER
)

// Bits of the data address watchpoints (DAWRX0, DAWRX1) and of the completed
// instruction address breakpoint (CIABR) that name the privilege they match.
const (
	DAWRXHyper uint64 = 0x4
	CIABRLevel uint64 = 0x3
	CIABRHyper uint64 = 0x3
)

// MSR bits.
const (
	MSRSF  uint64 = 1 << 63
	MSRHV  uint64 = 1 << 60
	MSRTST uint64 = 1 << 34 // transactional
	MSRTSS uint64 = 1 << 33 // suspended
	MSRTS         = MSRTST | MSRTSS
	MSRTM  uint64 = 1 << 32
	MSRVEC uint64 = 1 << 25
	MSRVSX uint64 = 1 << 23
	MSREE  uint64 = 1 << 15
	MSRPR  uint64 = 1 << 14
	MSRFP  uint64 = 1 << 13
	MSRME  uint64 = 1 << 12
	MSRIR  uint64 = 1 << 5
	MSRDR  uint64 = 1 << 4
	MSRRI  uint64 = 1 << 1
	MSRLE  uint64 = 1 << 0
)

// Registers lists the registers that Explain knows.
var Registers = []Register{
	{Name: "HFSCR", SPR: 190, About: "hypervisor facility status and control: what a hypervisor leaves its guest", Fields: facilityFields(true)},
	{Name: "FSCR", SPR: 153, About: "facility status and control: what an operating system leaves its programs", Fields: facilityFields(false)},
	{Name: "LPCR", SPR: 318, About: "logical partitioning control", Fields: []isa.Field{
		{Name: "VPM", LSB: 62, Width: 2},
		{Name: "DPFD", LSB: 52, Width: 3},
		{Name: "HAIL", LSB: 26, Width: 1},
		{Name: "ILE", LSB: 25, Width: 1, Values: []isa.Value{{Value: 0, Name: "interrupts are taken big-endian"}, {Value: 1, Name: "interrupts are taken little-endian"}}},
		{Name: "AIL", LSB: 23, Width: 2, Values: []isa.Value{{Value: 0, Name: "interrupts are taken with translation off"}, {Value: 3, Name: "interrupts are taken at 0xc000000000004000 with translation on"}}},
		{Name: "UPRT", LSB: 22, Width: 1},
		{Name: "EVIRT", LSB: 21, Width: 1},
		{Name: "HR", LSB: 20, Width: 1, Values: []isa.Value{{Value: 0, Name: "hashed translation"}, {Value: 1, Name: "radix translation"}}},
		{Name: "ONL", LSB: 18, Width: 1},
		{Name: "LD", LSB: 17, Width: 1, Values: []isa.Value{{Value: 0, Name: "32-bit decrementer"}, {Value: 1, Name: "large decrementer"}}},
		{Name: "PECE", LSB: 12, Width: 5},
		{Name: "MER", LSB: 11, Width: 1},
		{Name: "GTSE", LSB: 10, Width: 1},
		{Name: "TC", LSB: 9, Width: 1},
		{Name: "HEIC", LSB: 4, Width: 1},
		{Name: "LPES", LSB: 2, Width: 2},
		{Name: "HVICE", LSB: 1, Width: 1},
		{Name: "HDICE", LSB: 0, Width: 1},
	}},
	{Name: "PCR", SPR: 338, About: "processor compatibility: what the guest's level of the architecture lacks", Fields: []isa.Field{
		{Name: "VEC_DIS", LSB: 63, Width: 1},
		{Name: "VSX_DIS", LSB: 62, Width: 1},
		{Name: "TM_DIS", LSB: 61, Width: 1},
		{Name: "MMA_DIS", LSB: 60, Width: 1},
		{Name: "reserved", LSB: 5, Width: 55},
		{Name: "V3.0", LSB: 4, Width: 1, Values: levelValues("3.0")},
		{Name: "V2.07", LSB: 3, Width: 1, Values: levelValues("2.07")},
		{Name: "V2.06", LSB: 2, Width: 1, Values: levelValues("2.06")},
		{Name: "V2.05", LSB: 1, Width: 1, Values: levelValues("2.05")},
	}},
	{Name: "CIABR", SPR: 187, About: "completed instruction address breakpoint", Fields: []isa.Field{
		{Name: "CIEA", LSB: 2, Width: 62},
		{Name: "PRIV", LSB: 0, Width: 2, Values: []isa.Value{
			{Value: 0, Name: "off"}, {Value: 1, Name: "matches in problem state"}, {Value: 2, Name: "matches in supervisor state"}, {Value: 3, Name: "matches in hypervisor state"}}},
	}},
	{Name: "DAWRX0", SPR: 188, About: "data address watchpoint 0, extension", Fields: watchpointFields},
	{Name: "DAWRX1", SPR: 189, About: "data address watchpoint 1, extension", Fields: watchpointFields},
	{Name: "MSR", About: "machine state", Fields: []isa.Field{
		{Name: "SF", LSB: 63, Width: 1, Values: []isa.Value{{Value: 0, Name: "32-bit mode"}, {Value: 1, Name: "64-bit mode"}}},
		{Name: "HV", LSB: 60, Width: 1, Values: []isa.Value{{Value: 0, Name: "not a hypervisor"}, {Value: 1, Name: "hypervisor"}}},
		{Name: "TS", LSB: 33, Width: 2, Values: []isa.Value{{Value: 0, Name: "not transactional"}, {Value: 1, Name: "suspended"}, {Value: 2, Name: "transactional"}}},
		{Name: "TM", LSB: 32, Width: 1},
		{Name: "VEC", LSB: 25, Width: 1},
		{Name: "VSX", LSB: 23, Width: 1},
		{Name: "EE", LSB: 15, Width: 1},
		{Name: "PR", LSB: 14, Width: 1, Values: []isa.Value{{Value: 0, Name: "privileged"}, {Value: 1, Name: "problem state"}}},
		{Name: "FP", LSB: 13, Width: 1},
		{Name: "ME", LSB: 12, Width: 1},
		{Name: "FE0", LSB: 11, Width: 1},
		{Name: "SE", LSB: 10, Width: 1},
		{Name: "BE", LSB: 9, Width: 1},
		{Name: "FE1", LSB: 8, Width: 1},
		{Name: "IR", LSB: 5, Width: 1},
		{Name: "DR", LSB: 4, Width: 1},
		{Name: "PMM", LSB: 2, Width: 1},
		{Name: "RI", LSB: 1, Width: 1},
		{Name: "LE", LSB: 0, Width: 1, Values: []isa.Value{{Value: 0, Name: "big-endian"}, {Value: 1, Name: "little-endian"}}},
	}},
	{Name: "KVM_PPC_GET_CPU_CHAR.character", About: "what the CPU has to defend against speculative execution with", Fields: characteristicFields(Character)},
	{Name: "KVM_PPC_GET_CPU_CHAR.behaviour", About: "what a guest has to do itself against speculative execution", Fields: characteristicFields(Behaviour)},
}

// characteristicFields builds the fields of a word of KVM_PPC_GET_CPU_CHAR.
func characteristicFields(word Word) []isa.Field {
	var fields []isa.Field
	for i := range CharacteristicTable {
		if row := &CharacteristicTable[i]; row.Word == word {
			fields = append(fields, isa.Field{Name: row.Name, LSB: row.Bit, Width: 1, Values: []isa.Value{{Value: 1, Name: row.About}}})
		}
	}
	return fields
}

var watchpointFields = []isa.Field{
	{Name: "MRD", LSB: 10, Width: 6},
	{Name: "HRAMMC", LSB: 7, Width: 1},
	{Name: "DW", LSB: 6, Width: 1},
	{Name: "DR", LSB: 5, Width: 1},
	{Name: "WT", LSB: 4, Width: 1},
	{Name: "WTI", LSB: 3, Width: 1},
	{Name: "HYP", LSB: 2, Width: 1},
	{Name: "KERNEL", LSB: 1, Width: 1},
	{Name: "USER", LSB: 0, Width: 1},
}

func levelValues(level string) []isa.Value {
	return []isa.Value{{Value: 1, Name: "what is newer than " + level + " is off in problem state"}}
}

// facilityFields builds the fields of HFSCR or FSCR from the facilities.
func facilityFields(hypervisor bool) []isa.Field {
	interrupt := "a facility unavailable interrupt"
	if hypervisor {
		interrupt = "a hypervisor facility unavailable interrupt"
	}
	cause := isa.Field{Name: "IC", LSB: CauseShift, Width: 8}
	var enables []isa.Field
	for i := len(Facilities) - 1; i >= 0; i-- {
		f := &Facilities[i]
		if hypervisor && !f.HFSCR || !hypervisor && !f.FSCR {
			continue
		}
		cause.Values = append(cause.Values, isa.Value{
			Value: uint64(f.Bit), Name: fmt.Sprintf("last interrupt, if there was one: %s", f.Name)})
		enables = append(enables, isa.Field{Name: f.Name, LSB: f.Bit, Width: 1, Values: []isa.Value{
			{Value: 0, Name: fmt.Sprintf("%s: %s", f.About, interrupt)},
			{Value: 1, Name: f.About + ": available"},
		}})
	}
	return append([]isa.Field{cause}, enables...)
}

// Explanation is a register value taken apart.
type Explanation struct {
	Register *Register
	Value    uint64
	Fields   []FieldValue
	// Unknown holds the bits that are set and belong to no named field.
	Unknown uint64
}

// FieldValue is a field with the value it has.
type FieldValue struct {
	Field *isa.Field
	Value uint64
	// Meaning is what the value means, "" where the table has no word for it.
	Meaning string
}

// Explain takes a register value apart. It fails for a register it does not
// know; names are the architecture's, in any case.
func Explain(name string, value uint64) (*Explanation, error) {
	var known []string
	for i := range Registers {
		r := &Registers[i]
		if !strings.EqualFold(r.Name, name) {
			known = append(known, r.Name)
			continue
		}
		e := &Explanation{Register: r, Value: value, Unknown: value}
		for j := range r.Fields {
			f := &r.Fields[j]
			v := f.Get(value)
			e.Fields = append(e.Fields, FieldValue{Field: f, Value: v, Meaning: f.ValueName(v)})
			e.Unknown &^= f.Mask()
		}
		return e, nil
	}
	return nil, fmt.Errorf("%s: not a register known for power; known are %s", name, strings.Join(known, ", "))
}
