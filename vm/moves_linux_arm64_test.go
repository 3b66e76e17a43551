package vm_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
)

// testMoves replays on this kernel what a VMM would bring from each host of the
// catalogue, in the order of the list, and holds what is refused, and what a guest then
// sees, against guise.MoveOne.
func testMoves(t *testing.T, host vm.Host, capture *guise.Capture) {
	t.Helper()
	outcomes := map[string]int{}
	for _, name := range catalog.Names() {
		source, err := catalog.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, vmm := range guise.VMMs {
			m, err := guise.MoveOne(nil, source, capture, "", vmm)
			if err != nil || capture.Setup(m.Setup.Key()) == nil && !capture.Complete {
				continue // POWER, or not captured as the VMM makes it
			}
			testMove(t, host, source.Setup(m.Setup.Key()), &m)
			outcomes[m.Outcome.String()]++
		}
	}
	if outcomes["refused"] < 20 {
		t.Errorf("moves from the catalogue: %v; too few", outcomes)
	}
	testenv.Figure(t, "moves from the catalogue to Linux %s on %s, replayed: %v", capture.Host.Kernel, host, outcomes)
}

// notReplayed are registers that captures do not have as userspace reads them: what a
// guest reads of the CPU, and what Firecracker puts in their place.
var notReplayed = []int{arm64.CTREL0, arm64.CLIDREL1}

// replayed reports whether a register of the source is written.
func replayed(source *guise.CapturedSetup, place int) bool {
	id := arm64.ID(arm64.Registers[place].ID)
	_, listed := slices.BinarySearch(source.Listed, id)
	return listed && source.View.Present.Has(place) && (vm.ContractRegister(place) || place == arm64.PMCREL0) && !slices.Contains(notReplayed, place)
}

func testMove(t *testing.T, host vm.Host, source *guise.CapturedSetup, m *guise.Move) {
	t.Helper()
	refused := map[string]syscall.Errno{}
	machine, err := host.NewVM(t.Context(), m.Setup, 1)
	var call *vm.CallError
	if errors.As(err, &call) && call.Lacking || errors.Is(err, vm.ErrNotSupported) {
		refused["setup"] = syscall.EINVAL
		holdMove(t, m, refused, nil)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := machine.Close(); err != nil {
			t.Error(err)
		}
	}()
	note := func(name string, err error) {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			refused[name] = errno
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if m.Setup.Has(guise.FeatureSVE) {
		lengths := make([]byte, arm64.IDSVEVectorLengths.Size())
		binary.LittleEndian.PutUint16(lengths, source.VectorLengths)
		note("SVE vector lengths", machine.(vm.WideRegisters).SetWide(0, arm64.IDSVEVectorLengths, lengths))
		if err := machine.(vm.Finalizer).Finalize(0); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := machine.(vm.Lister).List(0)
	if err != nil {
		t.Fatal(err)
	}
	if m.VMM == guise.VMMQEMU {
		for _, id := range source.Listed {
			if !slices.Contains(listed, id) {
				refused[guise.NameOf(id)] = 0
			}
		}
	}
	for place := range arm64.Registers {
		name := arm64.Registers[place].Name
		if _, already := refused[name]; !already && replayed(source, place) {
			note(name, machine.Set(0, arm64.ID(arm64.Registers[place].ID), source.View.Values[place]))
		}
	}
	if len(refused) > 0 {
		holdMove(t, m, refused, nil)
		return
	}
	trace, err := vm.Look(t.Context(), machine, 0)
	if err != nil {
		t.Fatal(err)
	}
	var view arm64.View
	vm.SeenBy(trace, &view, func(int) bool { return true })
	seen := map[string]bool{}
	aarch32 := arm64.Registers[arm64.IDAA64PFR0EL1].Field("EL0").Get(source.View.Values[arm64.IDAA64PFR0EL1]) == 2
	for place := range arm64.Registers {
		e, _ := arm64.ID(arm64.Registers[place].ID).Encoding()
		describesAArch32 := e.CRn == 0 && e.CRm >= 1 && e.CRm <= 3
		indexed := place >= arm64.CCSIDREL1Level0 && place <= arm64.CCSIDREL1Level13 // read through CSSELR_EL1
		if replayed(source, place) && !indexed && place != arm64.PMCREL0 && view.Present.Has(place) && view.Values[place] != source.View.Values[place] && (aarch32 || !describesAArch32) {
			seen[arm64.Registers[place].Name] = true
		}
	}
	holdMove(t, m, refused, seen)
}

// holdMove holds a verdict against what happened; seen is nil where nobody looked.
func holdMove(t *testing.T, m *guise.Move, refused map[string]syscall.Errno, seen map[string]bool) {
	t.Helper()
	foreseen := map[string]guise.MovePoint{}
	for _, p := range m.Points {
		if old, ok := foreseen[p.Register]; !ok || p.Outcome > old.Outcome {
			foreseen[p.Register] = p
		}
	}
	what := m.From + " by " + string(m.VMM)
	for name, errno := range refused {
		p, ok := foreseen[name]
		switch {
		case !ok || p.Outcome < guise.MoveUnknown:
			t.Errorf("%s: %s was refused (%v), and was not foreseen: %+v", what, name, errno, p)
		case p.Outcome == guise.MoveRefused && p.Errno != "" && errno != 0 && p.Errno != map[syscall.Errno]string{syscall.EINVAL: "EINVAL", syscall.ENOENT: "ENOENT"}[errno]:
			t.Errorf("%s: %s was refused with %v, not %s", what, name, errno, p.Errno)
		}
	}
	for name, p := range foreseen {
		_, happened := refused[name]
		place, known := arm64.Place(name)
		skipped := known && slices.Contains(notReplayed, place)
		_, madeNone := refused["setup"]
		if p.Outcome == guise.MoveRefused && !happened && !skipped && !madeNone {
			// A register that the table does not have is only compared by the list.
			if known && p.Carried != "" || m.VMM == guise.VMMQEMU || name == "SVE vector lengths" || name == "setup" {
				t.Errorf("%s: %s was to be refused, and was not: %+v", what, name, p)
			}
		}
		if seen != nil && p.Outcome == guise.MoveSeen && !seen[name] && known && !skipped && arm64.Registers[place].Scope != isa.Hardware && place != arm64.PMCREL0 && !strings.HasSuffix(name, "BMAP") {
			t.Errorf("%s: a guest was to see another %s, and does not: %+v", what, name, p)
		}
	}
	for name := range seen {
		if p, ok := foreseen[name]; !ok || p.Outcome != guise.MoveSeen && p.Outcome != guise.MoveUnknown {
			t.Errorf("%s: a guest sees another %s, and it was not foreseen", what, name)
		}
	}
}
