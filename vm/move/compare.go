package move

import (
	"fmt"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

// Difference is something that did not survive a move.
type Difference struct {
	VCPU         int
	What         string
	Wanted, Here string
}

func (d *Difference) String() string {
	return fmt.Sprintf("vCPU %d: %s: want %s, there is %s", d.VCPU, d.What, d.Wanted, d.Here)
}

// memory compares what one vCPU's traveller remembers with what it found.
type memory struct {
	setup       *guise.Setup
	contract    *guise.Contract
	vcpu        int
	trace       *probe.Trace
	differences []Difference
}

// compare returns what did not survive, in the order of the program.
func compare(contract *guise.Contract, setup *guise.Setup, vcpu int, trace *probe.Trace) []Difference {
	m := &memory{setup: setup, contract: contract, vcpu: vcpu, trace: trace}
	m.registers()
	m.time()
	m.interrupts()
	m.views()
	return m.differences
}

func (m *memory) differs(what, wanted, here string) {
	m.differences = append(m.differences, Difference{m.vcpu, what, wanted, here})
}

// said gives what a record says, for a message.
func said(record *probe.Record) string {
	switch {
	case record == nil:
		return "nothing"
	case record.Outcome == probe.Completed:
		return fmt.Sprintf("%#x", record.Values[:record.Count])
	case record.Outcome == probe.Exception:
		return probe.ExplainSyndrome(record.Syndrome)
	}
	return record.Outcome.String()
}

// holds compares an operation's results with the values that were held.
func (m *memory) holds(kind probe.Kind, name string, wanted ...uint64) {
	record := m.trace.Find(kind, name)
	good := record != nil && record.Outcome == probe.Completed && record.Count >= len(wanted)
	for i := range wanted {
		good = good && record.Values[i] == wanted[i]
	}
	if !good {
		m.differs(name, fmt.Sprintf("%#x", wanted), said(record))
	}
}

func (m *memory) registers() {
	sve := m.setup.Has(guise.FeatureSVE)
	for n := range uint32(32) {
		low, high := pattern(m.vcpu, n, 0), pattern(m.vcpu, n, 1)
		if sve {
			m.holds(probe.Execute, fmt.Sprintf("Z%d", n), low, low)
		} else {
			m.holds(probe.Execute, fmt.Sprintf("V%d", n), low, high)
		}
	}
	if sve {
		for n := uint32(1); n < 16; n++ {
			m.holds(probe.Execute, fmt.Sprintf("P%d", n), uint64(predicateCount(n)))
		}
	}
	m.holds(probe.MRS, "FPCR", heldFPCR)
	m.holds(probe.MRS, "FPSR", heldFPSR)
	m.holds(probe.MRS, "TPIDR_EL0", heldTPIDR+uint64(m.vcpu))
	if m.setup.Has(guise.FeaturePMU) {
		m.holds(probe.MRS, "PMEVTYPER0_EL0", 0x11)
	}
	if m.setup.Has(guise.FeatureMTE) {
		m.holds(probe.Execute, "tags", heldTags(firstTag(m.vcpu)))
	}
}

// value returns the first result of an operation, and whether it has one.
func (m *memory) value(kind probe.Kind, name string, result int) (uint64, bool) {
	record := m.trace.Find(kind, name)
	if record == nil || record.Outcome != probe.Completed || record.Count <= result {
		return 0, false
	}
	return record.Values[result], true
}

// time finds out whether time has gone back, and whether the timer fired when
// it should.
func (m *memory) time() {
	then, ok1 := m.value(probe.Execute, "remember the time", 0)
	now, ok2 := m.value(probe.Execute, "time", 0)
	// A counter that was set back from near 0 reads near 2^64.
	if !ok1 || !ok2 || int64(now-then) < 0 {
		m.differs("CNTVCT_EL0", fmt.Sprintf("at least %#x", then), fmt.Sprintf("%#x", now))
	}
	comparator, ok1 := m.value(probe.Execute, "start timer", 1)
	kept, ok2 := m.value(probe.Execute, "timer", 1)
	if !ok1 || !ok2 || comparator != kept {
		m.differs("CNTV_CVAL_EL0", fmt.Sprintf("%#x", comparator), fmt.Sprintf("%#x", kept))
	}
	if fired, ok := m.value(probe.Execute, "timer", 2); !ok || fired < comparator {
		m.differs("the virtual timer", fmt.Sprintf("to fire at %#x", comparator), fmt.Sprintf("fired at %#x", fired))
	}
	if !m.setup.Has(guise.FeaturePMU) {
		return
	}
	cycles, ok1 := m.value(probe.MRS, before+"PMCCNTR_EL0", 0)
	more, ok2 := m.value(probe.MRS, after+"PMCCNTR_EL0", 0)
	if !ok1 || !ok2 || more < cycles {
		m.differs("PMCCNTR_EL0", fmt.Sprintf("at least %#x", cycles), fmt.Sprintf("%#x", more))
	}
}

func (m *memory) interrupts() {
	if m.setup.VGIC == 0 {
		return
	}
	pending := pendingInterrupts(m.setup, m.vcpu)
	// The interrupt alone: QEMU's GICV_HPPIR leaves out who sent it.
	if first, ok := m.value(probe.Execute, before+highest, 0); !ok || first&0x3ff != softInterrupt {
		m.differs(before+highest, fmt.Sprintf("%#x", softInterrupt), fmt.Sprintf("%#x", first))
	}
	for i, interrupt := range pending {
		m.holds(probe.Execute, fmt.Sprintf("interrupt %d", i+1), interrupt)
	}
	if m.vcpu == 0 {
		const bit = 1 << (sharedInterrupt - 32)
		if pending, ok := m.value(probe.Execute, "GICD_ISPENDR1", 0); !ok || pending&bit == 0 {
			m.differs("GICD_ISPENDR1", fmt.Sprintf("%#x", bit), fmt.Sprintf("%#x", pending))
		}
	}
}

// views compares what the guest read before the move with what it reads after
// it, outside the bits that the contract lets vary.
func (m *memory) views() {
	for i := range m.trace.Records {
		then := &m.trace.Records[i]
		name, ok := strings.CutPrefix(then.Name, before)
		if !ok || name == "PMCCNTR_EL0" || name == highest {
			continue
		}
		now := m.trace.Find(then.Kind, after+name)
		if now == nil || !m.alike(name, then, now) {
			m.differs(fmt.Sprintf("%v %s", then.Kind, name), said(then), said(now))
		}
	}
}

func (m *memory) alike(name string, then, now *probe.Record) bool {
	if then.Outcome != now.Outcome {
		return false
	}
	if then.Outcome != probe.Completed {
		// Who raises an exception for a register that is not there, and with
		// which syndrome, is the host's affair (FEAT_IDST).
		return true
	}
	if place, ok := arm64.Place(name); ok && then.Kind == probe.MRS {
		return (then.Values[0]^now.Values[0])&^m.contract.Vary[place] == 0
	}
	return then.Values == now.Values
}
