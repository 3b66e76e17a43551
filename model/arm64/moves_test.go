package arm64

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
)

// movedHosts are kernels and CPUs that differ in what a VMM replays: lists, AArch32,
// caches, identity, fields that are taken and shown otherwise, services.
var movedHosts = []string{
	"4.15/cortex-a53", "5.4.18/neoverse-n1", "5.10/cortex-a72", "5.10/neoverse-n1", "6.1/cortex-a72", "6.1/neoverse-n1", "6.1/neoverse-v1",
	"6.8/neoverse-n1", "6.12.118/neoverse-n1", "6.12.118/neoverse-v1", "6.12.118/max", "6.18/a64fx", "6.18/neoverse-v1", "6.18/max",
	"7.2/neoverse-n1", "7.2/neoverse-v1", "7.2/cortex-a53", "7.2/max",
}

// movedHost is a model host with its capture.
type movedHost struct {
	name    string
	host    *Host
	capture *guise.Capture
	// assumed is the capture without what was tried: what the host takes is known of its
	// kernel alone.
	assumed *guise.Capture
}

// withoutOffers is a capture of whose host nothing was tried.
func withoutOffers(t *testing.T, capture *guise.Capture, version kernel.Version) *guise.Capture {
	t.Helper()
	assumed := *capture
	assumed.Setups = slices.Clone(capture.Setups)
	for i := range assumed.Setups {
		assumed.Setups[i].Offers, assumed.Setups[i].Accepts = nil, ""
	}
	if err := assumed.Assume(version); err != nil {
		t.Fatal(err)
	}
	return &assumed
}

func openMoved(t *testing.T) []movedHost {
	t.Helper()
	hosts := make([]movedHost, len(movedHosts))
	for i, name := range movedHosts {
		host, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{})
		if err != nil {
			t.Fatal(err)
		}
		capture.Name = name
		hosts[i] = movedHost{name, host, capture, withoutOffers(t, capture, host.profile.Version)}
	}
	return hosts
}

// replay moves a VM on the model as a VMM does, and says which registers were refused,
// with which errno (0: the target does not list it), and which a guest then sees
// otherwise. ok is false where the source does not make the VM or take the contract.
func replay(t *testing.T, contract *guise.Contract, from, to movedHost, setup *guise.Setup, lists bool) (refused map[string]syscall.Errno, seen map[string]bool, ok bool) {
	t.Helper()
	make := func(h movedHost) *VM {
		if contract != nil {
			machine, _, err := vm.Apply(t.Context(), h.host, contract, 1)
			if err != nil {
				return nil
			}
			return machine.(*VM)
		}
		machine, err := h.host.NewVM(t.Context(), *setup, 1)
		if err != nil {
			return nil
		}
		return machine.(*VM)
	}
	source := make(from)
	if source == nil {
		return nil, nil, false
	}
	_ = source.RunNothing(0)
	state, err := source.Save(0)
	if err != nil {
		t.Fatalf("%s: %v", from.name, err)
	}
	if contract != nil { // which has chosen the lengths already
		state.Registers = slices.DeleteFunc(state.Registers, func(r Saved) bool { return r.ID == arm64.IDSVEVectorLengths })
	}
	refused = map[string]syscall.Errno{}
	target := make(to)
	if target == nil {
		if contract != nil { // a baseline of both: the target takes it
			t.Fatalf("%s to %s: the target does not take the contract", from.name, to.name)
		}
		return map[string]syscall.Errno{"setup": syscall.EINVAL}, nil, true
	}
	if lists {
		if contract == nil {
			_ = target.Finalize(0)
		}
		list, err := target.List(0)
		if err != nil {
			t.Fatalf("%s: %v", to.name, err)
		}
		unknown, _ := state.Unlisted(list)
		for _, id := range unknown {
			refused[guise.NameOf(id)] = 0
		}
		target = make(to)
	}
	refusals, err := target.Restore(0, state)
	if err != nil {
		t.Fatalf("%s to %s: %v", from.name, to.name, err)
	}
	for _, r := range refusals {
		name := guise.NameOf(r.ID)
		if r.ID == arm64.IDSVEVectorLengths {
			name = "SVE vector lengths"
		}
		if _, already := refused[name]; !already {
			refused[name] = r.Errno
		}
	}
	if len(refused) > 0 {
		return refused, nil, true
	}
	_ = target.RunNothing(0)
	seen = map[string]bool{}
	for place := range arm64.Registers {
		register := &arm64.Registers[place]
		e, system := arm64.ID(register.ID).Encoding()
		if !system || place != arm64.CTREL0 && place != arm64.CLIDREL1 && (e.Op0 != 3 || e.Op1 != 0 || e.CRn != 0 || e.CRm == 0) {
			continue
		}
		before, a := source.Read(0, e)
		after, b := target.Read(0, e)
		if a != b || before != after {
			seen[register.Name] = true
		}
	}
	return refused, seen, true
}

// TestMovesAgainstTheModel: what Moves says of a pair is what comes of the replay on the
// model, refusal by refusal and register by register, with each host's own setups and
// with contracts, by the rule of QEMU and by that of Firecracker.
func TestMovesAgainstTheModel(t *testing.T) {
	hosts := openMoved(t)
	outcomes := map[guise.Outcome]int{}
	moves, open := 0, 0
	one := func(contract *guise.Contract, from, to movedHost, setup *guise.Setup, vmm guise.VMM) {
		key := setup.Key()
		if contract != nil {
			key = ""
		}
		m, err := guise.MoveOne(contract, from.capture, to.capture, key, vmm)
		if err != nil {
			t.Fatalf("%s to %s: %v", from.name, to.name, err)
		}
		refused, seen, ok := replay(t, contract, from, to, setup, vmm == guise.VMMQEMU)
		if !ok {
			return
		}
		moves++
		outcomes[m.Outcome]++
		name := fmt.Sprintf("%s to %s, %s, %s, contract %v", from.name, to.name, setup.Key(), vmm, contract != nil)
		open += checkMove(t, name, &m, refused, seen)
		if m, err = guise.MoveOne(contract, from.assumed, to.assumed, key, vmm); err != nil {
			t.Fatalf("%s, assumed: %v", name, err)
		}
		checkMove(t, name+", assumed", &m, refused, seen)
	}
	for _, from := range hosts {
		for _, to := range hosts {
			if from.name == to.name {
				continue
			}
			for _, vmm := range guise.VMMs {
				for i := range from.capture.Setups {
					setup := from.capture.Setups[i].Setup
					setup.Capabilities, setup.IPABits, setup.VectorLengths = nil, 0, 0 // a VMM that is told nothing does not ask for any
					if setup.Protected || setup.Has(guise.FeatureEL2) || setup.Has(guise.FeatureAArch32) || vmm == guise.VMMFirecracker && setup.Has(guise.FeaturePMU) {
						continue
					}
					one(nil, from, to, &setup, vmm)
				}
			}
			result, err := guise.Baseline([]*guise.Capture{from.capture, to.capture}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if result.Contract != nil {
				for _, vmm := range guise.VMMs {
					if vmm == guise.VMMFirecracker && result.Contract.Setup.Has(guise.FeaturePMU) {
						continue
					}
					one(result.Contract, from, to, &result.Contract.Setup, vmm)
				}
			}
		}
	}
	testenv.Figure(t, "moves between model hosts, against the replay: %d; %v; %d points left open; contradicted 0", moves, outcomes, open)
	for outcome, least := range map[guise.Outcome]int{guise.MoveSame: 100, guise.MoveSeen: 20, guise.MoveRefused: 3000} {
		if outcomes[outcome] < least {
			t.Errorf("%d moves are %v; want at least %d", outcomes[outcome], outcome, least)
		}
	}
}

// checkMove holds a verdict against what happened, and counts what it left open.
func checkMove(t *testing.T, name string, m *guise.Move, refused map[string]syscall.Errno, seen map[string]bool) (open int) {
	t.Helper()
	foreseen := map[string]*guise.MovePoint{}
	for i := range m.Points {
		p := &m.Points[i]
		if p.Source {
			continue
		}
		if old := foreseen[p.Register]; old == nil || p.Outcome > old.Outcome {
			foreseen[p.Register] = p
		}
		if p.Outcome == guise.MoveUnknown {
			open++
		}
	}
	for register, errno := range refused {
		p := foreseen[register]
		switch {
		case p == nil || p.Outcome < guise.MoveUnknown:
			t.Errorf("%s: %s was refused (%v), and was not foreseen", name, register, errno)
		case p.Outcome == guise.MoveRefused && errno != 0 && p.Errno != "" && p.Errno != map[syscall.Errno]string{syscall.EINVAL: "EINVAL", syscall.ENOENT: "ENOENT"}[errno]:
			t.Errorf("%s: %s was refused with %v, not %s", name, register, errno, p.Errno)
		}
	}
	for register, p := range foreseen {
		if _, happened := refused[register]; p.Outcome == guise.MoveRefused && !happened && refused["setup"] == 0 {
			t.Errorf("%s: %s was to be refused, and was not (%+v)", name, register, *p)
		}
		bitmap := strings.HasSuffix(register, "BMAP") // which a guest does not read, but call
		if seen != nil && p.Outcome == guise.MoveSeen && !seen[register] && !bitmap {
			t.Errorf("%s: a guest was to see another %s, and does not (%+v)", name, register, *p)
		}
	}
	for register := range seen {
		if p := foreseen[register]; p == nil || p.Outcome != guise.MoveSeen && p.Outcome != guise.MoveUnknown {
			t.Errorf("%s: a guest sees another %s, and it was not foreseen", name, register)
		}
	}
	return open
}
