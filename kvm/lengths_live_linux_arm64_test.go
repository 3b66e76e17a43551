package kvm_test

import (
	"encoding/binary"
	"errors"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kvm"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/vm"
)

// TestLiveVectorLengths puts every set of SVE vector lengths to the kernel and to
// the reference model.
func TestLiveVectorLengths(t *testing.T) {
	if *modelName == "" {
		testenv.Missing(t, "-model says which host this is")
	}
	host, err := kvm.Open("")
	if err != nil {
		testenv.Missing(t, "%v", err)
	}
	defer host.Close()
	reference, err := model.Open(*modelName)
	if err != nil {
		t.Fatal(err)
	}
	setup := guise.Setup{Features: []guise.Feature{guise.FeatureSVE}}
	real, err := host.NewVM(t.Context(), setup, 1)
	modelled, modelErr := reference.NewVM(t.Context(), setup, 1)
	if errors.Is(err, vm.ErrNotSupported) && errors.Is(modelErr, vm.ErrNotSupported) {
		return // a host without SVE
	}
	if err := errors.Join(err, modelErr); err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	defer modelled.Close()
	taken := 0
	for set := range 1 << 16 {
		value := make([]byte, arm64.IDSVEVectorLengths.Size())
		binary.LittleEndian.PutUint16(value, uint16(set))
		got, want := setLengths(t, real, value), setLengths(t, modelled, value)
		if got != want {
			t.Fatalf("vector lengths %#x: the kernel answers %v, the model %v", set, got, want)
		}
		if got == 0 {
			taken++
		}
	}
	if taken == 0 {
		t.Error("no set of vector lengths was taken")
	}
	t.Logf("%d of 65536 sets are taken", taken)
}

// setLengths returns 0 where the set was taken.
func setLengths(t *testing.T, machine vm.VM, value []byte) syscall.Errno {
	t.Helper()
	err := machine.(vm.WideRegisters).SetWide(0, arm64.IDSVEVectorLengths, value)
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		t.Fatal(err)
	}
	return errno
}
