package guise_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The oracle says which values KVM takes and a guest then sees. It shares no
// code with the product: it reads documents with encoding/json and has its
// facts in testdata/oracle.

// oracleField is a field that some kernel lets userspace change.
type oracleField struct {
	register, name string
	lsb, width     uint
	rule           string
	safe           uint64
	signed         bool
	kernels        []string
	refused, taken map[string][]uint64 // beyond the rule, by kernel
}

func (f *oracleField) String() string { return f.register + "." + f.name }

func (f *oracleField) mask() uint64 { return (1<<f.width - 1) << f.lsb }

func (f *oracleField) get(register uint64) uint64 { return register & f.mask() >> f.lsb }

func (f *oracleField) put(register, value uint64) uint64 {
	return register&^f.mask() | value<<f.lsb&f.mask()
}

// rank is the field's value as a number with its sign.
func (f *oracleField) rank(value uint64) int {
	if f.signed && value >= 1<<(f.width-1) {
		return int(value) - 1<<f.width
	}
	return int(value)
}

// psciVersions are those that a vCPU with PSCI 0.2 can be given.
var psciVersions = []uint64{2, 0x10000, 0x10001, 0x10002, 0x10003}

// values lists what the field can hold.
func (f *oracleField) values() []uint64 {
	if f.rule == "version" {
		return psciVersions
	}
	values := make([]uint64, 1<<f.width)
	for i := range values {
		values[i] = uint64(i)
	}
	return values
}

// more reports whether value a gives a guest more than b.
func (f *oracleField) more(a, b uint64) bool {
	switch f.rule {
	case "higher":
		return f.rank(a) < f.rank(b)
	case "exact":
		return b == f.safe && a != f.safe
	case "pair":
		return a/2 > b/2
	}
	return f.rank(a) > f.rank(b)
}

// oracleFields reads the table.
func oracleFields(t testing.TB) []*oracleField {
	t.Helper()
	file, err := os.Open("testdata/oracle/writable.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var fields []*oracleField
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		words := strings.Fields(scanner.Text())
		switch {
		case len(words) == 0 || words[0] == "#":
		case len(words) == 4 && (words[0] == "refuse" || words[0] == "take"):
			place := slices.IndexFunc(fields, func(f *oracleField) bool { return f.String() == words[1] })
			exceptions := map[string]map[string][]uint64{"refuse": fields[place].refused, "take": fields[place].taken}[words[0]]
			for _, kernel := range strings.Split(words[3], ",") {
				for _, value := range strings.Split(words[2], ",") {
					exceptions[kernel] = append(exceptions[kernel], number(t, value))
				}
			}
		case len(words) == 8:
			fields = append(fields, &oracleField{
				register: words[0], name: words[1], lsb: uint(number(t, words[2])), width: uint(number(t, words[3])),
				rule: words[4], safe: number(t, words[5]), signed: words[6] == "signed",
				kernels: strings.Split(words[7], ","), refused: map[string][]uint64{}, taken: map[string][]uint64{},
			})
		default:
			t.Fatalf("testdata/oracle/writable.txt: %q", scanner.Text())
		}
	}
	if err := scanner.Err(); err != nil || len(fields) < 250 {
		t.Fatalf("%d fields: %v", len(fields), err)
	}
	return fields
}

func number(t testing.TB, text string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// oracle judges hosts from their documents.
type oracle struct {
	fields     []*oracleField
	byRegister map[string][]*oracleField
}

func newOracle(t testing.TB) *oracle {
	t.Helper()
	o := &oracle{fields: oracleFields(t), byRegister: map[string][]*oracleField{}}
	for _, f := range o.fields {
		o.byRegister[f.register] = append(o.byRegister[f.register], f)
	}
	return o
}

// oracleHost is the first setup of a capture.
type oracleHost struct {
	name, kernel string // kernel without its minor updates: 6.18
	vgic         int
	registers    map[string]uint64
	tried        map[string]map[string]string // nil: derived from the kernel
}

// host reads a capture document.
func (o *oracle) host(t testing.TB, name string, document []byte) *oracleHost {
	t.Helper()
	var capture struct {
		Host struct {
			Kernel string `json:"kernel"`
		} `json:"host"`
		Setups []struct {
			VGIC      int                          `json:"vgic"`
			Registers map[string]string            `json:"registers"`
			Firmware  map[string]string            `json:"firmware"`
			Accepts   map[string]map[string]string `json:"accepts"`
			Basis     struct {
				Accepts string `json:"accepts"`
			} `json:"basis"`
		} `json:"setups"`
	}
	if err := json.Unmarshal(document, &capture); err != nil {
		t.Fatal(err)
	}
	setup := capture.Setups[0]
	release := strings.SplitN(capture.Host.Kernel, ".", 3)
	h := &oracleHost{name: name, kernel: release[0] + "." + release[1], vgic: setup.VGIC, registers: map[string]uint64{}}
	for _, values := range []map[string]string{setup.Registers, setup.Firmware} {
		for register, value := range values {
			h.registers[register] = number(t, value)
		}
	}
	if setup.Basis.Accepts == "tried" {
		h.tried = setup.Accepts
	}
	return h
}

// aarch32 reports whether the register is one of S3_0_C0_C1_0 to S3_0_C0_C3_7,
// which read 0 and ignore writes where EL0 has no AArch32.
func aarch32(register string) bool {
	return strings.HasPrefix(register, "MVFR") || (strings.HasPrefix(register, "ID_") && !strings.HasPrefix(register, "ID_AA64"))
}

// runsAArch32 reads ID_AA64PFR0_EL1.EL0.
func runsAArch32(idAA64PFR0 uint64) bool { return idAA64PFR0&0xf == 2 }

// takes lists which values of a field a host takes and a guest then sees.
func (o *oracle) takes(h *oracleHost, f *oracleField) []uint64 {
	limit := f.get(h.registers[f.register])
	if h.tried != nil {
		text, changeable := h.tried[f.register][f.name]
		if !changeable {
			return []uint64{limit}
		}
		return triedValues(f, text)
	}
	noAArch32 := !runsAArch32(h.registers["ID_AA64PFR0_EL1"])
	if !slices.Contains(f.kernels, h.kernel) || (aarch32(f.register) && noAArch32) {
		return []uint64{limit}
	}
	if values, decided := o.interruptController(h, f, limit); decided {
		return values
	}
	var taken []uint64
	for _, value := range f.values() {
		follows := f.follows(value, limit) || slices.Contains(f.taken[h.kernel], value)
		if value == limit || (follows && !slices.Contains(f.refused[h.kernel], value)) {
			taken = append(taken, value)
		}
	}
	return taken
}

// follows applies the field's rule.
func (f *oracleField) follows(value, limit uint64) bool {
	switch f.rule {
	case "lower", "version":
		return f.rank(value) <= f.rank(limit)
	case "higher":
		return f.rank(value) >= f.rank(limit)
	case "exact":
		return value == f.safe
	case "subset":
		return value&^limit == 0
	case "pair":
		return value < 2 || (value < 4 && limit == 3)
	case "any": // off by default; what it announces the VMM serves
		return true
	}
	panic(f.rule)
}

// interruptController: KVM makes the GIC fields match the VM at its first run.
// Without an in-kernel interrupt controller it clears them since 6.12; 7.2
// also sets them to what the VM has.
func (o *oracle) interruptController(h *oracleHost, f *oracleField, limit uint64) (values []uint64, decided bool) {
	switch {
	case !followsVGIC(f):
		return nil, false
	case h.vgic == 0 && (f.name == "GIC" || h.kernel == "7.2"):
		return []uint64{0}, true
	case h.kernel == "7.2":
		return []uint64{limit}, true
	}
	return nil, false
}

func followsVGIC(f *oracleField) bool {
	return slices.Contains([]string{"ID_AA64PFR0_EL1.GIC", "ID_PFR1_EL1.GIC", "ID_AA64PFR2_EL1.GCIE"}, f.String())
}

// triedValues reads the text of a set: "0-2,15", "0.2,1.0".
func triedValues(f *oracleField, text string) []uint64 {
	var values []uint64
	for _, part := range strings.Split(text, ",") {
		if f.rule == "version" {
			versions := map[string]uint64{"0.2": 2, "1.0": 0x10000, "1.1": 0x10001, "1.2": 0x10002, "1.3": 0x10003}
			values = append(values, versions[part])
			continue
		}
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		first, _ := strconv.ParseUint(low, 10, 8)
		last, _ := strconv.ParseUint(high, 10, 8)
		for v := first; v <= last; v++ {
			values = append(values, v)
		}
	}
	return values
}

// rest returns the register's bits that no field of the table covers.
func (o *oracle) rest(register string) uint64 {
	mask := ^uint64(0)
	for _, f := range o.byRegister[register] {
		mask &^= f.mask()
	}
	return mask
}

// takesRest says whether a host takes a value for the bits of a register
// outside its fields, and the field values that depend on another register.
func (o *oracle) takesRest(h *oracleHost, register string, value uint64) bool {
	limit := h.registers[register]
	if (value^limit)&o.rest(register) == 0 {
		return true
	}
	changeable := !slices.Contains([]string{"5.10", "6.1"}, h.kernel)
	if h.tried != nil {
		changeable = h.tried[register]["*"] == "any"
	}
	switch {
	case !changeable:
		return false
	case register == "MIDR_EL1" || register == "REVIDR_EL1" || register == "AIDR_EL1":
		return h.tried != nil || h.kernel != "6.12"
	case register == "CLIDR_EL1":
		// Refused: RES0 bits, and levels of unification that need no data
		// cache maintenance (IDC) where CTR_EL0.IDC of the host is 0.
		const res0, loc, louis, louu = 0xffff_8000_0000_0000, 7 << 24, 7 << 21, 7 << 27
		likeIDC := value&loc == 0 || value&(louis|louu) == 0
		return value&res0 == 0 && (h.registers["CTR_EL0"]>>28&1 == 1 || !likeIDC)
	case strings.HasPrefix(register, "CCSIDR_EL1["):
		// Refused: a line shorter than the host's shortest.
		return value>>32 == 0 && value&7 >= limit&7
	}
	return false
}

// common lists the values of a field that all hosts take.
func (o *oracle) common(hosts []*oracleHost, f *oracleField) []uint64 {
	var common []uint64
	for _, value := range f.values() {
		if !slices.ContainsFunc(hosts, func(h *oracleHost) bool { return !slices.Contains(o.takes(h, f), value) }) {
			common = append(common, value)
		}
	}
	return common
}

// best returns the value among those that gives a guest the most, but no more
// than any host shows by itself where there is one.
func (o *oracle) best(hosts []*oracleHost, f *oracleField, values []uint64) uint64 {
	within := slices.DeleteFunc(slices.Clone(values), func(value uint64) bool {
		return o.beyond(hosts, f, value)
	})
	if len(within) > 0 {
		values = within
	}
	return slices.MaxFunc(values, func(a, b uint64) int {
		switch {
		case f.more(a, b):
			return 1
		case f.more(b, a):
			return -1
		}
		return 0
	})
}

// smallest returns the size of the smallest set of hosts that have no value of
// the field in common.
func (o *oracle) smallest(hosts []*oracleHost, f *oracleField) int {
	smallest := len(hosts) + 1
	for chosen := 1; chosen < 1<<len(hosts); chosen++ {
		var some []*oracleHost
		for i, h := range hosts {
			if chosen>>i&1 != 0 {
				some = append(some, h)
			}
		}
		if len(some) < smallest && len(o.common(some, f)) == 0 {
			smallest = len(some)
		}
	}
	return smallest
}

// registersOf lists the registers that any of the hosts has, sorted.
func registersOf(hosts []*oracleHost) []string {
	all := map[string]bool{}
	for _, h := range hosts {
		for register := range h.registers {
			all[register] = true
		}
	}
	names := make([]string, 0, len(all))
	for register := range all {
		names = append(names, register)
	}
	slices.Sort(names)
	return names
}

// onAll reports whether every host has the register.
func onAll(hosts []*oracleHost, register string) bool {
	return !slices.ContainsFunc(hosts, func(h *oracleHost) bool {
		_, has := h.registers[register]
		return !has
	})
}

// judgement is what the oracle says of a fleet.
type judgement struct {
	verdict   string
	conflicts map[string]*oracleField // field or register to its field, nil: bits outside fields
}

// notContractValues are the VMM's: topology and selection.
var notContractValues = []string{"MPIDR_EL1", "CSSELR_EL1"}

// judge says whether the hosts have a contract, with the identity of one of
// them.
func (o *oracle) judge(hosts []*oracleHost, identity *oracleHost) judgement {
	j := judgement{verdict: "yes", conflicts: map[string]*oracleField{}}
	for _, register := range registersOf(hosts) {
		cache := strings.HasPrefix(register, "CCSIDR_EL1[") || register == "CLIDR_EL1"
		switch {
		case slices.Contains(notContractValues, register):
		case !onAll(hosts, register):
			if j.verdict == "yes" && register != "VENDOR_HYP_BMAP_2" && !cache {
				j.verdict = "unknown"
			}
		case slices.Contains([]string{"MIDR_EL1", "REVIDR_EL1", "AIDR_EL1"}, register):
			if !o.identityAgrees(hosts, identity, register) {
				j.conflicts[register] = nil
			}
		case !o.restAgrees(hosts, register):
			j.conflicts[register] = nil
		default:
			for _, f := range o.byRegister[register] {
				if len(o.common(hosts, f)) == 0 && !o.leaves(hosts, f) {
					j.conflicts[f.String()] = f
				}
			}
		}
	}
	if len(j.conflicts) > 0 {
		j.verdict = "no"
	}
	return j
}

// identityAgrees reports whether the hosts show the same identity, or all take
// that of one of them.
func (o *oracle) identityAgrees(hosts []*oracleHost, identity *oracleHost, register string) bool {
	if identity != nil {
		return !slices.ContainsFunc(hosts, func(h *oracleHost) bool {
			return !o.takesRest(h, register, identity.registers[register])
		})
	}
	return !slices.ContainsFunc(hosts, func(h *oracleHost) bool {
		return h.registers[register] != hosts[0].registers[register]
	})
}

// restAgrees reports whether some host's bits outside fields are taken by all.
func (o *oracle) restAgrees(hosts []*oracleHost, register string) bool {
	return slices.ContainsFunc(hosts, func(from *oracleHost) bool {
		return !slices.ContainsFunc(hosts, func(h *oracleHost) bool { return !o.takesRest(h, register, from.registers[register]) })
	})
}

// refuses says why a host would not take a contract, nil where it does.
func (o *oracle) refuses(h *oracleHost, contract map[string]uint64) []string {
	var reasons []string
	for register, value := range contract {
		if _, has := h.registers[register]; !has {
			if register == "VENDOR_HYP_BMAP_2" && value != 0 {
				reasons = append(reasons, register)
			}
			continue
		}
		if !o.takesRest(h, register, value) {
			reasons = append(reasons, fmt.Sprintf("%s=%#x", register, value))
		}
		for _, f := range o.byRegister[register] {
			if !slices.Contains(o.takes(h, f), f.get(value)) {
				reasons = append(reasons, fmt.Sprintf("%s=%d, takes %v", f, f.get(value), o.takes(h, f)))
			}
		}
	}
	return reasons
}

// contractValues reads the registers of a contract document.
func contractValues(t testing.TB, document []byte) map[string]uint64 {
	t.Helper()
	var contract struct {
		Registers map[string]string `json:"registers"`
		Firmware  map[string]string `json:"firmware"`
		Hardware  map[string]string `json:"hardware"`
	}
	if err := json.Unmarshal(document, &contract); err != nil {
		t.Fatal(err)
	}
	values := map[string]uint64{}
	for _, m := range []map[string]string{contract.Registers, contract.Firmware, contract.Hardware} {
		for register, value := range m {
			values[register] = number(t, value)
		}
	}
	return values
}
