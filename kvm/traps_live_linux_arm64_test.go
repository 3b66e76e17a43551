package kvm_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/kvm"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// modelName is the model of the host that the test runs on.
var modelName = flag.String("model", "", "the reference model's name for this host, as 6.12/neoverse-v1")

// TestLiveTraps: where KVM's tracepoints can be read, each operation of a guest
// is known to have come to KVM or not, and the reference model agrees.
func TestLiveTraps(t *testing.T) {
	host, err := kvm.Open("")
	if err != nil {
		testenv.Missing(t, "%v", err)
	}
	defer host.Close()
	var reference vm.Host
	if *modelName != "" {
		if reference, err = model.Open(*modelName); err != nil {
			t.Fatal(err)
		}
	}
	programs := [...]*probe.Program{
		probe.AArch64: probe.Join("all", probe.FeatureSpace(), probe.Hardware(), probe.ServiceCalls(), probe.Writes(), probe.Instructions()),
		probe.AArch32: probe.Join("all", probe.FeatureSpace32(), probe.Hardware32(), probe.ServiceCalls32(), probe.Writes32(), probe.Instructions32()),
	}
	for _, setup := range []guise.Setup{
		{}, {VGIC: 3}, {VGIC: 3, Features: []guise.Feature{guise.FeaturePMU, guise.FeaturePAuth}},
		{VGIC: 3, Features: []guise.Feature{guise.FeatureSVE}}, {VGIC: 3, Features: []guise.Feature{guise.FeatureEL2}}, {Protected: true},
		{Features: []guise.Feature{guise.FeatureAArch32}}, {VGIC: 3, Features: []guise.Feature{guise.FeatureAArch32, guise.FeaturePMU}},
	} {
		program := programs[setup.State()]
		t.Run(setup.Key(), func(t *testing.T) {
			trace, seen := observe(t, host, setup, program)
			if trace == nil {
				return
			}
			if setup.Protected {
				if seen.Unknown == "" {
					t.Errorf("a protected VM's traps are said to be known: %+v", seen)
				}
				return
			}
			if seen.Unknown != "" {
				testenv.Missing(t, "%s", seen.Unknown)
			}
			complete(t, program, seen)
			if reference != nil {
				compareTraps(t, reference, setup, program, seen)
			}
		})
	}
	// A run that is stopped leaves nothing either.
	machine, err := host.NewVM(t.Context(), guise.Setup{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := machine.(vm.TrapObserver).RunObserved(ctx, 0, programs[probe.AArch64]); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled run gave %v", err)
	}
	left, err := os.ReadDir("/sys/kernel/tracing/instances")
	if err != nil || len(left) != 0 {
		t.Errorf("%d instances are left, %v", len(left), err)
	}
}

// observe has a guest of the setup look; the trace is nil where the host makes
// no such VM.
func observe(t *testing.T, host vm.Host, setup guise.Setup, program *probe.Program) (*probe.Trace, *probe.Traps) {
	t.Helper()
	machine, err := host.NewVM(t.Context(), setup, 1)
	if errors.Is(err, vm.ErrNotSupported) {
		t.Log(err)
		return nil, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	trace, traps, err := machine.(vm.TrapObserver).RunObserved(t.Context(), 0, program)
	if err != nil {
		t.Fatal(err)
	}
	return trace, traps
}

// answered says who answered an operation.
func answered(traps *probe.Traps, op *probe.Op) string {
	switch {
	case traps.Trapped.Has(op.Kind, op.Name):
		return "KVM"
	case traps.NotTrapped.Has(op.Kind, op.Name):
		return "the CPU"
	}
	return "not known"
}

// complete holds what is not known against the few operations that KVM may
// answer out of the tracepoints' sight.
func complete(t *testing.T, program *probe.Program, traps *probe.Traps) {
	t.Helper()
	unseen := 0
	for i := range program.Ops {
		if answered(traps, &program.Ops[i]) == "not known" {
			unseen++
		}
	}
	// Three workaround calls by HVC, ICC_* registers, and counters.
	if unseen > 10 {
		t.Errorf("%d of %d operations are not known", unseen, len(program.Ops))
	}
}

// compareTraps holds the reference model against what the kernel showed.
func compareTraps(t *testing.T, reference vm.Host, setup guise.Setup, program *probe.Program, seen *probe.Traps) {
	t.Helper()
	machine, err := reference.NewVM(t.Context(), setup, 1)
	if err != nil {
		t.Fatalf("%s: %v", reference, err)
	}
	_, expected, err := machine.(vm.TrapObserver).RunObserved(t.Context(), 0, program)
	if err != nil {
		t.Fatalf("%s: %v", reference, err)
	}
	agreed := 0
	for i := range program.Ops {
		op := &program.Ops[i]
		kernel, want := answered(seen, op), answered(expected, op)
		switch {
		case kernel == "not known" || want == "not known":
		case kernel == want:
			agreed++
		default:
			t.Errorf("%s: %s %s: the kernel shows %s, the model says %s", setup.Key(), op.Kind, op.Name, kernel, want)
		}
	}
	t.Logf("%s: %d of %d operations agree, the others are not known", setup.Key(), agreed, len(program.Ops))
	// Nothing else shows that both say something.
	if agreed < len(program.Ops)*3/4 {
		t.Errorf("%s: only %d of %d operations were compared", setup.Key(), agreed, len(program.Ops))
	}
}
