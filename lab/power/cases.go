package power

import (
	"fmt"

	isapower "github.com/guise-project/guise/isa/power"
	kvmpower "github.com/guise-project/guise/kvm/power"
	model "github.com/guise-project/guise/model/power"
)

// Reasons why a case cannot be tested in the lab.
const (
	notRaised = "QEMU 10.0 checks HFSCR for BHRB and MSGP only: the instruction runs"
	livelock  = "on this generation L0 fetches L2's instruction again, which fails under QEMU: it enters L2 for ever"
)

// Cases lists every case for a host, each in both byte orders.
func Cases(h Host) []Case {
	var cases []Case
	for _, big := range []bool{false, true} {
		for _, makeCases := range []func(Host, bool) []Case{
			hfscrCases, facilityCases, registerCases, controlCases, breakpointCases, faultCases, errorCases, spinCases,
		} {
			cases = append(cases, makeCases(h, big)...)
		}
	}
	return cases
}

// newCase is an L2 that L1 gives plain values, and a program to fill.
func newCase(h Host, big bool, format string, args ...any) (*Case, program) {
	c := &Case{Name: fmt.Sprintf(format, args...), Nested: kvmpower.NewNested(big)}
	if big {
		c.Name += ", big-endian"
	}
	s := &c.Structure
	// Marks that must be kept, or come back as what L2 has.
	s[isapower.StateHDAR], s[isapower.StateHDSISR], s[isapower.StateHEIR], s[isapower.StateASDR] = 0x33, 0x44, 0x55, 0x66
	s[isapower.StateSRR0], s[isapower.StateSRR1] = 0x1100, 0x2200
	s[isapower.StateSPRG0], s[isapower.StateSPRG1], s[isapower.StateSPRG2], s[isapower.StateSPRG3] = 0xa0, 0xa1, 0xa2, 0xa3
	return c, program{c, h.Level}
}

// hfscrCases are values of V with an L2 that only leaves.
func hfscrCases(h Host, big bool) []Case {
	var cases []Case
	for _, v := range []uint64{0x00ffffffffffffff, 0xabffffffffffffff, 0, ^uint64(0), 0x77000000000025bf, 0x00000000deadbeef, 0x0a00000000000000} {
		c, p := newCase(h, big, "hfscr %#x", v)
		c.Structure[isapower.StateHFSCR] = v
		p.leave()
		cases = append(cases, *c)
	}
	return cases
}

// facilityCases use each facility, turned on and off by L1.
func facilityCases(h Host, big bool) []Case {
	var cases []Case
	for _, i := range isapower.Instructions {
		f, _ := isapower.FacilityNamed(i.Facility)
		for _, v := range []uint64{0x77ffffffffffffff, 0x77ffffffffffffff &^ f.Mask(), 0x77 << 56} {
			c, p := newCase(h, big, "%s with hfscr %#x", i.Mnemonic, v)
			c.Structure[isapower.StateHFSCR] = v
			p.use(i.Mnemonic)
			c.NotTestable = untestable(h, f, i, v&f.Mask() != 0)
			// Where the instruction runs, L2 leaves after it.
			p.leave()
			cases = append(cases, *c)
		}
	}
	return cases
}

// untestable says why the lab cannot tell what the use of a facility does.
func untestable(h Host, f *isapower.Facility, i isapower.Instruction, on bool) string {
	raised := f.Name == "BHRB" || f.Name == "MSGP" && i.Mnemonic != "mftir"
	available := h.Permitted.Available&f.Mask() != 0
	switch {
	case f.Name == "TM" && h.Level < isapower.Level31:
		return "without MSR[TM], which no L0 here gives, L2 gets the interrupt itself"
	case isapower.Hidden(h.Level)&f.Mask() != 0:
		return "" // an illegal instruction, whatever HFSCR says
	case on && available:
		return ""
	case !raised:
		return notRaised
	case !available && h.Generation.Rule(model.RuleHiddenOn) == model.Illegal:
		return livelock
	}
	return ""
}

// registerCases are the registers that L2 owns: what L1 gives, what L2 makes of
// them.
func registerCases(h Host, big bool) []Case {
	var cases []Case
	own := []isapower.StateField{isapower.StateSPRG0, isapower.StateSPRG1, isapower.StateSPRG2, isapower.StateSPRG3}
	c, p := newCase(h, big, "sprg written by L2")
	for n, f := range own {
		p.write(f, n)
	}
	p.leave()
	cases = append(cases, *c)

	// Left by an interrupt that uses HSRR0 and HSRR1, so that SRR0 and SRR1 stay.
	for _, written := range []bool{false, true} {
		c, p := newCase(h, big, "srr, written by L2: %v", written)
		c.Structure[isapower.StateHFSCR] = 0
		if written {
			p.write(isapower.StateSRR0, 4)
			p.write(isapower.StateSRR1, 5)
		}
		p.use("clrbhrb")
		cases = append(cases, *c)
	}
	for _, given := range []struct {
		field isapower.StateField
		value uint64
	}{
		{isapower.StatePPR, 3 << 50}, {isapower.StateVTB, 0x1000}, {isapower.StatePURR, 0x2000}, {isapower.StateSPURR, 0x3000}, {isapower.StateIC, 0x4000},
		{isapower.StateTBOffset, 0x10000}, {isapower.StateTBOffset, ^uint64(0xffff)}, {isapower.StateVCPUToken, 2047},
	} {
		c, p := newCase(h, big, "%v %#x", given.field, given.value)
		c.Structure[given.field] = given.value
		p.leave()
		cases = append(cases, *c)
	}

	// Without translation, PID selects nothing.
	c, p = newCase(h, big, "pidr 5 with translation off")
	c.MSR &^= isapower.MSRIR | isapower.MSRDR
	c.Structure[isapower.StatePIDR] = 5
	p.leave()
	cases = append(cases, *c)

	for _, given := range []struct {
		name   string
		change func(*Case)
	}{
		{"msr with HV", func(c *Case) { c.MSR |= isapower.MSRHV }},
		{"msr without ME", func(c *Case) { c.MSR &^= isapower.MSRME }},
		{"version 1", func(c *Case) { c.Structure[isapower.StateVersion] = 1 }},
	} {
		c, p := newCase(h, big, "%s", given.name)
		given.change(c)
		p.leave()
		cases = append(cases, *c)
	}
	return cases
}

// controlCases are LPCR, PCR, AMOR, DPDES: what L1 asks must come back as it
// wrote it.
func controlCases(h Host, big bool) []Case {
	var cases []Case
	add := func(field isapower.StateField, value uint64) {
		c, p := newCase(h, big, "%v %#x", field, value)
		c.Structure[field] = value
		p.leave()
		cases = append(cases, *c)
	}
	for _, v := range []uint64{0, ^uint64(0), 0x0000000000800000, 0x0000000001000000, 0x0000000001800000} {
		add(isapower.StateLPCR, v)
	}
	add(isapower.StatePCR, 0xe)
	add(isapower.StatePCR, ^uint64(0)&^(isapower.PCRVectorDisable|isapower.PCRVSXDisable|isapower.PCRTransactionalDisable|isapower.PCRMMADisable))
	add(isapower.StateAMOR, 0x5555555555555555)
	add(isapower.StateDPDES, 1) // stays pending: MSR[EE] is 0
	return cases
}

// breakpointCases hold addresses that L2 never touches.
func breakpointCases(h Host, big bool) []Case {
	var cases []Case
	for _, values := range []map[isapower.StateField]uint64{
		{isapower.StateDAWR0: 0x123450, isapower.StateDAWRX0: 0x3f},
		{isapower.StateDAWR0: 0x123450, isapower.StateDAWRX0: 0x4},
		{isapower.StateDAWR1: 0x123450, isapower.StateDAWRX1: 0x27},
		{isapower.StateCIABR: 0x567b},
		{isapower.StateCIABR: 0x5679},
		{isapower.StateCIABR: 0x567a},
	} {
		c, p := newCase(h, big, "breakpoint")
		for f := range isapower.StateFields {
			if v, ok := values[f]; ok {
				c.Name += fmt.Sprintf(" %v %#x", f, v)
				c.Structure[f] = v
			}
		}
		p.leave()
		cases = append(cases, *c)
	}
	return cases
}

// faultCases reach for memory that L1 does not map for L2.
func faultCases(h Host, big bool) []Case {
	var cases []Case
	c, p := newCase(h, big, "load beyond L2's memory")
	c.MSR &^= isapower.MSRIR | isapower.MSRDR
	p.emit(lisR6)
	c.NIP = p.next()
	p.emit(loadR6)
	p.event(model.Event{Kind: model.DataFault, Address: beyond, Syndrome: 0x40000000, Value: beyond})
	cases = append(cases, *c)

	c, p = newCase(h, big, "branch beyond L2's memory")
	c.MSR &^= isapower.MSRIR | isapower.MSRDR
	p.emit(branchAbs)
	c.NIP = beyond
	p.event(model.Event{Kind: model.InstructionFault, Syndrome: 0x40000000, Value: beyond})
	cases = append(cases, *c)

	c, p = newCase(h, big, "hdec_expiry in the past")
	c.Structure[isapower.StateHDECExpiry] = 1
	c.NIP = kvmpower.CodeAddress
	p.emit(kvmpower.Hypercall)
	cases = append(cases, *c)
	return cases
}

// errorCases are what H_ENTER_NESTED refuses, and what it does not.
func errorCases(h Host, big bool) []Case {
	var cases []Case
	add := func(name string, change func(*Case)) {
		c, p := newCase(h, big, "%s", name)
		change(c)
		p.leave()
		cases = append(cases, *c)
	}
	set := func(f isapower.StateField, v uint64) {
		add(fmt.Sprintf("error: %v %#x", f, v), func(c *Case) { c.Structure[f] = v })
	}
	add("error: no partition table", func(c *Case) { c.NoTable = true })
	add("error: partition table outside memory", func(c *Case) { c.TableAddress = 1 << 40 })
	add("error: structure outside memory", func(c *Case) { c.StructureAddress = 1 << 40 })
	set(isapower.StateVersion, 0)
	set(isapower.StateVersion, 3)
	set(isapower.StateVersion, 0x100000002)
	set(isapower.StateVCPUToken, 0x7fffffff)
	set(isapower.StateVCPUToken, 2048)
	set(isapower.StateLPID, 256)
	set(isapower.StateLPID, 300)
	add("error: L2 suspended", func(c *Case) { c.MSR |= isapower.MSRTSS })
	add("error: L2 transactional", func(c *Case) { c.MSR |= isapower.MSRTST })
	return cases
}

// spinCases are for the monitor: while L2 spins, the real registers are read.
func spinCases(h Host, big bool) []Case {
	var cases []Case
	add := func(level isapower.Level, values map[isapower.StateField]uint64) {
		c, p := newCase(h, big, "spin")
		c.Level = level
		if level != 0 {
			c.Name += " at " + level.String()
		}
		for f := range isapower.StateFields {
			if v, ok := values[f]; ok {
				c.Name += fmt.Sprintf(" %v %#x", f, v)
				c.Structure[f] = v
			}
		}
		p.spin()
		cases = append(cases, *c)
	}
	add(0, map[isapower.StateField]uint64{isapower.StateHFSCR: 0x0affffffffffffff, isapower.StateAMOR: 0x55})
	if big {
		return cases
	}
	add(0, map[isapower.StateField]uint64{isapower.StateHFSCR: 0})
	add(0, map[isapower.StateField]uint64{
		isapower.StateLPCR: ^uint64(0), isapower.StateDAWRX0: 0x3f, isapower.StateDAWR0: 0x123450, isapower.StateCIABR: 0x567b, isapower.StatePCR: 0xe})
	add(0, map[isapower.StateField]uint64{isapower.StateLPCR: isapower.LPCRILE | isapower.LPCRAIL})
	add(isapower.Level207, map[isapower.StateField]uint64{isapower.StatePCR: 0})
	add(isapower.Level207, map[isapower.StateField]uint64{isapower.StatePCR: 0xe})
	return cases
}
