package power

import (
	"encoding/binary"
	"fmt"

	isapower "github.com/guise-project/guise/isa/power"
	kvmpower "github.com/guise-project/guise/kvm/power"
	model "github.com/guise-project/guise/model/power"
)

// Prediction is what the model says of a case.
type Prediction struct {
	// Entered is the state while L2 runs, where it does; Ended the outcome that
	// gave L1 the CPU back.
	Entered *model.State
	Ended   model.Outcome
}

// Predict has the model play a case on a host. l1LPCR is L1's own, which the
// kernel chooses.
func Predict(h Host, c *Case, l1LPCR uint64) (Prediction, error) {
	s := model.NewState(h.Level, h.Permitted)
	s.L1.LPCR = l1LPCR
	if c.Level != 0 {
		pcr, err := isapower.PCR(h.Level, c.Level)
		if err != nil {
			return Prediction{}, err
		}
		s.L1.PCR = pcr
	}
	if c.BigEndian {
		s.L1.MSR &^= isapower.MSRLE
	}
	if c.NoTable || c.TableAddress != 0 {
		s.L1.PartitionTableEntries = 0
	}
	s.Unreadable = c.StructureAddress != 0
	s.Structure, s.MSR = c.Structure, c.MSR
	s.TimeBase = 1 << 40 // any time between the two that cases use
	var p Prediction
	out := model.Step(h.Generation, h.Permitted, &s, model.Event{Kind: model.Enter})
	if out.Did == model.Entered {
		entered := out.State
		p.Entered = &entered
	}
	for _, e := range c.Events {
		if !out.State.Running {
			break
		}
		out = model.Step(h.Generation, h.Permitted, &out.State, e)
	}
	if out.State.Running {
		return p, fmt.Errorf("%s: the model's L2 does not leave", c.Name)
	}
	p.Ended = out
	return p, nil
}

// notCompared are the fields that run on by themselves, or that an emulated CPU
// does not keep, with why.
var notCompared = map[isapower.StateField]string{
	isapower.StatePURR:  "counts time",
	isapower.StateSPURR: "counts time",
	isapower.StateVTB:   "counts time",
	isapower.StateIC:    "counts instructions; QEMU leaves it at what it was",
	isapower.StateCFAR:  "where L2 last came from; see docs/findings-power.md",
}

// Compare returns each way in which a result is not what was predicted, and
// the number of values that were compared.
func Compare(c *Case, p Prediction, r *Result) (differences []string, compared int) {
	differ := func(what string, got, want uint64) {
		compared++
		if got != want {
			differences = append(differences, fmt.Sprintf("%s: %s is %#x, the model says %#x", c.Name, what, got, want))
		}
	}
	if r.Error != "" {
		return []string{c.Name + ": " + r.Error}, 1
	}
	differ("r3", uint64(r.R3), uint64(p.Ended.R3))
	if r.Watchdog != c.Spin {
		differences = append(differences, fmt.Sprintf("%s: ended by the watchdog: %v", c.Name, r.Watchdog))
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if c.BigEndian {
		order = binary.BigEndian
	}
	for _, row := range isapower.StateLayout {
		got := order.Uint64(append(append([]byte(nil), r.Structure[row.Offset:row.Offset+row.Size]...), make([]byte, 8)...))
		if row.Size == 4 {
			got = uint64(order.Uint32(r.Structure[row.Offset:]))
		}
		want := p.Ended.State.Structure[row.Field]
		if _, ok := notCompared[row.Field]; !ok {
			differ(row.Name, got, want)
		}
	}
	differ("msr", order.Uint64(r.Regs[isapower.RegsMSR:]), p.Ended.State.MSR)
	nip := uint64(kvmpower.CodeAddress)
	if writtenBack(&p.Ended) {
		nip = c.NIP
		if p.Ended.R3 == isapower.VectorSystemCall {
			nip = c.AfterCall
		}
	}
	differ("nip", order.Uint64(r.Regs[isapower.RegsNIP:]), nip)
	for n := 14; n < 32; n++ {
		differ(fmt.Sprintf("r%d", n), order.Uint64(r.Regs[8*n:]), kvmpower.GPR(n))
	}
	return differences, compared
}

// writtenBack says that L1 got L2's registers.
func writtenBack(out *model.Outcome) bool {
	return out.Did == model.Returned && out.R3 != isapower.HAuthority
}

// CompareReal returns each way in which the real registers of a spinning L2
// are not what was predicted.
func CompareReal(c *Case, p Prediction, s Sample) (differences []string, compared int) {
	if s.Registers == nil {
		return []string{fmt.Sprintf("%s: no real registers: %s", c.Name, s.Error)}, 1
	}
	for _, r := range realRegisters {
		if r.since > p.Entered.Machine.Level {
			continue
		}
		got, want := s.Registers[r.name]&r.kept, p.Entered.Real[r.field]&r.kept
		compared++
		if got != want {
			differences = append(differences, fmt.Sprintf("%s: real %s is %#x, the model says %#x", c.Name, r.name, got, want))
		}
	}
	return differences, compared
}
