// Package move takes a whole VM from one host to another: memory, registers,
// timers, interrupt controller. Its guest, the traveller, holds live state on
// the way, looks again when it arrives, and compares with what it remembers.
package move

import (
	"fmt"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

const (
	// moveAddress is stored to when the traveller is ready to be moved. No
	// image and no interrupt controller has anything there.
	moveAddress = 0x0a00_0000

	// travellerBase is where the first vCPU's image lies; each further vCPU has
	// travellerStride of its own.
	travellerBase   = 0x4000_0000
	travellerStride = 0x0100_0000

	distributor         = 0x0800_0000
	cpuInterface        = 0x0801_0000 // vGICv2
	redistributor       = 0x080a_0000
	redistributorStride = 0x2_0000

	// The interrupts that are pending on the way, by descending priority.
	timerInterrupt  = 27 // PPI 11, the virtual timer
	softInterrupt   = 3  // an SGI that each vCPU sends itself
	sharedInterrupt = 35 // an SPI whose line the VMM holds high; vCPU 0 only

	// timerShift: the timer fires 2^1 seconds after it was started, by then on
	// the other host.
	timerShift = 1
)

var (
	regFPCR       = arm64.Encoding{Op0: 3, Op1: 3, CRn: 4, CRm: 4, Op2: 0}
	regFPSR       = arm64.Encoding{Op0: 3, Op1: 3, CRn: 4, CRm: 4, Op2: 1}
	regTPIDR      = arm64.Encoding{Op0: 3, Op1: 3, CRn: 13, CRm: 0, Op2: 2}
	regICCPMR     = arm64.Encoding{Op0: 3, CRn: 4, CRm: 6, Op2: 0}
	regICCSRE     = arm64.Encoding{Op0: 3, CRn: 12, CRm: 12, Op2: 5}
	regICCIGRPEN1 = arm64.Encoding{Op0: 3, CRn: 12, CRm: 12, Op2: 7}
	regICCSGI1R   = arm64.Encoding{Op0: 3, CRn: 12, CRm: 11, Op2: 5}
	regPMCR       = arm64.Encoding{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 0}
	regPMCNTENSET = arm64.Encoding{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 1}
	regPMCCNTR    = arm64.Encoding{Op0: 3, Op1: 3, CRn: 9, CRm: 13, Op2: 0}
	regPMEVTYPER0 = arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 12, Op2: 0}
)

// Prefixes of operations that are made on both hosts.
const (
	before = "before "
	after  = "after "
)

// highest is the operation that reads the pending interrupt of highest
// priority.
const highest = "interrupt of highest priority"

// Values that the traveller holds.
const (
	heldFPCR  = 0x0040_0000 // RMode: towards plus infinity
	heldFPSR  = 0x0800_0011 // QC, IXC, IOC
	heldTPIDR = 0x7265_6865_6172_7365
)

// pattern is the value that register n of vCPU v holds, low or high half.
func pattern(vcpu int, n uint32, half uint64) uint64 {
	return 0x0101_0101_0101_0101*uint64(n+1) ^ uint64(vcpu)<<60 ^ half<<56 ^ 0xa5
}

// firstTag is the tag of the first granule, of which each further has one more.
func firstTag(vcpu int) uint64 { return uint64(vcpu) + 1 }

// predicateCount is how many elements of Pn are active, 1 to 8; 0 for P0, of
// which all are.
func predicateCount(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return n%8 + 1
}

// traveller makes the program that one vCPU runs, on its way from one host to
// another.
func traveller(setup *guise.Setup, vcpu int) *probe.Program {
	t := &itinerary{setup: setup, vcpu: vcpu, program: &probe.Program{
		Name: fmt.Sprintf("traveller of vCPU %d", vcpu), Tagged: setup.Has(guise.FeatureMTE),
	}}
	t.hold()
	t.look(before)
	t.execute("start timer", startTimer(timerShift), 2)
	t.execute("remember the time", readCounter(), 1)
	t.execute("move", storeAt(moveAddress, uint64(vcpu)+1, 8), 0)
	t.execute("time", readCounter(), 1)
	t.recall()
	t.look(after)
	return t.program
}

// itinerary gathers a traveller's operations.
type itinerary struct {
	setup   *guise.Setup
	vcpu    int
	program *probe.Program
}

func (t *itinerary) add(op probe.Op) { t.program.Ops = append(t.program.Ops, op) }

func (t *itinerary) execute(name string, lines []line, results int) {
	t.add(probe.Op{Kind: probe.Execute, Name: name, Words: words(lines), Results: results})
}

func (t *itinerary) read(name string, register arm64.Encoding) {
	t.add(probe.Op{Kind: probe.MRS, Name: name, Register: register})
}

func (t *itinerary) write(name string, register arm64.Encoding, value uint64) {
	t.add(probe.Op{Kind: probe.MSR, Name: name, Register: register, Value: value})
}

// hold puts values where they have to survive.
func (t *itinerary) hold() {
	sve := t.setup.Has(guise.FeatureSVE)
	for n := range uint32(32) {
		if sve {
			t.execute(fmt.Sprintf("hold Z%d", n), fillZ(n, pattern(t.vcpu, n, 0)), 0)
		} else {
			t.execute(fmt.Sprintf("hold V%d", n), fillV(n, pattern(t.vcpu, n, 0), pattern(t.vcpu, n, 1)), 0)
		}
	}
	for n := range uint32(16) {
		if sve {
			t.execute(fmt.Sprintf("hold P%d", n), fillP(n, predicateCount(n)), 0)
		}
	}
	t.write("hold FPCR", regFPCR, heldFPCR)
	t.write("hold FPSR", regFPSR, heldFPSR)
	t.write("hold TPIDR_EL0", regTPIDR, heldTPIDR+uint64(t.vcpu))
	if t.setup.Has(guise.FeaturePMU) {
		t.write("start PMCCNTR_EL0", regPMCNTENSET, 1<<31)
		t.write("hold PMEVTYPER0_EL0", regPMEVTYPER0, 0x11) // CPU_CYCLES
		t.write("start PMCR_EL0", regPMCR, 1)
	}
	if t.setup.Has(guise.FeatureMTE) {
		t.execute("hold tags", storeTags(firstTag(t.vcpu)), 0)
	}
	// The guest masks interrupts in PSTATE, so that pending they stay.
	switch t.setup.VGIC {
	case 2:
		t.interruptsV2()
	case 3:
		t.interruptsV3()
	}
}

// deviceStore is a store to the interrupt controller.
type deviceStore struct {
	name           string
	address, value uint64
	size           int
}

func (t *itinerary) stores(stores []deviceStore) {
	for _, s := range stores {
		t.execute(s.name, storeAt(s.address, s.value, s.size), 0)
	}
}

// interruptsV2 makes a vGICv2 ready and an interrupt pending (Arm IHI 0048,
// chapter 4). Registers of private interrupts are each vCPU's own.
func (t *itinerary) interruptsV2() {
	t.stores([]deviceStore{
		{"GICD_CTLR", distributor, 1, 4},
		{"GICD_IPRIORITYR timer", distributor + 0x400 + timerInterrupt, 0x80, 1},
		{"GICD_IPRIORITYR software", distributor + 0x400 + softInterrupt, 0x90, 1},
		{"GICD_ISENABLER0", distributor + 0x100, 1<<timerInterrupt | 1<<softInterrupt, 4},
	})
	if t.vcpu == 0 {
		t.stores([]deviceStore{
			{"GICD_IPRIORITYR shared", distributor + 0x400 + sharedInterrupt, 0xa0, 1},
			{"GICD_ITARGETSR shared", distributor + 0x800 + sharedInterrupt, 1, 1}, // vCPU 0
			{"GICD_ISENABLER1", distributor + 0x104, 1 << (sharedInterrupt - 32), 4},
		})
	}
	t.stores([]deviceStore{
		{"GICC_PMR", cpuInterface + 4, 0xff, 4},
		{"GICC_CTLR", cpuInterface, 1, 4},
		{"GICD_SGIR", distributor + 0xf00, 2<<24 | softInterrupt, 4}, // to itself
	})
	t.execute(before+highest, readHighest(2), 1)
}

// interruptsV3 makes a vGICv3 ready and an interrupt pending.
func (t *itinerary) interruptsV3() {
	frame := redistributor + uint64(t.vcpu)*redistributorStride
	stores := []deviceStore{
		{"GICD_CTLR", distributor, 3, 4},                                        // EnableGrp0, EnableGrp1
		{"GICR_WAKER", frame + 0x14, 0, 4},                                      // awake
		{"GICR_IGROUPR0", frame + 0x1_0080, 0xffff_ffff, 4},                     // group 1
		{"GICR_IPRIORITYR timer", frame + 0x1_0400 + timerInterrupt, 0x80, 1},   //
		{"GICR_IPRIORITYR software", frame + 0x1_0400 + softInterrupt, 0x90, 1}, //
		{"GICR_ISENABLER0", frame + 0x1_0100, 1<<timerInterrupt | 1<<softInterrupt, 4},
	}
	if t.vcpu == 0 {
		const bit = 1 << (sharedInterrupt - 32)
		stores = append(stores, []deviceStore{
			{"GICD_IGROUPR1", distributor + 0x84, bit, 4},
			{"GICD_IPRIORITYR shared", distributor + 0x400 + sharedInterrupt, 0xa0, 1},
			{"GICD_IROUTER35", distributor + 0x6000 + 8*sharedInterrupt, 0, 8}, // to affinity 0.0.0.0
			{"GICD_ISENABLER1", distributor + 0x104, bit, 4},
		}...)
	}
	t.write("ICC_SRE_EL1", regICCSRE, 7)
	t.stores(stores)
	t.write("ICC_PMR_EL1", regICCPMR, 0xff)
	t.write("ICC_IGRPEN1_EL1", regICCIGRPEN1, 1)
	t.write("ICC_SGI1R_EL1", regICCSGI1R, softInterrupt<<24|1<<t.vcpu)
	t.execute(before+highest, readHighest(3), 1)
}

// recall reads what was held.
func (t *itinerary) recall() {
	sve := t.setup.Has(guise.FeatureSVE)
	for n := range uint32(32) {
		if sve {
			t.execute(fmt.Sprintf("Z%d", n), readZ(n), 2)
		} else {
			t.execute(fmt.Sprintf("V%d", n), readV(n), 2)
		}
	}
	for n := range uint32(16) {
		if sve {
			t.execute(fmt.Sprintf("P%d", n), readP(n), 1)
		}
	}
	t.read("FPCR", regFPCR)
	t.read("FPSR", regFPSR)
	t.read("TPIDR_EL0", regTPIDR)
	if t.setup.Has(guise.FeaturePMU) {
		t.read("PMEVTYPER0_EL0", regPMEVTYPER0)
	}
	if t.setup.Has(guise.FeatureMTE) {
		t.execute("tags", readTags(), 1)
	}
	vgic := t.setup.VGIC
	if vgic == 0 {
		t.execute("timer", awaitTimer(), 3)
		return
	}
	t.execute(after+highest, readHighest(vgic), 1)
	if t.vcpu == 0 {
		t.execute("GICD_ISPENDR1", loadFrom(distributor+0x204), 1)
	}
	t.execute("timer", awaitTimer(), 3)
	t.execute("timer's interrupt", awaitInterrupt(vgic), 1)
	for i := range pendingInterrupts(t.setup, t.vcpu) {
		t.execute(fmt.Sprintf("interrupt %d", i+1), takeInterrupt(vgic), 1)
	}
}

// pendingInterrupts are the interrupts a vCPU takes when it has arrived. A
// GICv2 tells who sent a software generated one (GICC_IAR.CPUID).
func pendingInterrupts(setup *guise.Setup, vcpu int) []uint64 {
	soft := uint64(softInterrupt)
	if setup.VGIC == 2 {
		soft |= uint64(vcpu) << 10
	}
	if vcpu == 0 {
		return []uint64{timerInterrupt, soft, sharedInterrupt}
	}
	return []uint64{timerInterrupt, soft}
}

// look reads what both hosts must show alike: the feature ID space, and what
// hypervisor services answer.
func (t *itinerary) look(when string) {
	if t.setup.Has(guise.FeaturePMU) {
		t.read(when+"PMCCNTR_EL0", regPMCCNTR)
	}
	for _, program := range []*probe.Program{probe.FeatureSpace(), probe.ServiceCalls()} {
		for _, op := range program.Ops {
			if op.Kind == probe.SMC || op.Varies {
				continue
			}
			op.Name = when + op.Name
			t.add(op)
		}
	}
}
