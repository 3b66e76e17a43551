package guise_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/guise-project/guise"
	isapower "github.com/guise-project/guise/isa/power"
)

// powerHosts are a POWER9 and a POWER10 whose firmware tells everything, and a
// POWER10 of which nothing is told.
func powerHosts() []*guise.Capture {
	host := func(name string, pvr uint32, c isapower.Characteristics, highest isapower.Level, capabilities map[string]int64) *guise.Capture {
		levels := map[isapower.Level]bool{}
		for _, row := range isapower.Levels {
			levels[row.Level] = row.Level <= highest
		}
		return &guise.Capture{
			Name: name, Host: guise.HostFacts{Kernel: "7.2.13", Capabilities: capabilities},
			Power: &guise.PowerHost{
				PVR: pvr, Characteristics: c, Levels: levels, Tried: map[string]bool{isapower.TriedLargeDecrementer: true},
				Facilities: map[string]guise.FacilitySight{
					"BHRB": {Off: guise.FacilityForwarded, On: guise.FacilityReached},
					"MSGP": {Off: guise.FacilityForwarded, On: guise.FacilityForwarded},
					"FP":   {Off: guise.FacilityReached, On: guise.FacilityReached},
				},
			},
		}
	}
	const characters, behaviours = 0xff40000000000000, 0xe400000000000000
	workaround := isapower.Characteristics{Character: 0xbc40000000000000, CharacterMask: characters, Behaviour: 0xe400000000000000, BehaviourMask: behaviours}
	fixed := isapower.Characteristics{CharacterMask: characters, Behaviour: 1 << 63, BehaviourMask: behaviours}
	return []*guise.Capture{
		host("p9", 0x004e1202, workaround, isapower.Level30, map[string]int64{"KVM_CAP_PPC_NESTED_HV": 1, "KVM_CAP_PPC_HTM": 1, "KVM_CAP_PPC_DAWR1": 0}),
		host("p10", 0x00801200, fixed, isapower.Level31P11, map[string]int64{"KVM_CAP_PPC_NESTED_HV": 1, "KVM_CAP_PPC_HTM": 0, "KVM_CAP_PPC_DAWR1": 1}),
		host("silent", 0x00801200, isapower.Characteristics{}, isapower.Level31P11, nil),
	}
}

func powerBaseline(t *testing.T, hosts ...*guise.Capture) *guise.BaselineResult {
	t.Helper()
	result, err := guise.Baseline(hosts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestPowerBaseline(t *testing.T) {
	hosts := powerHosts()
	for _, test := range []struct {
		name                 string
		hosts                []*guise.Capture
		level                string
		capabilities         string
		character, behaviour uint64
		hfscr                uint64
		notKnown             string
	}{
		{"p9 alone", hosts[:1], "3.0", "cfpc=workaround sbbc=workaround ibs=workaround ccf-assist=on nested-hv=on htm=on dawr1=off fwnmi=off rpt-invalidate=off ail-mode-3=off large-decr=on",
			0xbc40000000000000, 0xe400000000000000, isapower.BHRB, "fwnmi, rpt-invalidate, ail-mode-3"},
		{"p10 alone", hosts[1:2], "3.1", "cfpc=fixed sbbc=fixed ibs=fixed-na ccf-assist=off nested-hv=on htm=off dawr1=on fwnmi=off rpt-invalidate=off ail-mode-3=off large-decr=on",
			0, 1 << 63, isapower.BHRB, "fwnmi, rpt-invalidate, ail-mode-3"},
		{"both", hosts[:2], "3.0", "cfpc=workaround sbbc=workaround ibs=workaround ccf-assist=off nested-hv=on htm=off dawr1=off fwnmi=off rpt-invalidate=off ail-mode-3=off large-decr=on",
			0, 0xe400000000000000, isapower.BHRB, "fwnmi, rpt-invalidate, ail-mode-3"},
		{"one that tells nothing", hosts[2:], "3.1", "cfpc=broken sbbc=broken ibs=broken ccf-assist=off nested-hv=off htm=off dawr1=off fwnmi=off rpt-invalidate=off ail-mode-3=off large-decr=on",
			0, 0xe400000000000000, isapower.BHRB, "cfpc, sbbc, ibs, ccf-assist, nested-hv, htm, dawr1, fwnmi, rpt-invalidate, ail-mode-3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := powerBaseline(t, test.hosts...)
			if result.Verdict != guise.Yes || result.Contract == nil {
				t.Fatalf("%+v", result)
			}
			p := result.Contract.Power
			var capabilities []string
			for i := range isapower.Capabilities {
				name := isapower.Capabilities[i].Name
				capabilities = append(capabilities, name+"="+p.Capabilities[name])
			}
			if got := strings.Join(capabilities, " "); got != test.capabilities {
				t.Errorf("\n got %s\nwant %s", got, test.capabilities)
			}
			if p.Level.String() != test.level || p.Character != test.character || p.Behaviour != test.behaviour || p.HFSCR != test.hfscr {
				t.Errorf("level %s, character %#x, behaviour %#x, HFSCR %#x", p.Level, p.Character, p.Behaviour, p.HFSCR)
			}
			if !slices.ContainsFunc(result.NotKnown, func(line string) bool { return strings.HasPrefix(line, test.notKnown+":") }) {
				t.Errorf("not known: %q, want a line of %s", result.NotKnown, test.notKnown)
			}
		})
	}
}

// TestPowerCheck has the findings of contracts that hosts refuse or may refuse.
func TestPowerCheck(t *testing.T) {
	hosts := powerHosts()
	p9, p10 := powerBaseline(t, hosts[0]).Contract, powerBaseline(t, hosts[1]).Contract
	above := *p10
	power := *p10.Power
	power.Level = isapower.Level31P11
	above.Power = &power
	const character, behaviour = "KVM_PPC_GET_CPU_CHAR.character.", "KVM_PPC_GET_CPU_CHAR.behaviour."
	for _, test := range []struct {
		name     string
		contract *guise.Contract
		host     *guise.Capture
		verdict  guise.Verdict
		no, open []string
	}{
		{"p9 on p9", p9, hosts[0], guise.Yes, nil, nil},
		{"p9 on p10", p9, hosts[1], guise.No, []string{"ccf-assist", "htm", character + "SPEC_BAR_ORI31", character + "L1D_FLUSH_ORI30", character + "L1D_FLUSH_TRIG2",
			character + "L1D_THREAD_PRIV", character + "BR_HINT_HONOURED", character + "BCCTR_FLUSH_ASSIST"}, nil},
		{"p10 on p9", p10, hosts[0], guise.No, []string{"level", "cfpc", "sbbc", "ibs", "dawr1",
			behaviour + "L1D_FLUSH_PR", behaviour + "BNDS_CHK_SPEC_BAR", behaviour + "FLUSH_COUNT_CACHE"}, nil},
		{"p10 on one that tells nothing", p10, hosts[2], guise.Unknown, nil, []string{"cfpc", "sbbc", "ibs", "nested-hv", "dawr1",
			behaviour + "L1D_FLUSH_PR", behaviour + "BNDS_CHK_SPEC_BAR", behaviour + "FLUSH_COUNT_CACHE"}},
		{"a level of a newer CPU that KVM takes", &above, hosts[1], guise.No, []string{"level"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			verdict := guise.Check(test.contract, test.host, guise.VMMNone)
			var no, open []string
			for i := range verdict.Findings {
				f := &verdict.Findings[i]
				switch {
				case f.Verdict == guise.No && open == nil:
					no = append(no, f.Name())
				case f.Verdict == guise.Unknown:
					open = append(open, f.Name())
				default:
					t.Errorf("%s: %v", f.Name(), f.Verdict)
				}
				if f.Wanted == "" || len(f.Hosts) != 1 || f.Means == "" || f.Who == "" {
					t.Errorf("%+v lacks something", f)
				}
			}
			if verdict.Verdict != test.verdict || !slices.Equal(no, test.no) || !slices.Equal(open, test.open) {
				t.Errorf("%v: no %q, open %q", verdict.Verdict, no, open)
			}
		})
	}
}

func TestUnlikeArchitectures(t *testing.T) {
	power, arm := powerHosts()[0], load(t, "graviton2@6.18")
	result := powerBaseline(t, arm, power)
	if result.Verdict != guise.No || result.Contract != nil || len(result.Findings) != 1 || result.Findings[0].Name() != "architecture" || len(result.Findings[0].Hosts) != 2 {
		t.Errorf("%+v", result)
	}
	if mended, err := guise.Mend([]*guise.Capture{arm, power}, nil, result); mended != nil || err != nil {
		t.Errorf("mended with %+v, %v", mended, err)
	}
	for _, pair := range [][2]*guise.Capture{{arm, power}, {power, arm}} {
		contract := powerBaseline(t, pair[0]).Contract
		if v := guise.Check(contract, pair[1], guise.VMMNone); v.Verdict != guise.No || len(v.Findings) != 1 || v.Findings[0].Register != "architecture" {
			t.Errorf("%+v", v)
		}
		if d, err := guise.Diff(pair[0], pair[1]); d != nil || err == nil || !strings.Contains(err.Error(), "nothing to compare") {
			t.Errorf("%v, %v", d, err)
		}
	}
	if _, err := guise.Pools([]*guise.Capture{power}, nil, 1); err == nil {
		t.Error("pools of POWER hosts")
	}
	if _, err := guise.Baseline([]*guise.Capture{power}, &guise.Policy{Hide: []string{"FEAT_SVE"}}); err == nil {
		t.Error("a policy of arm64 for a POWER host")
	}
}

// TestNoCommonLevel: the reason is two hosts, and not known where not tried.
func TestNoCommonLevel(t *testing.T) {
	hosts := powerHosts()
	hosts[0].Power.Levels = map[isapower.Level]bool{isapower.Level30: true, isapower.Level31: false}
	hosts[1].Power.Levels = map[isapower.Level]bool{isapower.Level30: false, isapower.Level31: true}
	for _, open := range []bool{true, false} {
		if !open {
			for _, row := range isapower.Levels[:isapower.Level30-1] {
				hosts[1].Power.Levels[row.Level] = false
			}
		}
		result := powerBaseline(t, hosts...)
		want := map[bool]guise.Verdict{true: guise.Unknown, false: guise.No}[open]
		if result.Verdict != want || result.Contract != nil || len(result.Findings) != 1 || result.Findings[0].Register != "level" || !open && len(result.Findings[0].Hosts) != 2 {
			t.Errorf("open %v: %+v", open, result)
		}
	}
}

// anyPowerHost is a host of any properties.
func anyPowerHost(t *rapid.T, name string) *guise.Capture {
	word := rapid.Uint64()
	c := powerHosts()[0]
	c.Name = name
	c.Power.PVR = rapid.SampledFrom([]uint32{0x004e1202, 0x00801200, 0x00010000}).Draw(t, "PVR")
	c.Power.Characteristics = isapower.Characteristics{
		Character: word.Draw(t, "character"), CharacterMask: word.Draw(t, "mask"), Behaviour: word.Draw(t, "behaviour"), BehaviourMask: word.Draw(t, "mask"),
	}
	c.Host.Capabilities = map[string]int64{}
	for i := range isapower.Capabilities {
		if name := isapower.Capabilities[i].Capability; name != "" && rapid.Bool().Draw(t, "asked") {
			c.Host.Capabilities[name] = rapid.Int64Range(0, 2).Draw(t, name)
		}
	}
	c.Power.Levels = map[isapower.Level]bool{}
	for _, row := range isapower.Levels {
		if rapid.Bool().Draw(t, "tried") {
			c.Power.Levels[row.Level] = rapid.Bool().Draw(t, row.Name)
		}
	}
	c.Power.Facilities = map[string]guise.FacilitySight{}
	for _, f := range isapower.Facilities {
		if f.HFSCR && rapid.Bool().Draw(t, "looked") {
			outcome := rapid.SampledFrom(guise.FacilityOutcomes)
			c.Power.Facilities[f.Name] = guise.FacilitySight{Off: outcome.Draw(t, "off"), On: outcome.Draw(t, "on")}
		}
	}
	return c
}

// TestPowerBaselineIsTakenAndGreatest: every host of a baseline takes it, its
// order does not matter, documents come back as they were, and nothing in it
// can be raised without a host that does not certainly take it.
func TestPowerBaselineIsTakenAndGreatest(t *testing.T) {
	contracts := 0
	rapid.Check(t, func(t *rapid.T) {
		var hosts []*guise.Capture
		for i := range rapid.IntRange(1, 3).Draw(t, "hosts") {
			hosts = append(hosts, anyPowerHost(t, fmt.Sprint("host ", i)))
		}
		for _, host := range hosts {
			again, err := guise.ReadCapture(host.Name, host.Marshal())
			if err != nil || again.ViewDigest() != host.ViewDigest() || string(again.Marshal()) != string(host.Marshal()) {
				t.Fatalf("%v: reads as something else:\n%s", err, host.Marshal())
			}
		}
		result, err := guise.Baseline(hosts, nil)
		if err != nil {
			t.Fatal(err)
		}
		reversed := slices.Clone(hosts)
		slices.Reverse(reversed)
		other, err := guise.Baseline(reversed, nil)
		if err != nil || other.Verdict != result.Verdict {
			t.Fatalf("%v: %v in another order", err, other.Verdict)
		}
		if result.Contract == nil {
			if len(result.Findings) == 0 {
				t.Fatal("no contract and no reason")
			}
			return
		}
		contracts++
		if diff := cmp.Diff(result.Contract.Marshal(), other.Contract.Marshal()); diff != "" {
			t.Fatal(diff)
		}
		read, err := guise.ReadContract("contract", result.Contract.Marshal())
		if err != nil || read.Digest() != result.Contract.Digest() {
			t.Fatalf("%v: reads as something else", err)
		}
		taken := func(p guise.PowerContract) bool {
			return !slices.ContainsFunc(hosts, func(host *guise.Capture) bool {
				return guise.Check(&guise.Contract{Power: &p}, host, guise.VMMNone).Verdict != guise.Yes
			})
		}
		if !taken(*result.Contract.Power) {
			t.Fatalf("a host does not take %s", result.Contract.Marshal())
		}
		for _, raised := range raise(result.Contract.Power) {
			if taken(raised) {
				t.Fatalf("%+v is more than %+v, and every host takes it", raised, *result.Contract.Power)
			}
		}
	})
	if contracts == 0 {
		t.Error("no contract was ever found")
	}
}

// raise gives every contract that is better in one place.
func raise(p *guise.PowerContract) []guise.PowerContract {
	var all []guise.PowerContract
	for level := p.Level + 1; int(level) <= len(isapower.Levels); level++ {
		more := *p
		more.Level = level
		all = append(all, more)
	}
	for i := range isapower.Capabilities {
		o := &isapower.Capabilities[i]
		if at, _ := o.ValueNamed(p.Capabilities[o.Name]); at+1 < len(o.Values) {
			more := *p
			more.Capabilities = map[string]string{}
			for name, value := range p.Capabilities {
				more.Capabilities[name] = value
			}
			more.Capabilities[o.Name] = o.Values[at+1]
			all = append(all, more)
		}
	}
	for i := range isapower.CharacteristicTable {
		row := &isapower.CharacteristicTable[i]
		more := *p
		switch {
		case row.Word == isapower.Character && p.Character&row.Mask() == 0:
			more.Character |= row.Mask()
		case row.Word == isapower.Behaviour && p.Behaviour&row.Mask() != 0:
			more.Behaviour &^= row.Mask()
		default:
			continue
		}
		all = append(all, more)
	}
	for i := range isapower.Facilities {
		if f := &isapower.Facilities[i]; f.HFSCR && p.HFSCR&f.Mask() == 0 {
			more := *p
			more.HFSCR |= f.Mask()
			all = append(all, more)
		}
	}
	return all
}

func TestJudgePower(t *testing.T) {
	host := powerHosts()[0]
	contract := powerBaseline(t, host).Contract
	trace := func(change func(*guise.PowerTrace)) *guise.PowerTrace {
		p := &guise.PowerTrace{Level: contract.Power.Level, PVR: host.Power.PVR, Instructions: map[string]guise.InstructionOutcome{}}
		for _, row := range isapower.Ladder {
			p.Instructions[row.Mnemonic] = guise.InstructionIllegal
			if row.Level <= isapower.Level30 {
				p.Instructions[row.Mnemonic] = guise.InstructionCompleted
			}
		}
		change(p)
		return p
	}
	for _, test := range []struct {
		name    string
		trace   *guise.PowerTrace
		verdict guise.Verdict
		object  string
		kind    guise.Kind
	}{
		{"as it should be", trace(func(*guise.PowerTrace) {}), guise.Yes, "brd", guise.KindStopped},
		{"not stopped", trace(func(p *guise.PowerTrace) { p.Instructions["brd"] = guise.InstructionCompleted }), guise.Yes, "brd", guise.KindInstruction},
		{"does not work", trace(func(p *guise.PowerTrace) { p.Instructions["modud"] = guise.InstructionIllegal }), guise.No, "modud", guise.KindInstruction},
		{"not executed", trace(func(p *guise.PowerTrace) { delete(p.Instructions, "modud") }), guise.Unknown, "modud", guise.KindInstruction},
		{"another processor", trace(func(p *guise.PowerTrace) { p.PVR++ }), guise.No, "PVR", guise.KindShown},
		{"another level", trace(func(p *guise.PowerTrace) { p.Level-- }), guise.No, "KVM_REG_PPC_ARCH_COMPAT", guise.KindUserspace},
	} {
		t.Run(test.name, func(t *testing.T) {
			proof := &guise.Proof{Contract: contract.Digest(), Power: test.trace, Findings: guise.JudgePower(contract, host, test.trace)}
			if !slices.ContainsFunc(proof.Findings, func(f guise.Finding) bool {
				return f.Name() == test.object && f.Kind == test.kind
			}) || proof.Verdict() != test.verdict {
				t.Errorf("%v: %+v", proof.Verdict(), proof.Findings)
			}
			again, err := guise.ReadProof("proof", proof.Marshal())
			if err != nil || string(again.Marshal()) != string(proof.Marshal()) {
				t.Errorf("%v: reads as something else", err)
			}
		})
	}
}

func TestBadPowerDocuments(t *testing.T) {
	capture := func(members string) string {
		return "{\"schema\":\"guise/capture/v1\",\"power\":{\n \"pvr\":\"0x00801200\"," + members + "}\n}"
	}
	for _, bad := range []struct{ name, document, want string }{
		{"two architectures", "{\"schema\":\"guise/capture/v1\",\"power\":{\"pvr\":\"0x00801200\"},\"setups\":[{}]}", "power: stands beside what only documents of arm64 have"},
		{"no PVR", "{\"schema\":\"guise/capture/v1\",\n \"power\":{}}", "bad.json:2:2: power: has no pvr"},
		{"unknown key", capture(`"hfscr":1`), `bad.json:2:21: power: the key "hfscr" is not known`},
		{"unknown level", capture(`"levels":{"4.0":true}`), `bad.json:2:31: architecture level "4.0": want one of`},
		{"level neither way", capture(`"levels":{"3.0":"yes"}`), `bad.json:2:37: levels: want true or false`},
		{"half of the words", capture(`"characteristics":{"character":"0x0000000000000000"}`), `bad.json:2:21: characteristics: want character, characterMask`},
		{"short word", capture(`"characteristics":{"character":"0x0"}`), `bad.json:2:52: character: want 0x and 16 lower-case hex digits`},
		{"unknown facility", capture(`"facilities":{"SCV":{"off":"reached","on":"reached"}}`), `bad.json:2:35: facilities: "SCV" has no bit in HFSCR`},
		{"unknown outcome", capture(`"facilities":{"FP":{"off":"seen","on":"reached"}}`), `bad.json:2:47: off: want one of [reached forwarded illegal stuck other], there is "seen"`},
		{"half of a facility", capture(`"facilities":{"FP":{"on":"reached"}}`), `bad.json:2:35: FP: want what was met with its bit off and on`},
		{"unknown trial", capture(`"tried":{"LPCR.LX":true}`), `bad.json:2:30: tried: the key "LPCR.LX" is not known`},
	} {
		t.Run(bad.name, func(t *testing.T) {
			c, err := guise.ReadCapture("bad.json", []byte(bad.document))
			if err == nil || c != nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("\n got %v\nwant %s", err, bad.want)
			}
		})
	}
	good := string(powerBaseline(t, powerHosts()...).Contract.Marshal())
	for _, bad := range []struct{ name, from, to, want string }{
		{"a level nobody has", `"level": "3.0"`, `"level": "3.5"`, `architecture level "3.5"`},
		{"a value nobody has", `"cfpc": "broken"`, `"cfpc": "on"`, `cfpc: want one of [broken workaround fixed], there is "on"`},
		{"a capability nobody has", `"cfpc"`, `"cfpd"`, `capabilities: the key "cfpd" is not known`},
		{"a capability without a value", `"cfpc": "broken",`, ``, `capabilities: cfpc has no value`},
		{"no level", `"level": "3.0"`, `"level": null`, `level: want a string, there is null`},
		{"a facility twice", `"BHRB"`, `"BHRB", "BHRB"`, `facilities: BHRB stands here twice`},
		{"a setup too", `"power": {`, `"setup": {}, "power": {`, `stands beside what only documents of arm64 have`},
	} {
		t.Run(bad.name, func(t *testing.T) {
			changed := strings.Replace(good, bad.from, bad.to, 1)
			if changed == good {
				t.Fatalf("%s is not in\n%s", bad.from, good)
			}
			c, err := guise.ReadContract("bad.json", []byte(changed))
			if err == nil || c != nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("\n got %v\nwant %s", err, bad.want)
			}
		})
	}
}
