package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/vm"
)

// modelPrefix begins names of hosts of the reference model: model:6.8/neoverse-n1. They
// stand wherever a host does, and are captured on the spot.
const modelPrefix = "model:"

// siliconPrefix begins names of machines by their registers: silicon:ampere-altra@6.8.
const siliconPrefix = "silicon:"

// modelHost captures a host of the model. Of a version that may be several kernels it has
// what they share: the rest was not captured, and what the host takes is assumed.
func modelHost(name string) (*guise.Capture, error) {
	hosts, err := model.OpenAny(strings.TrimPrefix(name, modelPrefix))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(name, modelPrefix), "/")
	return captureModels(name, version, "the reference model", hosts)
}

// siliconHosts captures what the model makes of a machine's registers, for each kind of
// core: what does not depend on what is not known of the machine. What it takes is assumed.
func siliconHosts(name string) ([]*guise.Capture, error) {
	machine, version, err := model.SiliconName(strings.TrimPrefix(name, siliconPrefix))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if version == "" {
		return nil, fmt.Errorf("%s: want a kernel too, as %s@6.8", name, name)
	}
	captures := make([]*guise.Capture, len(machine.Cores))
	for kind := range machine.Cores {
		core := &machine.Cores[kind]
		hosts, err := model.SiliconHosts(machine, kind, version)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		named := name
		if len(machine.Cores) > 1 {
			named += " " + core.Part
		}
		if captures[kind], err = captureModels(named, version, "registers of "+machine.Name+" under the reference model", hosts); err != nil {
			return nil, err
		}
		captures[kind].Complete = false // what it needs may be what is not known
		for i := range captures[kind].Setups {
			for _, place := range kernelsOwn { // which the model leaves to hosts
				captures[kind].Setups[i].View.Present.Remove(place)
				captures[kind].Setups[i].View.Values[place] = 0
			}
		}
		facts := &captures[kind].Host
		facts.CPUs, facts.Emulator = []guise.HostCPU{{MIDR: core.MIDR, Count: core.Count}}, ""
		if revidr, ok := core.Reading("REVIDR_EL1"); ok && revidr.Known == ^uint64(0) {
			facts.CPUs[0].REVIDR = revidr.Value
		}
	}
	return captures, nil
}

// captureModels captures hosts and leaves what they share.
func captureModels(name, version, source string, hosts []*model.Host) (*guise.Capture, error) {
	if hosts[0].Profile().Extrapolates() {
		return nil, fmt.Errorf("%s: Linux %s is newer than all that are known; the newest is %v", name, version, kernel.Newest)
	}
	captures := make([]*guise.Capture, len(hosts))
	failed := make([]error, len(hosts))
	var workers sync.WaitGroup
	for i, host := range hosts {
		workers.Go(func() { captures[i], failed[i] = vm.Capture(context.Background(), host, vm.CaptureOptions{}) })
	}
	workers.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	shared := captures[0]
	shared.Name, shared.Captured.Source = name, source
	if len(captures) == 1 {
		return shared, nil
	}
	shared.Host.Kernel = version
	for _, other := range captures[1:] {
		keys := len(shared.Setups)
		shared.Setups = slices.DeleteFunc(shared.Setups, func(s guise.CapturedSetup) bool { return other.Setup(s.Key()) == nil })
		shared.Complete = shared.Complete && keys == len(shared.Setups) && keys == len(other.Setups)
		for i := range shared.Setups {
			share(&shared.Setups[i], other.Setup(shared.Setups[i].Key()))
		}
		for number, value := range other.Host.Capabilities {
			if there, ok := shared.Host.Capabilities[number]; ok && there != value {
				delete(shared.Host.Capabilities, number)
			}
		}
		if shared.Host.Mode != other.Host.Mode {
			shared.Host.Mode = ""
		}
	}
	v, err := kernel.ParseVersion(version)
	if err == nil {
		err = shared.Assume(v)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return shared, nil
}

// share leaves of a captured setup what another has too.
func share(s, other *guise.CapturedSetup) {
	for place := range arm64.Registers {
		if s.View.Present.Has(place) != other.View.Present.Has(place) || s.View.Values[place] != other.View.Values[place] {
			s.View.Present.Remove(place)
			s.View.Values[place] = 0
		}
	}
	if !slices.Equal(s.Listed, other.Listed) {
		s.Listed = nil
	}
	if s.VectorLengths != other.VectorLengths {
		s.VectorLengths = 0
	}
	if s.IPABits != other.IPABits {
		s.IPABits = 0
	}
	s.Offers, s.Accepts, s.Masks, s.MaskRanges = nil, "", nil, 0
	s.Capabilities = slices.DeleteFunc(slices.Clone(s.Capabilities), func(name string) bool { return !slices.Contains(other.Capabilities, name) })
}
