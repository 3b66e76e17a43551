package arm64_test

import (
	"context"
	"testing"

	"github.com/guise-project/guise"
	isaarm64 "github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/vm"
)

// TestNothingIsAnError: nil, empty and zero values are errors for the model and
// for what works on any host.
func TestNothingIsAnError(t *testing.T) {
	ctx := context.Background()
	host, err := arm64.Open("6.18/neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := kernel.At(kernel.Version{Major: 6, Minor: 18})
	if err != nil {
		t.Fatal(err)
	}
	machine, err := arm64.NewMachine("neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"NewHost, no machine":   func() error { _, err := arm64.NewHost(nil, profile.Version); return err },
		"NewHost, no version":   func() error { _, err := arm64.NewHost(machine, kernel.Version{}); return err },
		"NewHostOf, no machine": func() error { _, err := arm64.NewHostOf(nil, profile); return err },
		"NewHostOf, no profile": func() error { _, err := arm64.NewHostOf(machine, nil); return err },
		"Open":                  func() error { _, err := arm64.Open(""); return err },
		"NewMachine":            func() error { _, err := arm64.NewMachine(""); return err },
		"Predict, nil":          func() error { _, err := arm64.Predict(nil, profile.Version); return err },
		"Predict, empty":        func() error { _, err := arm64.Predict(&guise.Capture{}, profile.Version); return err },
		"Predict, no version": func() error {
			_, err := arm64.Predict(&guise.Capture{Setups: make([]guise.CapturedSetup, 1)}, kernel.Version{})
			return err
		},
		"NewVM, no vCPU":         func() error { _, err := host.NewVM(ctx, guise.Setup{VGIC: 3}, 0); return err },
		"NewVM, fewer":           func() error { _, err := host.NewVM(ctx, guise.Setup{VGIC: 3}, -1); return err },
		"NewVM, no such feature": func() error { _, err := host.NewVM(ctx, guise.Setup{Features: []guise.Feature{""}}, 1); return err },
		"NewVM, no such vGIC":    func() error { _, err := host.NewVM(ctx, guise.Setup{VGIC: -1}, 1); return err },
		"Apply, no contract":     func() error { _, _, err := vm.Apply(ctx, host, nil, 1); return err },
		"Apply, empty contract":  func() error { _, _, err := vm.Apply(ctx, host, &guise.Contract{}, 1); return err },
		"Apply, no host":         func() error { _, _, err := vm.Apply(ctx, nil, &guise.Contract{}, 1); return err },
		"Prove, empty contract":  func() error { _, err := vm.Prove(ctx, host, &guise.Contract{}, vm.ProveOptions{}); return err },
		"Prove, no host":         func() error { _, err := vm.Prove(ctx, nil, nil, vm.ProveOptions{}); return err },
		"Capture, no host":       func() error { _, err := vm.Capture(ctx, nil, vm.CaptureOptions{}); return err },
		"CaptureCores, no host":  func() error { _, err := vm.CaptureCores(ctx, nil, vm.CaptureOptions{}); return err },
		"Capture, no such setup": func() error {
			_, err := vm.Capture(ctx, host, vm.CaptureOptions{Setups: []guise.Setup{{VGIC: 9}}})
			return err
		},
		"Try, no question":        func() error { _, err := vm.Try(ctx, host, nil); return err },
		"Try, no host":            func() error { _, err := vm.Try(ctx, nil, &vm.Question{}); return err },
		"Try, empty contract":     func() error { _, err := vm.Try(ctx, host, &vm.Question{Contract: &guise.Contract{}}); return err },
		"Try, a write of nothing": func() error { _, err := vm.Try(ctx, host, &vm.Question{Writes: make([]vm.Write, 1)}); return err },
		"kernel.At":               func() error { _, err := kernel.At(kernel.Version{}); return err },
		"kernel.ParseVersion":     func() error { _, err := kernel.ParseVersion(""); return err },
		"ReadQuestions":           func() error { _, err := vm.ReadQuestions("", nil); return err },
		"ReadAnswers":             func() error { _, _, err := vm.ReadAnswers("", nil); return err },
	} {
		t.Run(name, func(t *testing.T) {
			if err := call(); err == nil {
				t.Error("no error")
			}
		})
	}
}

// TestNothingIsAnAnswer: what gives no error answers nothing sensibly.
func TestNothingIsAnAnswer(t *testing.T) {
	for _, data := range [][]byte{
		must(vm.MarshalQuestions(nil)), must(vm.MarshalQuestions(make([]vm.Question, 1))), must(vm.MarshalQuestions([]vm.Question{{Contract: &guise.Contract{}}})),
		must(vm.MarshalAnswers("", nil)), must(vm.MarshalAnswers("", make([]vm.Answer, 1))),
	} {
		if len(data) == 0 {
			t.Error("nothing was written")
		}
	}
	profile, err := kernel.At(kernel.Version{Major: 6, Minor: 18})
	if err != nil {
		t.Fatal(err)
	}
	hardware := &kernel.Hardware{}
	for place := range isaarm64.Registers {
		profile.ViewOne(place, hardware, kernel.VM{})
		profile.Protected(place, hardware, kernel.VM{})
		vm.ContractRegister(place)
		vm.KeepsOwn(place)
	}
	profile.Offers(&isaarm64.View{}, kernel.VM{})
	kernel.Reasons(0, 0, false, "")
	kernel.ListedName(0)
	kernel.Between(kernel.Version{}, kernel.Version{})
	kernel.Between(profile.Version, kernel.Version{})
	kernel.Capability("", kernel.Version{})
	_ = kernel.Span{}.String()
	_ = (&vm.Refusal{}).String()
	_ = (&vm.Write{}).String()
	_ = (&vm.Written{}).String()
	_ = (&vm.ApplyError{}).Error()
	vm.HintOf(nil)
	vm.ErrnoName(9999)
	arm64.ParseOverrides("")
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}
