package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/vm"
)

// The rules of the capture that a forecast writes.
//
//   - It is written only where nothing is left open, of the host or of the change
//     log between the kernels, and where the hardware's
//     registers, under the kernel of now, give what was captured: others are not
//     this host's.
//   - What no kernel decides (identity, caches, DC ZVA, the counter) is what was
//     captured. The rest is what the forecast says; what the forecast says nothing
//     of and kernels differ in (PMU, IPA size) is left out: not known.
//   - What the host takes is what the later kernel's profile says: it is assumed.

// write writes the capture that the host will give under the kernel of the
// forecast.
func (c *forecastCommand) write(s *session, now *guise.Capture, host *model.Host, forecast *model.Forecast) error {
	if len(forecast.Unread) > 0 {
		return &inputError{fmt.Errorf("-o: %s says nothing of %s; want every register of the hardware", c.Raw, registerNames(forecast.Unread))}
	}
	if err := c.reproduces(s, now, forecast); err != nil {
		return &inputError{err}
	}
	switch {
	case len(forecast.Unsettled) > 0:
		return fmt.Errorf("-o: it is not settled whether %s of the change log hold for Linux %v and %v; want versions of which it is known", countEntries(len(forecast.Unsettled)), forecast.From, forecast.To)
	case forecast.Extrapolates:
		return fmt.Errorf("-o: Linux %v is newer than all that are known", forecast.To)
	}
	then := &guise.Capture{
		Name:     now.Name,
		Captured: guise.Occasion{By: "guise " + versionText(), Source: fmt.Sprintf("forecast of %s, by the registers of %s", now.Name, c.Raw)},
		Host:     now.Host,
	}
	then.Host.Kernel, then.Host.Capabilities = forecast.To.String(), nil
	for i := range forecast.Setups {
		setup := &forecast.Setups[i]
		under := forecast.SetupUnder(host, setup)
		made, err := host.NewVM(s.ctx, under, 1)
		if setup.Made != guise.Yes && errors.Is(err, vm.ErrNotSupported) {
			continue
		}
		if err != nil {
			return err
		}
		captured, err := setupThen(now.Setup(setup.Setup.Key()), setup, made, forecast.From.Compare(forecast.To) != 0)
		if err != nil {
			return fmt.Errorf("-o: %s, setup %s: %w", now.Name, setup.Setup.Name(), err)
		}
		_ = made.Close()
		captured.IPABits, captured.Capabilities = under.IPABits, under.Capabilities
		then.Setups = append(then.Setups, *captured)
	}
	if len(then.Setups) == 0 {
		return fmt.Errorf("-o: Linux %v makes no VM of any setup that was captured", forecast.To)
	}
	if err := then.Assume(forecast.To); err != nil {
		return err
	}
	return s.writeDocument(c.Output, then.Marshal())
}

// reproduces fails where the hardware's registers do not give, under the kernel
// of now, what was captured.
func (c *forecastCommand) reproduces(s *session, now *guise.Capture, forecast *model.Forecast) error {
	same, err := model.Predict(now, forecast.From)
	if err != nil {
		return err
	}
	same.Setups = slices.DeleteFunc(same.Setups, func(a model.SetupForecast) bool {
		return !slices.ContainsFunc(forecast.Setups, func(b model.SetupForecast) bool { return a.Setup.Key() == b.Setup.Key() })
	})
	machine, err := c.hardware(s, now)
	if err != nil {
		return err
	}
	if err := same.Settle(s.ctx, machine); err != nil {
		return err
	}
	for i := range same.Setups {
		for _, f := range same.Setups[i].Fields {
			if f.Changes() {
				return fmt.Errorf("-o: the registers of %s are not those of %s: under Linux %v they give %s %s, and %s was captured",
					c.Raw, now.Name, forecast.From, arm64.Slots[f.Slot].Name(), setText(&f), memberText(f.Slot, f.Now))
			}
		}
	}
	return nil
}

// kernelsOwn are registers that nobody sets, and that are not the hardware's alone:
// kernels count and name events of the PMU in their own ways.
var kernelsOwn = []int{arm64.PMCREL0, arm64.PMCEID0EL0, arm64.PMCEID1EL0}

// setupThen is a captured setup as the forecast changes it; made is a VM of it,
// other says that its kernel is another one.
func setupThen(now *guise.CapturedSetup, forecast *model.SetupForecast, made vm.VM, other bool) (*guise.CapturedSetup, error) {
	if now.Listed == nil {
		return nil, errors.New("which registers KVM lists was not captured")
	}
	then := *now
	then.Registers, then.Offers, then.Accepts, then.AssumedKernel = guise.Assumed, nil, "", ""
	then.Masks, then.MaskRanges = nil, 0
	if other {
		for _, place := range kernelsOwn {
			then.View.Present.Remove(place)
			then.View.Values[place] = 0
		}
	}
	then.Listed = slices.DeleteFunc(slices.Clone(now.Listed), func(id arm64.ID) bool { return slices.Contains(forecast.Gone, id) })
	for _, id := range forecast.Gone {
		if place, ok := arm64.PlaceOf(id); ok {
			then.View.Present.Remove(place)
			then.View.Values[place] = 0
		}
	}
	for i := range forecast.Fields {
		f := &forecast.Fields[i]
		if !then.View.Present.Has(int(arm64.Slots[f.Slot].Register)) {
			continue
		}
		if !f.Known() {
			return nil, fmt.Errorf("%s is not known", arm64.Slots[f.Slot].Name())
		}
		slot := &arm64.Slots[f.Slot]
		_, field := slot.Describe()
		value := &then.View.Values[slot.Register]
		*value = *value&^field.Mask() | slot.Value(f.Value())<<field.LSB
	}
	for _, w := range forecast.Whole {
		if !then.View.Present.Has(w.Place) {
			continue
		}
		if !w.Known {
			return nil, fmt.Errorf("%s is not known", arm64.Registers[w.Place].Name)
		}
		then.View.Values[w.Place] = w.Then
	}
	for _, id := range forecast.New {
		then.Listed = append(then.Listed, id)
		place, ok := arm64.PlaceOf(id)
		if !ok {
			continue
		}
		value, err := made.Get(0, id)
		if err != nil {
			return nil, fmt.Errorf("%s is not known: %w", arm64.Registers[place].Name, err)
		}
		then.View.Put(place, value)
	}
	slices.Sort(then.Listed)
	return &then, nil
}
