package guise

import (
	"encoding/binary"
	"maps"
	"slices"

	isapower "github.com/guise-project/guise/isa/power"
)

// PowerHost is what KVM-HV on one POWER host can give a guest. It stands in a
// capture in the place of setups, which are arm64's.
type PowerHost struct {
	// PVR is the processor version register, which guests read as it is.
	PVR uint32
	// Characteristics is what KVM_PPC_GET_CPU_CHAR answers; nothing is known
	// where the masks are 0.
	Characteristics isapower.Characteristics
	// Levels says of each level of the architecture that was tried whether
	// KVM_REG_PPC_ARCH_COMPAT takes it.
	Levels map[isapower.Level]bool
	// Tried holds the outcomes of other trials by their names in isa/power.
	Tried map[string]bool
	// Facilities is what a nested guest met when it used each facility, by the
	// facility's name; nil where no nested guest could be run.
	Facilities map[string]FacilitySight
}

// FacilityOutcome is what came of a facility's use in a nested guest.
type FacilityOutcome string

const (
	FacilityReached   FacilityOutcome = "reached"   // the instruction completed
	FacilityForwarded FacilityOutcome = "forwarded" // L1 got the facility unavailable interrupt, 0xf80
	FacilityIllegal   FacilityOutcome = "illegal"   // L1 got an illegal instruction, 0xe40
	FacilityStuck     FacilityOutcome = "stuck"     // L0 did not come back until a signal ended it
	FacilityOther     FacilityOutcome = "other"     // anything else
)

// FacilityOutcomes lists every outcome.
var FacilityOutcomes = []FacilityOutcome{FacilityReached, FacilityForwarded, FacilityIllegal, FacilityStuck, FacilityOther}

// FacilitySight is what a nested guest met with the facility's bit of HFSCR
// off and on in what L1 asked for.
type FacilitySight struct{ Off, On FacilityOutcome }

// Permitted says whether L0 lets L1 give the facility to its guests. A CPU on
// which the instruction also runs with the bit off does not tell: QEMU 10.0
// checks HFSCR for few facilities.
func (s FacilitySight) Permitted() Verdict {
	switch {
	case s.On == FacilityForwarded || s.On == FacilityIllegal:
		return No
	case s.On == FacilityReached && (s.Off == FacilityForwarded || s.Off == FacilityIllegal):
		return Yes
	}
	return Unknown
}

// Names of architectures.
const (
	ArchARM64 = "arm64"
	ArchPower = "power"
)

// Arch names the architecture of the captured host.
func (c *Capture) Arch() string {
	if c.Power != nil {
		return ArchPower
	}
	return ArchARM64
}

// Arch names the architecture the contract is for.
func (c *Contract) Arch() string {
	if c.Power != nil {
		return ArchPower
	}
	return ArchARM64
}

// Level returns the level of the architecture that the processor implements, 0
// where the processor is not known.
func (p *PowerHost) Level() isapower.Level {
	if processor, ok := isapower.ProcessorOf(p.PVR); ok {
		return processor.Level
	}
	return 0
}

// takes says whether a VM can be held at a level and is then what it is told.
// KVM tells levels apart by PCR only, and so takes 3.1/P11 on POWER10 too.
func (p *PowerHost) takes(level isapower.Level) Verdict {
	taken, tried := p.Levels[level]
	own := p.Level()
	switch {
	case tried && !taken, own != 0 && level > own:
		return No
	case tried:
		return Yes
	}
	return Unknown
}

// highest returns the highest level that is certainly taken, 0 for none.
func (p *PowerHost) highest() isapower.Level {
	for i := len(isapower.Levels) - 1; i >= 0; i-- {
		if level := isapower.Levels[i].Level; p.takes(level) == Yes {
			return level
		}
	}
	return 0
}

// capability returns the least and the greatest value the host may have of an
// ordered capability.
func (c *Capture) capability(o *isapower.OrderedCapability) (least, greatest int) {
	last := len(o.Values) - 1
	var has, known bool
	switch {
	case len(o.Rules) > 0:
		return o.Range(&c.Power.Characteristics, c.Power.Level())
	case o.Tried != "":
		has, known = c.Power.Tried[o.Tried]
	default:
		var answer int64
		answer, known = c.Host.Capabilities[o.Capability]
		has = answer > 0
	}
	switch {
	case !known:
		return 0, last
	case has:
		return last, last
	}
	return 0, 0
}

// permitted says whether L1 may give its guests a facility.
func (p *PowerHost) permitted(facility string) Verdict {
	return p.Facilities[facility].Permitted()
}

// appendView appends what view digests are taken of.
func (p *PowerHost) appendView(data []byte) []byte {
	c := &p.Characteristics
	data = appendNumbers(appendText(data, ArchPower), uint64(p.PVR), c.Character, c.Behaviour, c.CharacterMask, c.BehaviourMask)
	for _, level := range slices.Sorted(maps.Keys(p.Levels)) {
		data = appendTruth(append(data, byte(level)), p.Levels[level])
	}
	data = binary.AppendUvarint(data, uint64(len(p.Tried)))
	for _, name := range slices.Sorted(maps.Keys(p.Tried)) {
		data = appendTruth(appendText(data, name), p.Tried[name])
	}
	for _, name := range slices.Sorted(maps.Keys(p.Facilities)) {
		data = appendText(data, name, string(p.Facilities[name].Off), string(p.Facilities[name].On))
	}
	return data
}

func appendTruth(data []byte, truth bool) []byte {
	if truth {
		return append(data, 1)
	}
	return append(data, 0)
}
