package arm64

import (
	"fmt"
	"slices"
	"strings"

	"github.com/guise-project/guise/catalog/silicon"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// fills are what stands in bits of a machine's registers that nobody knows, one after the
// other: what VMs are shown with each of them does not depend on those bits, as far as the
// values go that fields have.
var fills = []uint64{0, 0x1111_1111_1111_1111, 0x2222_2222_2222_2222, ^uint64(0)}

// SiliconHosts makes hosts of one kind of core of a machine, under a kernel: one for each
// kernel that the version may be and each filling of what is not known of the machine.
// What they do not share is not known. The first core is the one that boots; a guest runs
// on the given kind.
func SiliconHosts(m *silicon.Machine, kind int, version string) ([]*Host, error) {
	v, err := kernel.ParseVersion(version)
	if err != nil {
		return nil, err
	}
	possible, err := kernel.Possible(v)
	if err != nil {
		return nil, err
	}
	var hosts []*Host
	for i, fill := range fills {
		machine := filled(m, kind, fill, i%2 == 1)
		for _, profile := range possible {
			host, err := NewHostOf(machine, profile)
			if err != nil {
				return nil, err
			}
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}

// filled is a machine with something in place of what is not known of it: bits of
// registers, and whether its firmware serves the calls against vulnerabilities.
func filled(m *silicon.Machine, kind int, fill uint64, firmware bool) *Machine {
	machine := &Machine{Name: m.Name}
	for _, n := range order(len(m.Cores), kind) {
		machine.CPUs = append(machine.CPUs, fillCore(&m.Cores[n], fill))
	}
	machine.GICv3 = arm64.Registers[arm64.IDAA64PFR0EL1].Field("GIC").Get(machine.CPUs[0].Registers[arm64.IDAA64PFR0EL1]) != 0
	if firmware {
		machine.Firmware = map[int]bool{1: true, 2: true, 3: true}
	}
	return machine
}

// order numbers kinds of core, the given one first.
func order(kinds, first int) []int {
	numbers := []int{first}
	for n := range kinds {
		if n != first {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// fillCore is one core. Bits without a name are 0 on every CPU that there is.
func fillCore(c *silicon.Core, fill uint64) CPU {
	var cpu CPU
	for place := range arm64.Registers {
		register := &arm64.Registers[place]
		if _, system := arm64.ID(register.ID).Encoding(); !system && register.Bits == 64 {
			continue // KVM's own
		}
		reading, _ := c.Reading(register.Name)
		bits := fill & register.Named()
		if register.Whole || register.Scope == isa.Hardware {
			bits = fill & 0xffff_ffff
		}
		cpu.Registers[place] = reading.Value | bits&^reading.Known
	}
	for _, bits := range c.Vectors {
		cpu.VectorLengths |= 1 << (bits/128 - 1)
	}
	return cpu
}

// SiliconName takes the name of a machine and a kernel apart: ampere-altra@6.8.
func SiliconName(name string) (m *silicon.Machine, version string, err error) {
	machine, version, found := strings.Cut(name, "@")
	if m = silicon.Named(machine); m == nil {
		return nil, "", fmt.Errorf("%s: no such machine%s", machine, isa.DidYouMean(machine, slices.Values(silicon.Names())))
	}
	if !found {
		return m, "", nil
	}
	if _, err := kernel.ParseVersion(version); err != nil {
		return nil, "", err
	}
	return m, version, nil
}
