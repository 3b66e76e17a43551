package guise

import (
	"fmt"

	isapower "github.com/guise-project/guise/isa/power"
)

// checkPower judges whether a host gives a VM what a contract says, where one
// of the two is POWER's. Every object is judged by itself.
func checkPower(contract *Contract, capture *Capture) HostVerdict {
	result := HostVerdict{Host: capture.Name}
	if contract.Arch() != capture.Arch() {
		result.Findings = []Finding{{
			Verdict: No, Kind: KindFixed, Register: objectArchitecture, Wanted: contract.Arch(), Who: "nobody",
			Hosts: []HostValue{{Host: capture.Name, Value: capture.Arch()}}, Means: "no VM runs on both",
		}}
		result.Verdict = No
		return result
	}
	c := &powerChecker{contract: contract.Power, capture: capture}
	c.level()
	for i := range isapower.Capabilities {
		c.capability(&isapower.Capabilities[i])
	}
	for i := range isapower.CharacteristicTable {
		c.characteristic(&isapower.CharacteristicTable[i])
	}
	for i := range isapower.Facilities {
		if f := &isapower.Facilities[i]; c.contract.HFSCR&f.Mask() != 0 {
			c.facility(f)
		}
	}
	result.Findings = append(c.refused, c.open...)
	result.Verdict = verdictOf(result.Findings)
	return result
}

// powerChecker judges one POWER host against one contract.
type powerChecker struct {
	contract      *PowerContract
	capture       *Capture
	refused, open []Finding
}

// add completes a finding with what a host has. Those that are not settled say
// so, and what would settle them.
func (c *powerChecker) add(verdict Verdict, f Finding, value string) {
	f.Verdict = verdict
	f.Hosts = []HostValue{{Host: c.capture.Name, Value: value}}
	if verdict == No {
		c.refused = append(c.refused, f)
		return
	}
	f.Kind, f.Who = KindUntried, "not known"
	c.open = append(c.open, f)
}

// captureThere is to capture the host anew.
func (c *powerChecker) captureThere() Remedy { return Remedy{RemedyCapture, []string{c.capture.Name}} }

func (c *powerChecker) level() {
	wanted := c.contract.Level
	f := Finding{Kind: KindRefused, Register: objectLevel, Wanted: wanted.String(), Who: "nobody", Means: "which instructions its programs may count on"}
	there := levelsText(c.capture.Power)
	verdict := c.capture.Power.takes(wanted)
	switch {
	case verdict == Yes:
		return
	case verdict == Unknown:
		f.Remedy = c.captureThere()
	case c.capture.Power.Levels[wanted]:
		f.Means = "KVM takes it and the CPU is an older one"
	}
	c.add(verdict, f, there)
}

func (c *powerChecker) capability(o *isapower.OrderedCapability) {
	wanted, _ := o.ValueNamed(c.contract.Capabilities[o.Name])
	least, greatest := c.capture.capability(o)
	if least >= wanted {
		return
	}
	f := Finding{Kind: KindRefused, Register: o.Name, Wanted: o.Values[wanted], Who: "nobody", Means: o.About}
	if greatest < wanted {
		c.add(No, f, o.Values[greatest])
		return
	}
	if len(o.Rules) == 0 {
		f.Remedy = c.captureThere()
	}
	c.add(Unknown, f, fmt.Sprintf("%s to %s", o.Values[least], o.Values[greatest]))
}

func (c *powerChecker) characteristic(row *isapower.Characteristic) {
	told := c.contract.Character
	if row.Word == isapower.Behaviour {
		told = c.contract.Behaviour
	}
	wanted := told&row.Mask() != 0
	if safe := row.Sense == isapower.Asks; wanted == safe {
		return
	}
	set, known := c.capture.Power.Characteristics.Get(row)
	f := Finding{Kind: KindHardware, Register: wordObject(row.Word), Field: row.Name, Wanted: bitText(wanted), Who: "nobody", Means: row.About}
	switch {
	case !known:
		c.add(Unknown, f, "not told")
	case set != wanted:
		c.add(No, f, bitText(set))
	}
}

func (c *powerChecker) facility(f *isapower.Facility) {
	sight, seen := c.capture.Power.Facilities[f.Name]
	finding := Finding{Kind: KindRefused, Register: objectHFSCR, Field: f.Name, Wanted: permittedText(true), Who: "KVM", Means: f.About}
	switch permitted := sight.Permitted(); {
	case permitted == Yes:
	case !seen:
		finding.Remedy = c.captureThere()
		c.add(Unknown, finding, "no nested guest looked")
	default:
		c.add(permitted, finding, sight.text())
	}
}

// text says what a nested guest met, in running text.
func (s FacilitySight) text() string {
	if s.On == s.Off {
		return string(s.On) + ", on or off"
	}
	return fmt.Sprintf("%s; %s when off", s.On, s.Off)
}

// diffPower compares two hosts of which one at least is a POWER host.
func diffPower(a, b *Capture) (*DiffResult, error) {
	if mixedArchitectures([]*Capture{a, b}) != nil {
		return nil, fmt.Errorf("%s and %s: one is %s, the other %s; there is nothing to compare", a.Name, b.Name, a.Arch(), b.Arch())
	}
	d := &DiffResult{Setup: "any", ListsKnown: true}
	add := func(register, field, inA, inB, who, means string, ca, cb int) {
		if inA == inB {
			return
		}
		more := ""
		if ca != cb {
			more = map[bool]string{true: "a", false: "b"}[ca > cb]
		}
		d.Differences = append(d.Differences, Difference{Register: register, Field: field, A: inA, B: inB, More: more, Who: who, Means: means})
	}
	pa, pb := a.Power, b.Power
	add("PVR", "", fmt.Sprintf("%#x", pa.PVR), fmt.Sprintf("%#x", pb.PVR), "nobody", "guests are told a level instead", 0, 0)
	add(objectLevel, "", levelText(pa.highest()), levelText(pb.highest()), "a VMM", "which instructions its programs may count on", int(pa.highest()), int(pb.highest()))
	for i := range isapower.Capabilities {
		o := &isapower.Capabilities[i]
		leastA, greatestA := a.capability(o)
		leastB, greatestB := b.capability(o)
		add(o.Name, "", rangeText(o, leastA, greatestA), rangeText(o, leastB, greatestB), "a VMM", o.About, leastA, leastB)
	}
	for i := range isapower.CharacteristicTable {
		row := &isapower.CharacteristicTable[i]
		add(wordObject(row.Word), row.Name, pa.bit(row), pb.bit(row), "a VMM", row.About, 0, 0)
	}
	for i := range isapower.Facilities {
		if f := &isapower.Facilities[i]; f.HFSCR {
			inA, inB := pa.permitted(f.Name), pb.permitted(f.Name)
			add(objectHFSCR, f.Name, inA.String(), inB.String(), "a VMM", f.About, -int(inA), -int(inB))
		}
	}
	for _, move := range []struct {
		from, to *Capture
		verdict  *HostVerdict
	}{{a, b, &d.AToB}, {b, a, &d.BToA}} {
		result, err := Baseline([]*Capture{move.from}, nil)
		if err != nil {
			return nil, err
		}
		*move.verdict = HostVerdict{Host: move.to.Name, Verdict: result.Verdict, Findings: result.Findings}
		if result.Contract != nil {
			*move.verdict = Check(result.Contract, move.to, VMMNone)
		}
	}
	return d, nil
}

func rangeText(o *isapower.OrderedCapability, least, greatest int) string {
	if least == greatest {
		return o.Values[least]
	}
	return fmt.Sprintf("%s to %s", o.Values[least], o.Values[greatest])
}

// bit gives a bit of the characteristics as people read it.
func (p *PowerHost) bit(row *isapower.Characteristic) string {
	set, known := p.Characteristics.Get(row)
	if !known {
		return "not told"
	}
	return bitText(set)
}
