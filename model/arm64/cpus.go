package arm64

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/guise-project/guise/isa/arm64"
)

//go:embed cpus.txt
var cpuTable string

// cpuModels parses the table once, when first asked for.
var cpuModels = sync.OnceValues(func() (map[string]*CPU, error) { return parseCPUs(cpuTable) })

// CPUModels returns the names of the CPU models that the package knows by their
// registers, in the order of its table.
func CPUModels() []string {
	var names []string
	for line := range strings.Lines(cpuTable) {
		if name, ok := strings.CutPrefix(line, "cpu "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

// NewMachine returns a machine with one CPU of a model that CPUModels lists and
// a GICv3.
func NewMachine(model string) (*Machine, error) {
	models, err := cpuModels()
	if err != nil {
		return nil, err
	}
	cpu, ok := models[model]
	if !ok {
		return nil, fmt.Errorf("CPU model %s: not known; those are: %s", model, strings.Join(CPUModels(), ", "))
	}
	return &Machine{Name: model, CPUs: []CPU{*cpu}, GICv3: true}, nil
}

// modelOf returns the CPU model of the part that MIDR_EL1 names, nil where the
// package knows none. Variant and revision are not looked at.
func modelOf(midr uint64) *CPU {
	const variantAndRevision = 0x00f0_000f
	models, err := cpuModels()
	if err != nil || midr == 0 {
		return nil
	}
	for _, name := range CPUModels() {
		if cpu := models[name]; (cpu.Registers[arm64.MIDREL1]^midr)&^variantAndRevision == 0 {
			return cpu
		}
	}
	return nil
}

// ParseMachine reads a machine of one CPU from its registers, one to a line:
// "ID_AA64PFR0_EL1 0x1101000021110112". '#' starts a comment; VECTOR_LENGTHS is
// the set of SVE vector lengths. It has a GICv3. What the text lacks is not known;
// see Machine.Unread. A register that stands twice is an error.
func ParseMachine(name, text string) (*Machine, error) {
	models, err := parseCPUs("cpu machine\n" + text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(models) != 1 {
		return nil, fmt.Errorf("%s: has %d CPUs; want the registers of one", name, len(models))
	}
	return &Machine{Name: name, CPUs: []CPU{*models["machine"]}, GICv3: true, partial: true}, nil
}

// parseCPUs reads the format of cpus.txt: "cpu NAME", then a register and its
// value on each line; "like NAME" copies a CPU above, "lacks NAME" is an AArch32
// register that is UNDEFINED. '#' starts a comment.
func parseCPUs(text string) (map[string]*CPU, error) {
	models := map[string]*CPU{}
	var cpu *CPU
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		bad := func(format string, args ...any) error {
			return fmt.Errorf("line %d: %s", number, fmt.Sprintf(format, args...))
		}
		if len(words) != 2 {
			return nil, bad("want two words, a register and its value")
		}
		if words[0] == "cpu" {
			if models[words[1]] != nil {
				return nil, bad("cpu %s is there twice", words[1])
			}
			cpu = &CPU{}
			models[words[1]] = cpu
			continue
		}
		if cpu == nil {
			return nil, bad("%s stands before the first cpu", words[0])
		}
		if words[0] == "like" {
			if models[words[1]] == nil {
				return nil, bad("like %s: no such cpu above", words[1])
			}
			*cpu = *models[words[1]]
			cpu.given = arm64.Places{}
			continue
		}
		if words[0] == "lacks" {
			register, err := arm64.CoprocessorNamed(words[1])
			if err != nil {
				return nil, bad("lacks %v", err)
			}
			cpu.Lacking = append(slices.Clip(cpu.Lacking), register)
			continue
		}
		value, err := strconv.ParseUint(words[1], 0, 64)
		if err != nil {
			return nil, bad("%s: want a number, there is %q", words[0], words[1])
		}
		if words[0] == "VECTOR_LENGTHS" {
			cpu.VectorLengths = uint16(value)
			continue
		}
		place, ok := arm64.Place(words[0])
		if !ok {
			return nil, bad("%s: no such register", words[0])
		}
		if cpu.given.Has(place) {
			return nil, bad("%s stands a second time", words[0])
		}
		cpu.given.Add(place)
		cpu.Registers[place] = value
	}
	return models, nil
}
