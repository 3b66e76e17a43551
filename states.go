package guise

// What a finding says in place of a value. A value itself is written as isa.Field's
// and isa.Register's Text has it: 0x1f for a register, 2 for a field, 1.1 for a
// version; 128, 256 for SVE vector lengths in bits.
const (
	stateAbsent       = "no such register"
	stateNotCaptured  = "not captured"
	stateNoSetup      = "not captured in this setup"
	stateMakesNone    = "makes no such VM"
	stateNotKnown     = "not known"
	stateMustNotExist = "must not exist"
	stateUncontrolled = "uncontrolled"
	stateComplete     = "complete"
	stateListed       = "listed"
	stateNotListed    = "not listed"
	stateSameList     = "the same registers"
	stateOwnRegisters = "those of the contract"
)

// States are all texts that stand in place of a value in findings and differences of
// arm64 hosts. Programs may compare with them: they do not change.
var States = []string{
	stateAbsent, stateNotCaptured, stateNoSetup, stateMakesNone, stateNotKnown, stateMustNotExist,
	stateUncontrolled, stateComplete, stateListed, stateNotListed, stateSameList, stateOwnRegisters,
}
