package power

import isapower "github.com/guise-project/guise/isa/power"

// Entry is what a field of hv_guest_state becomes in the real registers.
type Entry uint8

const (
	NotLoaded        Entry = iota // no register, or one L0 does not load
	Copied                        // as written
	LoadedHFSCR                   // limited by RuleMask
	LoadedLPCR                    // L1's own, with the bits L1 may set, limited by RuleLPCR
	LoadedPCR                     // reserved bits set, limited by RulePCR
	L1Own                         // ignored: L1's own stays
	LoadedWatchpoint              // never matches in hypervisor state
	LoadedBreakpoint              // never matches in hypervisor state
	LoadedOffset                  // added to L1's own
	LoadedExpiry                  // converted to L0's time base
)

// Return is what L1 finds in a field of hv_guest_state when L2 has stopped.
type Return uint8

const (
	AsWritten Return = iota
	Current          // what L2 has now
	Counted          // what L2 has now, and L1's own is counted on
	OnDataFault
	OnFault
	OnIllegal
	ReturnedHFSCR
	ReturnedBreakpoint
	ReturnedLPCR
)

// RegisterRow says how one field is handled.
type RegisterRow struct {
	Field  isapower.StateField
	Entry  Entry
	Return Return
}

// RegisterRules has a row for every field of hv_guest_state, in its order
// (facts read in Linux 6.1 to 7.3, arch/powerpc/kvm/book3s_hv_nested.c, and
// observed on 6.1, 6.12 and 7.2).
var RegisterRules = [isapower.StateFields]RegisterRow{
	{isapower.StateVersion, NotLoaded, AsWritten},
	{isapower.StateLPID, NotLoaded, AsWritten},
	{isapower.StateVCPUToken, NotLoaded, AsWritten},
	{isapower.StateLPCR, LoadedLPCR, ReturnedLPCR},
	{isapower.StatePCR, LoadedPCR, AsWritten},
	{isapower.StateAMOR, L1Own, AsWritten},
	{isapower.StateDPDES, Copied, Current},
	{isapower.StateHFSCR, LoadedHFSCR, ReturnedHFSCR},
	{isapower.StateTBOffset, LoadedOffset, AsWritten},
	{isapower.StateDAWR0, Copied, AsWritten},
	{isapower.StateDAWRX0, LoadedWatchpoint, ReturnedBreakpoint},
	{isapower.StateCIABR, LoadedBreakpoint, ReturnedBreakpoint},
	{isapower.StateHDECExpiry, LoadedExpiry, AsWritten},
	{isapower.StatePURR, Copied, Counted},
	{isapower.StateSPURR, Copied, Counted},
	{isapower.StateIC, Copied, Counted},
	{isapower.StateVTB, Copied, Counted},
	{isapower.StateHDAR, NotLoaded, OnDataFault},
	{isapower.StateHDSISR, NotLoaded, OnDataFault},
	{isapower.StateHEIR, NotLoaded, OnIllegal},
	{isapower.StateASDR, NotLoaded, OnFault},
	{isapower.StateSRR0, Copied, Current},
	{isapower.StateSRR1, Copied, Current},
	{isapower.StateSPRG0, Copied, Current},
	{isapower.StateSPRG1, Copied, Current},
	{isapower.StateSPRG2, Copied, Current},
	{isapower.StateSPRG3, Copied, Current},
	{isapower.StatePIDR, Copied, Current},
	{isapower.StateCFAR, Copied, Current},
	{isapower.StatePPR, Copied, Current},
	{isapower.StateDAWR1, Copied, AsWritten},
	{isapower.StateDAWRX1, LoadedWatchpoint, ReturnedBreakpoint},
}

// What Step needs of the rules, picked out once, because a loop over all rows
// takes most of its time.
var (
	notLoaded []isapower.StateField // not copied on entry, and nothing else either
	loaded    []RegisterRow         // with a rule of its own on entry
	current   []isapower.StateField // what L2 has now is what L1 finds
	faulted   []RegisterRow         // returned when L2 left for a fault
	returned  []RegisterRow         // with another rule of its own on return
	writable  [isapower.StateFields]bool
)

func init() {
	for i, row := range RegisterRules {
		if int(row.Field) != i {
			panic("model/power: register rules are out of order at " + row.Field.String())
		}
		switch row.Entry {
		case Copied:
		case NotLoaded:
			notLoaded = append(notLoaded, row.Field)
		default:
			loaded = append(loaded, row)
		}
		switch row.Return {
		case AsWritten:
		case Current, Counted:
			current = append(current, row.Field)
		case OnDataFault, OnFault, OnIllegal:
			faulted = append(faulted, row)
		default:
			returned = append(returned, row)
		}
		writable[i] = row.Return == Current
	}
}

// load computes a real register from what L1 wrote.
func load(g *Generation, permitted *Permitted, s *State, entry Entry, value uint64) uint64 {
	switch entry {
	case LoadedHFSCR:
		mask := permitted.Available &^ permitted.Emulated
		if g.rules[RuleMask] != ToWhatIsPermitted {
			mask &= s.L1.Loaded
		}
		return value & (isapower.CauseMask | mask)
	case LoadedLPCR:
		return loadLPCR(g, s, value)
	case LoadedPCR:
		if g.rules[RulePCR] == L1sOwn {
			value |= s.L1.PCR
		}
		return value | isapower.PCRReserved
	case L1Own:
		return s.L1.AMOR
	case LoadedWatchpoint:
		return value &^ isapower.DAWRXHyper
	case LoadedBreakpoint:
		if value&isapower.CIABRLevel == isapower.CIABRHyper {
			return value &^ isapower.CIABRLevel
		}
		return value
	case LoadedOffset:
		return s.L1.TBOffset + value
	case LoadedExpiry:
		return value - s.L1.TBOffset
	}
	return 0
}

// loadLPCR gives L1's own LPCR with the bits that it may set for L2. With the
// filter, TC is for hashed translation only, AIL knows 0 and 3, and LD is of
// ISA 3.0 (kvmppc_filter_lpcr_hv).
func loadLPCR(g *Generation, s *State, value uint64) uint64 {
	mask := isapower.LPCRNested
	if g.rules[RuleLPCR] == MaskFilterLPES {
		mask &^= isapower.LPCRLPES
	}
	lpcr := s.L1.LPCR&^mask | value&mask
	if g.rules[RuleLPCR] == MaskOnly {
		return lpcr
	}
	lpcr &^= isapower.LPCRTC
	if lpcr&isapower.LPCRAIL != isapower.LPCRAIL || s.Machine.RadixPrefetchBug {
		lpcr &^= isapower.LPCRAIL
	}
	if s.Machine.Level < isapower.Level30 {
		lpcr &^= isapower.LPCRLD
	}
	return lpcr
}

// giveBack computes what L1 finds in a field.
func giveBack(g *Generation, permitted *Permitted, s *State, row *RegisterRow, r3 int64, answer Choice) uint64 {
	written, real := s.Structure[row.Field], s.Real[row.Field]
	switch row.Return {
	case ReturnedHFSCR:
		return giveBackHFSCR(g, permitted, written, real, r3, answer)
	case ReturnedBreakpoint:
		if g.rules[RuleReturnedBreakpoints] == ReturnReal {
			return real
		}
	case ReturnedLPCR:
		if g.rules[RuleReturnedLPCR] == ReturnReal {
			return real
		}
	}
	return written
}

// giveBackFault computes what L1 finds in a field that says how L2 faulted.
func giveBackFault(s *State, row *RegisterRow, r3 int64, event *Event) uint64 {
	switch {
	case row.Return == OnDataFault && r3 == isapower.VectorHDSI && row.Field == isapower.StateHDAR:
		return event.Address
	case row.Return == OnDataFault && r3 == isapower.VectorHDSI:
		return event.Syndrome
	case row.Return == OnFault && r3 != isapower.VectorHEAI:
		return event.Value
	case row.Return == OnIllegal && r3 == isapower.VectorHEAI:
		return event.Value
	}
	return s.Structure[row.Field]
}

// giveBackHFSCR computes the HFSCR that L1 reads.
func giveBackHFSCR(g *Generation, permitted *Permitted, written, real uint64, r3 int64, answer Choice) uint64 {
	enables := written &^ isapower.CauseMask
	switch g.rules[RuleReturnedHFSCR] {
	case ReturnReal:
		enables = real &^ isapower.CauseMask
	case ReturnImplemented:
		enables &= permitted.Available | permitted.Emulated
	}
	cause := written & isapower.CauseMask
	switch g.rules[RuleReturnedCause] {
	case CauseAlways:
		cause = real & isapower.CauseMask
	case CauseClearedOnHid:
		if answer == Program {
			cause = 0
		} else if r3 == isapower.VectorHFacility {
			cause = real & isapower.CauseMask
		}
	case CauseOnFacility:
		if r3 == isapower.VectorHFacility {
			cause = real & isapower.CauseMask
		}
	}
	return cause | enables
}
