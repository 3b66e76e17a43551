package power

import isapower "github.com/guise-project/guise/isa/power"

// Check is one condition that H_ENTER_NESTED asks before L2 runs.
type Check uint8

const (
	CheckPartitionTable Check = iota
	CheckL1Transactional
	CheckReadable
	CheckVersionKnown
	CheckVersionOne
	CheckVersionHigh
	CheckToken
	CheckTransactionState
	CheckLPID

	checkCount
)

// CheckRow is a check with what it is about and what L1 gets.
type CheckRow struct {
	Check Check
	About string
	Code  int64
	// Only is the version rule under which the check exists; undecided: any.
	Only Choice
}

// Checks lists the checks in the order in which they are made. The kernel
// asks for a known version while it reads the structure, looking at the low
// 32 bits, and again for the whole number.
var Checks = []CheckRow{
	{CheckPartitionTable, "no partition table is registered", isapower.HNotAvailable, undecided},
	{CheckL1Transactional, "L1 is in transactional state", isapower.HBadMode, undecided},
	{CheckReadable, "the structure is not in L1's memory", isapower.HParameter, undecided},
	{CheckVersionKnown, "the version is neither 1 nor 2", isapower.HParameter, VersionsToTwo},
	{CheckVersionOne, "the version is not 1", isapower.HP2, VersionOneOnly},
	{CheckVersionHigh, "the version is above 2", isapower.HP2, VersionsToTwo},
	{CheckToken, "vcpu_token is not below NR_CPUS", isapower.HParameter, undecided},
	{CheckTransactionState, "L2 is transactional and L1 is not suspended, or the other way", isapower.HBadMode, undecided},
	{CheckLPID, "lpid is outside the partition table", isapower.HParameter, undecided},
}

// check returns the code of the first check that fails, H_SUCCESS for none.
func check(g *Generation, s *State) int64 {
	for i := range Checks {
		row := &Checks[i]
		if row.Only != undecided && row.Only != g.rules[RuleVersions] {
			continue
		}
		if fails(row.Check, s) {
			return row.Code
		}
	}
	return isapower.HSuccess
}

// fails reports whether the state does not pass a check.
func fails(c Check, s *State) bool {
	version := s.Structure[isapower.StateVersion]
	switch c {
	case CheckPartitionTable:
		return s.L1.PartitionTableEntries == 0
	case CheckL1Transactional:
		return s.L1.MSR&isapower.MSRTST != 0
	case CheckReadable:
		return s.Unreadable
	case CheckVersionKnown:
		_, ok := isapower.StateSize(uint32(version))
		return !ok
	case CheckVersionOne:
		return version != 1
	case CheckVersionHigh:
		return version > 2
	case CheckToken:
		return uint32(s.Structure[isapower.StateVCPUToken]) >= s.Machine.CPUs
	case CheckTransactionState:
		if s.L1.MSR&isapower.MSRTSS != 0 {
			return s.MSR&isapower.MSRTS == 0
		}
		return s.MSR&isapower.MSRTS != 0
	case CheckLPID:
		return uint32(s.Structure[isapower.StateLPID]) >= s.L1.PartitionTableEntries
	}
	return false
}
