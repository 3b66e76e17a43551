package guise

import (
	"fmt"
	"slices"
)

// Outcome is what comes of a move. The greater it is, the worse.
type Outcome int

const (
	// MoveSame: the VM runs on and its guest sees what it saw.
	MoveSame Outcome = iota
	// MoveSeen: the VM runs on, and its guest then sees something else.
	MoveSeen
	// MoveUnknown: not known.
	MoveUnknown
	// MoveRefused: the VMM gives up.
	MoveRefused
)

var outcomeNames = [...]string{"same", "moves", "unknown", "refused"}

// String gives the word: same, moves, unknown or refused.
func (o Outcome) String() string {
	if o < MoveSame || o > MoveRefused {
		o = MoveUnknown
	}
	return outcomeNames[o]
}

// Verdict is the outcome as the answer to "does the guest go on seeing what it saw?".
func (o Outcome) Verdict() Verdict {
	switch o {
	case MoveSame:
		return Yes
	case MoveSeen, MoveRefused:
		return No
	}
	return Unknown
}

// Move is what comes of one VM that a VMM takes from one host to another.
type Move struct {
	From, To string
	VMM      VMM
	// Setup is that of the VM.
	Setup   Setup
	Outcome Outcome
	// Points are the reasons, the worst first; none where nothing changes.
	Points []MovePoint
}

// MovePoint is one register or field of a move.
type MovePoint struct {
	Outcome  Outcome
	Register string
	Field    string // "" where it is about the whole register
	// Source: it is the source that refuses; otherwise the target.
	Source bool
	// Carried is the value that the state has, There what the target shows a VM of
	// its own, and Seen what the guest sees after the move; "" where it is not known
	// or means nothing.
	Carried, There, Seen string
	// Errno is what the target's kernel answers, "" where none does.
	Errno string
	// Means says why, where that is not plain.
	Means string
}

// Name gives the object of the point: ID_AA64MMFR2_EL1.FWB.
func (p *MovePoint) Name() string {
	if p.Field == "" {
		return p.Register
	}
	return p.Register + "." + p.Field
}

// MoveOne says what comes of a VM that a VMM takes from one host to another: of a VM
// that was given the contract, on both, or, where it is nil, of one that was given what
// each host shows. setup is the key of the latter's setup; "" stands for the one that the
// VMM makes unasked.
//
// A VMM replays every register that the source lists, whether or not its guest sees it
// and whether or not it varies. What the target takes of that is known where it was tried,
// and else from what is known of its kernel. The state of devices, interrupt controllers
// among them, is not looked at. It is safe for concurrent use with captures that nobody
// changes.
func MoveOne(contract *Contract, from, to *Capture, setup string, vmm VMM) (Move, error) {
	rules, err := moverOf(vmm)
	if err != nil {
		return Move{}, err
	}
	if err := usableHosts(from, to); err != nil {
		return Move{}, err
	}
	for _, c := range []*Capture{from, to} {
		if c.Power != nil {
			return Move{}, fmt.Errorf("%s: is of POWER; moves are of arm64 hosts", c.Name)
		}
	}
	if contract != nil {
		if err := contract.usable(); err != nil {
			return Move{}, err
		}
		if contract.Power != nil {
			return Move{}, fmt.Errorf("%s: is of POWER; moves are of arm64 hosts", contract.Name)
		}
	}
	if rules.givesContract && contract == nil {
		return Move{}, fmt.Errorf("%s: moves VMs under a contract; want one", vmm)
	}
	m := &moving{move: Move{From: from.Name, To: to.Name, VMM: vmm}, rules: rules, contract: contract, source: &moveEnd{capture: from}, target: &moveEnd{capture: to}}
	if err := m.choose(setup); err != nil {
		return Move{}, err
	}
	if m.ready() {
		m.judge()
	}
	slices.SortStableFunc(m.move.Points, func(a, b MovePoint) int { return int(b.Outcome) - int(a.Outcome) })
	for i := range m.move.Points {
		m.move.Outcome = max(m.move.Outcome, m.move.Points[i].Outcome)
	}
	return m.move, nil
}

// choose finds the setup of the VM.
func (m *moving) choose(key string) error {
	from := m.source.capture
	switch {
	case m.contract != nil:
		m.move.Setup = m.contract.Setup
		return nil
	case key != "":
		setup := from.Setup(key)
		if setup == nil {
			return fmt.Errorf("%s: was not captured in setup %s", from.Name, key)
		}
		m.move.Setup = unasked(&setup.Setup)
		return nil
	}
	best := -1
	for i := range from.Setups {
		s := &from.Setups[i].Setup
		if s.Protected || slices.ContainsFunc(s.Features, func(f Feature) bool { return !slices.Contains(m.rules.features, f) }) {
			continue
		}
		if best < 0 || len(s.Features) > len(from.Setups[best].Features) || len(s.Features) == len(from.Setups[best].Features) && s.VGIC == 3 && from.Setups[best].VGIC != 3 {
			best = i
		}
	}
	if best < 0 {
		return fmt.Errorf("%s: was not captured in a setup that %s makes; want the key of one that was", from.Name, m.rules.vmm)
	}
	m.move.Setup = unasked(&from.Setups[best].Setup)
	return nil
}

// unasked is a captured setup as a VMM makes it that was told nothing: captures name the
// capabilities and the largest IPA size that can be had.
func unasked(s *Setup) Setup {
	setup := *s
	setup.Capabilities, setup.IPABits = nil, 0
	return setup
}

// ready looks at what decides before any register is replayed; it is false where
// nothing is.
func (m *moving) ready() bool {
	setup := &m.move.Setup
	switch {
	case setup.Protected || setup.Has(FeatureEL2):
		m.add(MovePoint{Outcome: MoveUnknown, Register: "setup", Carried: setup.Key(), Means: "what VMMs do with the state of such VMs is not known"})
		return false
	case m.rules.noPMU && setup.Has(FeaturePMU):
		m.add(MovePoint{Outcome: MoveRefused, Source: true, Register: "setup", Carried: setup.Key(), Means: string(m.rules.vmm) + " makes no VM with a PMU"})
		return false
	}
	for _, end := range []*moveEnd{m.source, m.target} {
		if end.setup = end.capture.Setup(setup.Key()); end.setup != nil {
			continue
		}
		point := MovePoint{Outcome: MoveUnknown, Source: end == m.source, Register: "setup", Carried: setup.Key(), There: stateNoSetup}
		if end.capture.Complete {
			point.Outcome, point.There = MoveRefused, stateMakesNone
		}
		m.add(point)
		return false
	}
	if m.contract == nil {
		return true
	}
	verdict := Check(m.contract, m.source.capture, VMMNone)
	for i := range verdict.Findings {
		if f := &verdict.Findings[i]; f.Verdict != Yes {
			point := givenPoint(f)
			point.Source = true
			if f.Verdict == No && point.Means == "" {
				point.Means = "the source does not take it"
			}
			m.add(point)
		}
	}
	return verdict.Verdict != No
}

// givenPoint is a finding about a host that is given a contract, as a point of a move.
func givenPoint(f *Finding) MovePoint {
	point := MovePoint{Outcome: MoveUnknown, Register: f.Register, Field: f.Field, Carried: f.Wanted, Means: f.Means}
	if len(f.Hosts) > 0 {
		point.There = f.Hosts[0].Value
	}
	if f.Verdict == No {
		point.Outcome = MoveRefused
	}
	return point
}
