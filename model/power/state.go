package power

import isapower "github.com/guise-project/guise/isa/power"

// Permitted is what L0 gives an L1, facility by facility, as masks of HFSCR
// bits. What stands in neither mask is hidden: L1's level of the architecture
// does not have it, or nothing has.
type Permitted struct {
	// Available is hfscr_permitted: L1 may use it, now or after it was loaded.
	Available uint64
	// Emulated is what L0 emulates in software; its real bit is always 0.
	Emulated uint64
}

// Machine is the hardware and the build of the kernel that L0 is.
type Machine struct {
	Level isapower.Level
	// BigEndian says that L0 itself runs big-endian.
	BigEndian bool
	// RadixPrefetchBug is the POWER9 erratum under which AIL stays 0.
	RadixPrefetchBug bool
	// CPUs is the kernel's NR_CPUS, the limit of vcpu_token.
	CPUs uint32
}

// Registers are L1's own, as L0 keeps them while L2 runs.
type Registers struct {
	MSR, LPCR, PCR, AMOR  uint64
	TBOffset              uint64
	PURR, SPURR, IC, VTB  uint64
	PartitionTableEntries uint32 // 0: no table was registered
	// Loaded holds the available facilities that are switched on for L1 now;
	// those that are not are lazily off.
	Loaded uint64
}

// State is everything Step looks at: the machine, L1's registers, what lies in
// L1's memory, and the real registers while L2 runs. The zero value of the
// running part is an L1 that runs itself.
type State struct {
	Machine Machine
	L1      Registers
	// Unreadable says that the address of the structure is not in L1's memory.
	Unreadable bool
	// Structure is hv_guest_state and MSR the msr of pt_regs, both in L1's
	// memory and as L1 reads them, whatever its byte order.
	Structure isapower.State
	MSR       uint64

	// Running says that L2 runs. Real and RealMSR are then what the CPU holds;
	// fields that are no registers are 0.
	Running bool
	Real    isapower.State
	RealMSR uint64

	// TimeBase is L0's time base.
	TimeBase uint64
}

// NewState returns an L1 with everything available loaded, a partition table
// of 256 entries, L0's own byte order and a version 2 structure that lets L2
// run for ever.
func NewState(level isapower.Level, permitted Permitted) State {
	s := State{
		Machine: Machine{Level: level, CPUs: 2048},
		L1: Registers{
			MSR: isapower.MSRSF | isapower.MSRME | isapower.MSRLE, AMOR: ^uint64(0), PCR: isapower.PCRReserved,
			// What KVM gives a radix guest on POWER9 and POWER10, observed.
			LPCR:                  0x004000000454f41f,
			PartitionTableEntries: 256, Loaded: permitted.Available,
		},
		MSR: isapower.MSRSF | isapower.MSRME | isapower.MSRIR | isapower.MSRDR | isapower.MSRLE,
	}
	s.Structure[isapower.StateVersion] = 2
	s.Structure[isapower.StateLPID] = 1
	s.Structure[isapower.StateHDECExpiry] = 1<<63 - 1
	return s
}

// swapped says that L1 and L0 are of unlike byte order.
func (s *State) swapped() bool {
	return (s.L1.MSR&isapower.MSRLE == 0) != s.Machine.BigEndian
}

// EventKind is what can happen to an L1 and its L2.
type EventKind uint8

const (
	// Enter: L1 calls H_ENTER_NESTED.
	Enter EventKind = iota
	// Use: L2 executes Value, an instruction of the facility with cause Cause.
	Use
	// Unavailable: hardware raises the facility unavailable interrupt with
	// Cause in L2, at instruction Value.
	Unavailable
	// DirectUse: L1 itself executes such an instruction.
	DirectUse
	// Write: L2 writes Value to Field, a register that is its own, or to MSR
	// where Field is isapower.StateFields.
	Write
	// Tick: purr, spurr, ic and vtb each count Value on.
	Tick
	// DataFault: 0xe00 with Address, Syndrome and the guest-real address Value.
	DataFault
	// InstructionFault: 0xe20 with the bits Syndrome in HSRR1 and the
	// guest-real address Value.
	InstructionFault
	// IllegalInstruction: 0xe40 for instruction Value.
	IllegalInstruction
	// Exit: L2 leaves through vector Value, with nothing recorded: 0xc00 for a
	// hypercall of L2's.
	Exit
	// Signal: L1's vCPU thread in L0 is interrupted while L2 runs.
	Signal
	// Release: L0 gives up the lazily loaded facilities of mask Value while L1
	// runs.
	Release

	eventCount
)

var eventNames = [eventCount]string{
	"enter", "use", "unavailable", "direct use", "write", "tick", "data fault", "instruction fault",
	"illegal instruction", "exit", "signal", "release",
}

// String gives the kind in words.
func (k EventKind) String() string { return eventNames[k] }

// Event is one thing that happens.
type Event struct {
	Kind     EventKind
	Cause    uint8
	Field    isapower.StateField
	Value    uint64
	Address  uint64
	Syndrome uint64
}

// Did is what became of an event.
type Did uint8

const (
	// Nothing: the event cannot happen now, such as a use by an L2 that does
	// not run; the state is unchanged.
	Nothing Did = iota
	// Entered: L2 runs.
	Entered
	// Refused: H_ENTER_NESTED failed before L2 ran.
	Refused
	// Ran: the hardware did it; L0 was not asked.
	Ran
	// Loaded: L0 switched the facility on and the instruction ran.
	Loaded
	// Emulated: L0 emulated the instruction.
	Emulated
	// Returned: L2 stopped and H_ENTER_NESTED returned to L1.
	Returned
	// Interrupted: L1 itself got an interrupt.
	Interrupted
	// Faulty: hardware did what it cannot do.
	Faulty

	didCount
)

var didNames = [didCount]string{
	"nothing", "entered", "refused", "ran", "loaded", "emulated", "returned", "interrupted", "faulty",
}

// String gives it in a word.
func (d Did) String() string { return didNames[d] }

// Outcome is what Step finds.
type Outcome struct {
	Did Did
	// R3 is what H_ENTER_NESTED returned, where Did is Refused or Returned: a
	// vector, a negative or small return code, or 0 for L1 to try again.
	R3 int64
	// Vector and SRR1 are the interrupt that L1 gets itself, where Did is
	// Interrupted or an answer gives it one.
	Vector, SRR1 uint64
	// Answer is the answer of Rule where there was a facility interrupt.
	Answer Choice
	Rule   Rule
	State  State
}
