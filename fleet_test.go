package guise_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// load returns a capture of the catalogue.
func load(t testing.TB, name string) *guise.Capture {
	t.Helper()
	capture, err := catalog.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return capture
}

// place returns the place of a register that is in the table.
func place(name string) int {
	p, ok := arm64.Place(name)
	if !ok {
		panic(name)
	}
	return p
}

// fleetMaker draws random fleets: hosts of one silicon as a real capture shows
// it, changed in some fields for all and in others for some, under random
// kernels.
type fleetMaker struct {
	bases  []*guise.Capture
	fields []*oracleField
	// lawful: what is tried follows the fields' rules, with gaps; else it is
	// any set that holds what the host shows.
	lawful bool
}

func newFleetMaker(t testing.TB) *fleetMaker {
	return &fleetMaker{
		bases:  []*guise.Capture{load(t, "graviton2@6.18"), load(t, "graviton3@6.18")},
		fields: oracleFields(t),
	}
}

var allKernels = []string{"5.10", "6.1", "6.12", "6.18", "7.2"}

// hardwareRegisters are those that a guest sees and nobody can set, with what
// some hosts have.
var hardwareRegisters = map[string][]uint64{
	"DCZID_EL0":  {4, 6},
	"CNTFRQ_EL0": {25_000_000, 62_500_000, 1_000_000_000, 1_050_000_000},
}

// fleet draws 2 to 6 hosts. Three in four fleets are alike: recent kernels, and
// differences only where a kernel lets values be lowered.
func (m *fleetMaker) fleet(t *rapid.T) []*guise.Capture {
	kernels, alike := allKernels, rapid.IntRange(0, 3).Draw(t, "alike") > 0
	if alike {
		kernels = [][]string{{"6.12"}, {"6.18"}, {"7.2"}, {"6.18", "7.2"}, {"6.12", "6.18", "7.2"}, {"6.1"}, {"5.10", "6.1"}}[rapid.IntRange(0, 6).Draw(t, "kernels")]
	}
	base := rapid.SampledFrom(m.bases).Draw(t, "base").Setups[0].View
	common := m.mutations(t, "common", 25, nil)
	vgic := rapid.SampledFrom([]int{3, 3, 3, 0}).Draw(t, "vgic")
	hardware := rapid.Bool().Draw(t, "hardware")
	captures := make([]*guise.Capture, rapid.IntRange(2, 6).Draw(t, "hosts"))
	for i := range captures {
		version := rapid.SampledFrom(kernels).Draw(t, "kernel")
		view := base
		m.apply(&view, common)
		only := []string{version}
		if !alike {
			only = nil
		}
		m.apply(&view, m.mutations(t, "own", 10, only))
		if hardware {
			for name, values := range hardwareRegisters {
				choice := 0
				if !alike && rapid.IntRange(0, 9).Draw(t, "other hardware") == 0 {
					choice = rapid.IntRange(0, len(values)-1).Draw(t, name)
				}
				view.Put(place(name), values[choice])
			}
		}
		if rapid.IntRange(0, 5).Draw(t, "identity") == 0 {
			view.Put(arm64.MIDREL1, rapid.SampledFrom([]uint64{0x413fd0c1, 0x411fd401, 0x410fd4f0}).Draw(t, "MIDR_EL1"))
		}
		m.settle(&view, version, vgic)
		captures[i] = m.capture(t, fmt.Sprintf("host%d", i), version, vgic, view)
	}
	return captures
}

// capture makes a host's document of its view, tried or derived from its
// kernel.
func (m *fleetMaker) capture(t *rapid.T, name, version string, vgic int, view arm64.View) *guise.Capture {
	v := bootedVersion(t, version)
	c := &guise.Capture{
		Name: name, Host: guise.HostFacts{Kernel: v.String() + "-1"},
		Setups: []guise.CapturedSetup{{Setup: guise.Setup{VGIC: vgic, IPABits: 40}, View: view, Registers: guise.Read}},
	}
	if rapid.IntRange(0, 4).Draw(t, "tried") == 0 {
		offers := m.tried(t, &view)
		c.Setups[0].Offers, c.Setups[0].Accepts = &offers, guise.Tried
		return c
	}
	if err := c.Assume(v); err != nil {
		t.Fatal(err)
	}
	return c
}

// tried draws what a host takes without regard to any rule: some set around
// each of some limits.
func (m *fleetMaker) tried(t *rapid.T, view *arm64.View) arm64.Offers {
	var offers arm64.Offers
	offers.FromView(view)
	for range rapid.IntRange(0, 60).Draw(t, "sets") {
		f := rapid.SampledFrom(m.fields).Draw(t, "field")
		first, end := arm64.SlotsOf(place(f.register))
		for slot := first; slot < end; slot++ {
			_, field := arm64.Slots[slot].Describe()
			limit, known := arm64.Slots[slot].Extract(view.Values[place(f.register)])
			if field.Name != f.name || !known || !view.Present.Has(place(f.register)) {
				continue
			}
			set := isa.Set(rapid.Uint16().Draw(t, "set"))
			if arm64.Slots[slot].Coded {
				set &= isa.Range(1, uint64(len(field.Values)-1))
			} else {
				set &= isa.All(field.Width)
			}
			if m.lawful {
				set &= lawful(&arm64.Slots[slot], f, view.Values[place(f.register)])
			}
			offers.PutSet(slot, set|isa.Only(limit))
		}
	}
	for _, name := range []string{"MIDR_EL1", "REVIDR_EL1", "AIDR_EL1", "CLIDR_EL1", "CCSIDR_EL1[0]", "CCSIDR_EL1[5]"} {
		if view.Present.Has(place(name)) && rapid.Bool().Draw(t, "any "+name) {
			offers.Free(place(name))
		}
	}
	return offers
}

// lawful is the set of values that the field's rule allows.
func lawful(slot *arm64.Slot, f *oracleField, register uint64) isa.Set {
	var set isa.Set
	for _, value := range f.values() {
		if member, known := slot.Extract(f.put(0, value)); known && f.follows(value, f.get(register)) {
			set |= isa.Only(member)
		}
	}
	return set
}

// mutation is one field with another value.
type mutation struct {
	field *oracleField
	value uint64
}

// mutations draws up to most of them, of fields that can be lowered in one of
// the kernels; nil: of any field.
func (m *fleetMaker) mutations(t *rapid.T, what string, most int, kernels []string) []mutation {
	drawn := make([]mutation, rapid.IntRange(0, most).Draw(t, what))
	fields := m.fields
	if kernels != nil {
		fields = slices.DeleteFunc(slices.Clone(fields), func(f *oracleField) bool {
			return !slices.ContainsFunc(kernels, func(k string) bool { return slices.Contains(f.kernels, k) })
		})
	}
	for i := range drawn {
		f := rapid.SampledFrom(fields).Draw(t, "field")
		drawn[i] = mutation{f, rapid.SampledFrom(plausible(f)).Draw(t, "value")}
	}
	return drawn
}

// plausible lists the values of a field that a host's limit can have.
func plausible(f *oracleField) []uint64 {
	from, to := uint64(0), uint64(1)<<min(f.width, 4)-1
	switch f.String() {
	case "ID_AA64DFR0_EL1.DebugVer", "ID_DFR0_EL1.CopDbg":
		from, to = 6, 10
	case "ID_AA64DFR0_EL1.PMUVer":
		to = 6
	case "ID_DFR0_EL1.PerfMon":
		return []uint64{0, 3, 4, 5, 6}
	case "ID_AA64PFR0_EL1.EL0", "ID_AA64PFR0_EL1.EL1":
		from, to = 1, 2
	case "CTR_EL0.L1Ip":
		from, to = 2, 3
	case "CTR_EL0.DminLine", "CTR_EL0.IminLine":
		from, to = 2, 6
	case "SMCCC_ARCH_WORKAROUND_1.Level", "SMCCC_ARCH_WORKAROUND_3.Level":
		to = 2
	case "SMCCC_ARCH_WORKAROUND_2.Level":
		return []uint64{0, 3}
	case "VENDOR_HYP_BMAP_2.DISCOVER_IMPL_CPUS", "VENDOR_HYP_BMAP_2.DISCOVER_IMPL_VER":
		to = 0
	}
	if f.rule == "version" {
		return psciVersions
	}
	var values []uint64
	for v := from; v <= to; v++ {
		values = append(values, v)
	}
	return values
}

func (m *fleetMaker) apply(view *arm64.View, mutations []mutation) {
	for _, change := range mutations {
		p := place(change.field.register)
		view.Put(p, change.field.put(view.Values[p], change.value))
	}
}

// settle makes a view one that the kernel could show.
func (m *fleetMaker) settle(view *arm64.View, version string, vgic int) {
	old := version == "5.10" || version == "6.1"
	set := func(register, field string, value uint64) {
		r := &arm64.Registers[place(register)]
		view.Values[place(register)] = r.Field(field).Put(view.Values[place(register)], value)
	}
	get := func(register, field string) uint64 {
		return arm64.Registers[place(register)].Field(field).Get(view.Values[place(register)])
	}
	remove := func(register string) {
		view.Present.Remove(place(register))
		view.Values[place(register)] = 0
	}
	if old {
		set("ID_AA64PFR0_EL1", "CSV2", get("ID_AA64PFR0_EL1", "CSV2")&1)
		set("ID_AA64PFR0_EL1", "CSV3", get("ID_AA64PFR0_EL1", "CSV3")&1)
		set("ID_AA64DFR0_EL1", "DebugVer", 6)
		remove("VENDOR_HYP_BMAP_2")
	} else {
		m.fabricateCaches(view)
	}
	if version == "6.12" {
		remove("VENDOR_HYP_BMAP_2")
	}
	if version == "5.10" {
		remove("STD_BMAP")
		remove("STD_HYP_BMAP")
		remove("VENDOR_HYP_BMAP")
	}
	newest := map[string]uint64{"5.10": 0x10000, "6.1": 0x10001, "6.12": 0x10001, "6.18": 0x10003, "7.2": 0x10003}[version]
	psci := place("PSCI_VERSION")
	view.Put(psci, min(view.Values[psci], newest))
	if vgic == 3 {
		set("ID_AA64PFR0_EL1", "GIC", 1)
	}
	if get("ID_AA64PFR0_EL1", "EL0") != 2 {
		for i := range arm64.Registers {
			if aarch32(arm64.Registers[i].Name) {
				view.Values[i] = 0
			}
		}
	}
}

// fabricateCaches makes CLIDR_EL1 and CCSIDR_EL1 up from CTR_EL0 as kernels do
// since 6.3: unified first level where neither cache needs maintenance, and so
// on; one set and one way of the shortest line.
func (m *fleetMaker) fabricateCaches(view *arm64.View) {
	ctr := view.Values[arm64.CTREL0]
	dic, idc := ctr>>29&1, ctr>>28&1
	var clidr uint64
	switch {
	case idc == 1 && dic == 1:
		clidr = 1<<24 | 4
	case idc == 1:
		clidr = 2<<24 | 4<<3 | 1
	case dic == 1:
		clidr = 1<<27 | 1<<24 | 1<<21 | 2
	default:
		clidr = 1<<27 | 1<<24 | 1<<21 | 3
	}
	view.Put(place("CLIDR_EL1"), clidr)
	for level := range 14 {
		line := ctr >> 16 & 0xf
		if level&1 == 1 {
			line = ctr & 0xf
		}
		view.Put(place(fmt.Sprintf("CCSIDR_EL1[%d]", level)), line-2)
	}
}
