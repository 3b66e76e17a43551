package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/vm"
)

// modelPrefix begins names of hosts of the reference model: model:6.8/neoverse-n1. They
// stand wherever a host does, and are captured on the spot.
const modelPrefix = "model:"

// modelHost captures a host of the model. Of a version that may be several kernels it has
// what they share: the rest was not captured, and what the host takes is assumed.
func modelHost(name string) (*guise.Capture, error) {
	hosts, err := model.OpenAny(strings.TrimPrefix(name, modelPrefix))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	captures := make([]*guise.Capture, len(hosts))
	for i, host := range hosts {
		if captures[i], err = vm.Capture(context.Background(), host, vm.CaptureOptions{}); err != nil {
			return nil, err
		}
	}
	shared := captures[0]
	shared.Name = name
	shared.Captured.Source = "the reference model"
	if len(captures) == 1 {
		return shared, nil
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(name, modelPrefix), "/")
	shared.Host.Kernel = version
	for _, other := range captures[1:] {
		shared.Complete = shared.Complete && len(other.Setups) == len(shared.Setups)
		shared.Setups = slices.DeleteFunc(shared.Setups, func(s guise.CapturedSetup) bool { return other.Setup(s.Key()) == nil })
		for i := range shared.Setups {
			share(&shared.Setups[i], other.Setup(shared.Setups[i].Key()))
		}
		for number, value := range other.Host.Capabilities {
			if there, ok := shared.Host.Capabilities[number]; ok && there != value {
				delete(shared.Host.Capabilities, number)
			}
		}
	}
	v, err := hosts[0].Profile().Version, error(nil)
	if err = shared.Assume(v.Series()); err != nil {
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
	s.Offers, s.Accepts, s.Masks, s.MaskRanges = nil, "", nil, 0
	s.Capabilities = slices.DeleteFunc(slices.Clone(s.Capabilities), func(name string) bool { return !slices.Contains(other.Capabilities, name) })
}
