// Package arm64 is the reference model of KVM on arm64: what userspace and a
// guest get from KVM of one version, on given hardware, in a VM of one setup,
// without a kernel. What it claims can be put to real kernels, since it stands
// behind the same interfaces (package vm) as they do.
//
// What differs between versions is not here but in the change log of package
// kernel; this package has what KVM does at every version.
package arm64

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// CPU is one physical CPU.
type CPU struct {
	// Registers hold the ID registers as the CPU itself has them at EL2.
	Registers [arm64.NumRegisters]uint64
	// VectorLengths is the set of SVE vector lengths: bit n-1 stands for n
	// quadwords. 0: the CPU has no SVE.
	VectorLengths uint16
	// Lacking are AArch32 registers that the architecture has and the CPU not.
	Lacking []arm64.Coprocessor
	// given are the registers that were read, of CPUs whose description may lack
	// some; see Machine.Unread.
	given arm64.Places
}

// Override is a kernel parameter that lowers a field of an ID register on all
// CPUs, such as arm64.nosve.
type Override struct {
	Register, Field string
	Value           uint64
}

// Machine is the hardware of a host and how its kernel was started.
type Machine struct {
	Name string
	CPUs []CPU // the first is the boot CPU; at least one
	// GICv3: the interrupt controller has GICv3's CPU interface.
	GICv3 bool
	// Firmware lists the SMCCC_ARCH_WORKAROUND_n calls that the firmware
	// serves, by n.
	Firmware map[int]bool
	// Overrides and Mode come from the kernel's command line; Mode is
	// kvm-arm.mode: "", "nvhe", "protected" or "nested".
	Overrides []Override
	Mode      string
	// partial: the description may lack registers that the CPU has.
	partial bool
}

// Unread returns which of some registers the machine's description lacks, so that
// nobody knows what its CPU has there: it is not 0. Machines of CPU models lack none.
func (m *Machine) Unread(places arm64.Places) []int {
	var unread []int
	for place := range places.All() {
		if m.partial && !m.CPUs[0].given.Has(place) {
			unread = append(unread, place)
		}
	}
	return unread
}

// parameters are the kernel parameters that name a feature in place of a
// register and field (Linux, arch/arm64/kernel/pi/idreg-override.c). 5.10 has
// none, and takes no override at all.
var parameters = map[string][]Override{
	"arm64.nosve":       {{"ID_AA64PFR0_EL1", "SVE", 0}},
	"arm64.nosme":       {{"ID_AA64PFR1_EL1", "SME", 0}},
	"arm64.nobti":       {{"ID_AA64PFR1_EL1", "BT", 0}},
	"arm64.nogcs":       {{"ID_AA64PFR1_EL1", "GCS", 0}},
	"arm64.nomte":       {{"ID_AA64PFR1_EL1", "MTE", 0}},
	"arm64.nomops":      {{"ID_AA64ISAR2_EL1", "MOPS", 0}},
	"arm64.nompam":      {{"ID_AA64PFR0_EL1", "MPAM", 0}, {"ID_AA64PFR1_EL1", "MPAM_frac", 0}},
	"arm64.nolva":       {{"ID_AA64MMFR2_EL1", "VARange", 0}},
	"arm64.no32bit_el0": {{"ID_AA64PFR0_EL1", "EL0", 1}},
	"arm64.nopauth": {
		{"ID_AA64ISAR1_EL1", "GPI", 0}, {"ID_AA64ISAR1_EL1", "GPA", 0}, {"ID_AA64ISAR1_EL1", "API", 0},
		{"ID_AA64ISAR1_EL1", "APA", 0}, {"ID_AA64ISAR2_EL1", "GPA3", 0}, {"ID_AA64ISAR2_EL1", "APA3", 0},
	},
}

// ParseOverrides reads a kernel command line and returns the overrides and the
// KVM mode it asks for. Other parameters are passed over.
func ParseOverrides(commandLine string) (overrides []Override, mode string, err error) {
	for _, word := range strings.Fields(commandLine) {
		if o, ok := parameters[word]; ok {
			overrides = append(overrides, o...)
			continue
		}
		name, value, given := strings.Cut(word, "=")
		if name == "kvm-arm.mode" {
			mode = value
			continue
		}
		register, field, dotted := strings.Cut(name, ".")
		if !given || !dotted || !strings.HasPrefix(register, "id_") {
			continue
		}
		r := arm64.Named(register + "_el1")
		if r == nil || r.Field(field) == nil {
			return nil, "", fmt.Errorf("kernel parameter %s: no such register and field", word)
		}
		var v uint64
		if _, err := fmt.Sscanf(value, "%v", &v); err != nil || v >= 1<<r.Field(field).Width {
			return nil, "", fmt.Errorf("kernel parameter %s: the value does not fit the field", word)
		}
		overrides = append(overrides, Override{r.Name, r.Field(field).Name, v})
	}
	return overrides, mode, nil
}

// Sanitised is what the kernel makes of unlike CPUs.
type Sanitised struct {
	Values [arm64.NumRegisters]uint64
	// Tainted names the fields in which CPUs differ that may not
	// (TAINT_CPU_OUT_OF_SPEC). The safe value is used all the same.
	Tainted []string
	// VectorLengths are those that every CPU has.
	VectorLengths uint16
}

// Sanitise combines the machine's CPUs, as cpufeature does at boot: the boot
// CPU's value, made safe against each further CPU in turn, field by field, after
// the overrides that are themselves safe (Linux, arch/arm64/kernel/cpufeature.c,
// init_cpu_ftr_reg and update_cpu_ftr_reg).
func (m *Machine) Sanitise(profile *kernel.Profile) *Sanitised {
	s := &Sanitised{Values: m.registers(0), VectorLengths: m.CPUs[0].VectorLengths}
	overrides := m.overrides(profile)
	for i := range arm64.Registers {
		for _, o := range overrides {
			if o.Register == arm64.Registers[i].Name {
				field := arm64.Registers[i].Field(o.Field)
				old := field.Get(s.Values[i])
				if safe(field, o.Value, old) == o.Value {
					s.Values[i] = field.Put(s.Values[i], o.Value)
				}
			}
		}
	}
	for cpu := 1; cpu < len(m.CPUs); cpu++ {
		values := m.registers(cpu)
		for i := range arm64.Registers {
			s.combine(i, values[i])
		}
		s.VectorLengths &= m.CPUs[cpu].VectorLengths
	}
	pfr0 := &arm64.Registers[arm64.IDAA64PFR0EL1]
	if pfr0.Field("SVE").Get(s.Values[arm64.IDAA64PFR0EL1]) == 0 {
		s.VectorLengths = 0
	}
	if pfr0.Field("EL0").Get(s.Values[arm64.IDAA64PFR0EL1]) != 2 {
		// The kernel does not look at AArch32 registers where no CPU has it.
		for i := arm64.IDPFR0EL1; i <= arm64.S3_0_C0_C3_7; i++ {
			s.Values[i] = 0
		}
	}
	return s
}

// overrides are those that a version applies, the KVM mode's included: without
// VHE, the kernel takes ID_AA64MMFR1_EL1.VH as 0.
func (m *Machine) overrides(profile *kernel.Profile) []Override {
	if !profile.Does(kernel.TakesOverrides) {
		return nil
	}
	overrides := slices.Clone(m.Overrides)
	if m.Mode == "nvhe" || (m.Mode == "protected" && !profile.Does(kernel.KeepsVHE)) {
		overrides = append(overrides, Override{"ID_AA64MMFR1_EL1", "VH", 0})
	}
	return overrides
}

// registers returns a CPU's registers with what the board adds.
func (m *Machine) registers(cpu int) [arm64.NumRegisters]uint64 {
	values := m.CPUs[cpu].Registers
	if gic := arm64.Registers[arm64.IDAA64PFR0EL1].Field("GIC"); m.GICv3 && gic.Get(values[arm64.IDAA64PFR0EL1]) == 0 {
		values[arm64.IDAA64PFR0EL1] = arm64.Registers[arm64.IDAA64PFR0EL1].Field("GIC").Put(values[arm64.IDAA64PFR0EL1], 1)
	}
	values[arm64.CTREL0] = effectiveCTR(values[arm64.CTREL0], values[arm64.CLIDREL1])
	return values
}

// effectiveCTR sets CTR_EL0.IDC where CLIDR_EL1 says that no cleaning is needed
// for instruction fetches, as the kernel does before it combines CTR_EL0
// (Linux, arch/arm64/include/asm/cache.h, read_cpuid_effective_cachetype).
func effectiveCTR(ctr, clidr uint64) uint64 {
	r := &arm64.Registers[arm64.CLIDREL1]
	loc, louis, louu := r.Field("LoC").Get(clidr), r.Field("LoUIS").Get(clidr), r.Field("LoUU").Get(clidr)
	if loc == 0 || (louis == 0 && louu == 0) {
		return arm64.Registers[arm64.CTREL0].Field("IDC").Put(ctr, 1)
	}
	return ctr
}

// combine makes one register safe against a further CPU's.
func (s *Sanitised) combine(place int, other uint64) {
	register := &arm64.Registers[place]
	if register.Whole || register.Scope == isa.Hardware {
		return // not combined: each CPU's own, and KVM shows the boot CPU's
	}
	for i := range register.Fields {
		field := &register.Fields[i]
		mine, theirs := field.Get(s.Values[place]), field.Get(other)
		if !field.Sanitised || mine == theirs {
			continue
		}
		if field.Strict {
			s.Tainted = append(s.Tainted, register.Name+"."+field.Name)
		}
		s.Values[place] = field.Put(s.Values[place], safe(field, mine, theirs))
	}
	if rest := (s.Values[place] ^ other) &^ register.Named(); rest != 0 {
		// Bits without a name must not differ, and read 0.
		s.Tainted = append(s.Tainted, fmt.Sprintf("%s[%d]", register.Name, bits.TrailingZeros64(rest)))
	}
}

// safe is the value that two CPUs with unlike values of a field have together
// (Linux, arm64_ftr_safe_value).
func safe(field *isa.Field, a, b uint64) uint64 {
	lower, higher := a, b
	if field.Compare(a, b) > 0 {
		lower, higher = b, a
	}
	switch field.HostOrder {
	case isa.Lower:
		return lower
	case isa.Higher:
		return higher
	case isa.HigherOrZero:
		if a == 0 || b == 0 {
			return 0
		}
		return higher
	}
	if a == b {
		return a
	}
	return field.Safe
}
