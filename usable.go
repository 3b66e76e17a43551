package guise

import (
	"errors"
	"fmt"
	"slices"
)

// What callers hand to the library may be nil, empty or made by hand. Captures and
// contracts that no reader gives and no host shows are refused by name, before
// anything is judged.

// usable says why there is nothing to judge in a capture, nil where there is.
func (c *Capture) usable() error {
	switch {
	case c == nil:
		return errors.New("host: there is no capture; it is nil")
	case c.Power != nil && len(c.Setups) > 0:
		return fmt.Errorf("%s: has setups, which are arm64's, and what POWER hosts have; want one of them", c.Name)
	case c.Power == nil && len(c.Setups) == 0:
		return fmt.Errorf("%s: the capture has no setups", c.Name)
	}
	var met setupKeys
	for i := range c.Setups {
		s := &c.Setups[i].Setup
		if err := s.Invalid(); err != nil {
			return fmt.Errorf("%s: setup %s: %w", c.Name, s.Key(), err)
		}
		if !met.add(s) {
			return fmt.Errorf("%s: setup %s: stands in the capture twice", c.Name, s.Key())
		}
	}
	return nil
}

// Invalid says why no VM is made of a setup, whatever the host; nil where some host
// might.
func (s *Setup) Invalid() error {
	for i, feature := range s.Features {
		if !slices.Contains(Features, feature) || slices.Contains(s.Features[:i], feature) {
			return fmt.Errorf("features: want each of %v at most once, there is %q", Features, feature)
		}
	}
	if s.VGIC != 0 && s.VGIC != 2 && s.VGIC != 3 {
		return fmt.Errorf("vgic: want 0 (none), 2 or 3, there is %d", s.VGIC)
	}
	return nil
}

// usableHosts says why there is nothing to judge in captures. Setups that hosts of a
// fleet share are looked at once.
func usableHosts(captures ...*Capture) error {
	seen := map[*CapturedSetup]int{} // the first of some setups, and how many they are
	for _, c := range captures {
		shared := c != nil && c.Power == nil && len(c.Setups) > 0
		if shared && seen[&c.Setups[0]] == len(c.Setups) {
			continue
		}
		if err := c.usable(); err != nil {
			return err
		}
		if shared {
			seen[&c.Setups[0]] = len(c.Setups)
		}
	}
	return nil
}

// usable says why a contract cannot be judged: what Incomplete says, and what a
// contract that was made by hand may lack beside.
func (c *Contract) usable() error {
	if c == nil {
		return c.Incomplete()
	}
	if c.Power != nil {
		return c.Power.usable()
	}
	if err := c.Setup.Invalid(); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	return c.Incomplete()
}
