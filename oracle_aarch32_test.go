package guise_test

import (
	"maps"
	"slices"
)

// leaves reports whether a field that hosts do not agree in is left to each of them:
// it describes AArch32, and some host has none, so that no VM of them runs it and the
// value is UNKNOWN to its guest (Arm ARM, DDI 0487, D24.2).
func (o *oracle) leaves(hosts []*oracleHost, f *oracleField) bool {
	return aarch32(f.register) && len(o.common(hosts, f)) == 0 &&
		slices.ContainsFunc(hosts, func(h *oracleHost) bool { return !runsAArch32(h.registers["ID_AA64PFR0_EL1"]) })
}

// given is what a contract of hosts gives one of them: its own where fields are left.
func (o *oracle) given(hosts []*oracleHost, h *oracleHost, contract map[string]uint64) map[string]uint64 {
	given := maps.Clone(contract)
	for _, f := range o.fields {
		if value, in := given[f.register]; in && onAll(hosts, f.register) && o.leaves(hosts, f) {
			given[f.register] = f.put(value, f.get(h.registers[f.register]))
		}
	}
	return given
}
