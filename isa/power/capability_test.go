package power_test

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"testing"

	"golang.org/x/arch/ppc64/ppc64asm"
	"pgregory.net/rapid"

	"github.com/guise-project/guise/isa/power"
)

// TestCharacteristicTable holds the table against the masks that the kernel
// answers with on a pseries machine under QEMU, which cover every bit.
func TestCharacteristicTable(t *testing.T) {
	const characterMask, behaviourMask = 0xff40000000000000, 0xe400000000000000
	var masks [2]uint64
	names := map[string]bool{}
	for i := range power.CharacteristicTable {
		row := &power.CharacteristicTable[i]
		if names[row.Name] || row.About == "" || strings.ToUpper(row.Name) != row.Name {
			t.Errorf("%s: twice, or without what it is about", row.Name)
		}
		names[row.Name] = true
		if masks[row.Word] != 0 && row.Mask() >= masks[row.Word]&-masks[row.Word] {
			t.Errorf("%s: out of order", row.Name)
		}
		masks[row.Word] |= row.Mask()
		if (row.Word == power.Behaviour) != (row.Sense == power.Asks) {
			t.Errorf("%s: sense %d in %s", row.Name, row.Sense, row.Word)
		}
		if found, ok := power.CharacteristicNamed(row.Name); !ok || found != row {
			t.Errorf("%s is not found", row.Name)
		}
	}
	if masks != [2]uint64{characterMask, behaviourMask} {
		t.Errorf("masks %#x", masks)
	}
}

// TestCapabilityTable: every capability has one source, values in order and
// rules over bits that exist.
func TestCapabilityTable(t *testing.T) {
	seen := map[string]bool{}
	for i := range power.Capabilities {
		o := &power.Capabilities[i]
		sources := 0
		for _, has := range []bool{o.Capability != "", len(o.Rules) > 0, o.Tried != ""} {
			if has {
				sources++
			}
		}
		if seen[o.Name] || sources != 1 || o.About == "" || len(o.Values) < 2 {
			t.Errorf("%s: twice, %d sources, or %d values", o.Name, sources, len(o.Values))
		}
		seen[o.Name] = true
		given := map[int]bool{0: true}
		for _, r := range o.Rules {
			given[r.Value] = true
			for _, names := range [][]string{r.Set, r.Clear, r.Any} {
				for _, name := range names {
					if _, ok := power.CharacteristicNamed(name); !ok {
						t.Errorf("%s: no bit %s", o.Name, name)
					}
				}
			}
		}
		for place, value := range o.Values {
			if got, ok := o.ValueNamed(value); !ok || got != place {
				t.Errorf("%s: %s is found at %d", o.Name, value, got)
			}
			if len(o.Rules) > 0 && !given[place] {
				t.Errorf("%s: no rule gives %s", o.Name, value)
			}
		}
	}
}

// TestCapabilitiesOfHosts has the values of hosts that were seen, and of ones
// that the rules turn on.
func TestCapabilitiesOfHosts(t *testing.T) {
	const every = ^uint64(0)
	pseries := power.Characteristics{Character: 0x3c40000000000000, CharacterMask: 0xff40000000000000, Behaviour: 0xe400000000000000, BehaviourMask: 0xe400000000000000}
	for _, test := range []struct {
		host            string
		c               power.Characteristics
		level           power.Level
		name            string
		least, greatest string
	}{
		// Observed: pseries under QEMU, whose defaults are these values.
		{"pseries", pseries, power.Level31, "cfpc", "workaround", "workaround"},
		{"pseries", pseries, power.Level31, "sbbc", "broken", "broken"},
		{"pseries", pseries, power.Level31, "ibs", "workaround", "workaround"},
		{"pseries", pseries, power.Level31, "ccf-assist", "on", "on"},
		// Observed: powernv under QEMU, where firmware says nothing.
		{"powernv", power.Characteristics{}, power.Level31, "cfpc", "broken", "fixed"},
		{"powernv", power.Characteristics{}, power.Level31, "sbbc", "broken", "fixed"},
		{"powernv", power.Characteristics{}, power.Level31, "ibs", "broken", "fixed-na"},
		{"powernv", power.Characteristics{}, power.Level31, "ccf-assist", "off", "on"},
		{"all clear", power.Characteristics{CharacterMask: every, BehaviourMask: every}, power.Level31, "cfpc", "fixed", "fixed"},
		{"all clear", power.Characteristics{CharacterMask: every, BehaviourMask: every}, power.Level31, "ibs", "fixed-na", "fixed-na"},
		{"needs a flush, has none", power.Characteristics{CharacterMask: every, Behaviour: every, BehaviourMask: every}, power.Level31, "cfpc", "broken", "broken"},
		{"flush, shared cache", power.Characteristics{Character: 1 << 60, CharacterMask: every, Behaviour: every, BehaviourMask: every}, power.Level30, "cfpc", "broken", "broken"},
		{"flush, shared cache, POWER8", power.Characteristics{Character: 1 << 60, CharacterMask: every, Behaviour: every, BehaviourMask: every}, power.Level207, "cfpc", "workaround", "workaround"},
		{"flush, shared cache, CPU not known", power.Characteristics{Character: 1 << 60, CharacterMask: every, Behaviour: every, BehaviourMask: every}, 0, "cfpc", "broken", "workaround"},
		{"count cache off", power.Characteristics{Character: 1 << 56, CharacterMask: every, BehaviourMask: every}, power.Level30, "ibs", "fixed-ccd", "fixed-ccd"},
		{"bcctr serialised", power.Characteristics{Character: 1 << 62, CharacterMask: every, BehaviourMask: every}, power.Level30, "ibs", "fixed-ibs", "fixed-ibs"},
		{"barrier", power.Characteristics{Character: 1 << 63, CharacterMask: every, Behaviour: every, BehaviourMask: every}, power.Level30, "sbbc", "workaround", "workaround"},
		// A value under a mask bit that is 0 counts for nothing.
		{"set and not known", power.Characteristics{Character: every, Behaviour: every, BehaviourMask: every}, power.Level30, "sbbc", "broken", "workaround"},
	} {
		o, _ := power.CapabilityNamed(test.name)
		least, greatest := o.Range(&test.c, test.level)
		if o.Values[least] != test.least || o.Values[greatest] != test.greatest {
			t.Errorf("%s: %s is %s to %s, want %s to %s", test.host, test.name, o.Values[least], o.Values[greatest], test.least, test.greatest)
		}
	}
}

// TestKnowingMoreNarrows: another bit that becomes known never widens a range,
// and with all bits known one value is left.
func TestKnowingMoreNarrows(t *testing.T) {
	word := rapid.Uint64()
	rapid.Check(t, func(t *rapid.T) {
		c := power.Characteristics{Character: word.Draw(t, "character"), Behaviour: word.Draw(t, "behaviour"), CharacterMask: word.Draw(t, "mask"), BehaviourMask: word.Draw(t, "mask 2")}
		more := c
		more.CharacterMask |= word.Draw(t, "more")
		more.BehaviourMask |= word.Draw(t, "more 2")
		all := c
		all.CharacterMask, all.BehaviourMask = ^uint64(0), ^uint64(0)
		level := rapid.SampledFrom([]power.Level{0, power.Level207, power.Level30, power.Level31}).Draw(t, "level")
		for i := range power.Capabilities {
			o := &power.Capabilities[i]
			if len(o.Rules) == 0 {
				continue
			}
			least, greatest := o.Range(&c, level)
			least2, greatest2 := o.Range(&more, level)
			if least > greatest || least2 < least || greatest2 > greatest {
				t.Errorf("%s: %d to %d, and with more known %d to %d", o.Name, least, greatest, least2, greatest2)
			}
			if low, high := o.Range(&all, power.Level30); low != high {
				t.Errorf("%s: %d to %d with all known", o.Name, low, high)
			}
		}
	})
}

// TestLadder asks a disassembler that shares no table with this package, and
// wants an instruction for each level that PCR can hide.
func TestLadder(t *testing.T) {
	want := map[string]string{
		"popcntd": "popcntd r3,r4", "bpermd": "bpermd r3,r4,r5", "mtvsrd": "mtvsrd vs3,r4", "mfvsrd": "mfvsrd r4,vs3",
		"cnttzd": "cnttzd r3,r4", "modud": "modud r3,r4,r5", "brd": "brd r3,r4", "pdepd": "pdepd r3,r4,r5", "pli": "paddi r3,r0,1,0",
	}
	var covered uint64
	for _, row := range power.Ladder {
		var code []byte
		for _, w := range row.Words {
			code = binary.LittleEndian.AppendUint32(code, w)
		}
		inst, err := ppc64asm.Decode(code, binary.LittleEndian)
		if err != nil || inst.Len != len(code) || strings.ReplaceAll(inst.String(), ", ", ",") != want[row.Mnemonic] {
			t.Errorf("%s: %v, %v", row.Mnemonic, inst, err)
		}
		covered |= power.Levels[row.Level-1].PCRBit
	}
	if hideable := power.Levels[power.Level31-1].PCRBit | power.PCRLevels&^power.Levels[power.Level205-1].PCRBit; covered != hideable {
		t.Errorf("levels %#x are covered, want %#x (%d)", covered, hideable, bits.OnesCount64(hideable))
	}
}

func TestProcessors(t *testing.T) {
	for pvr, want := range map[uint32]power.Level{0x004e1202: power.Level30, 0x00801200: power.Level31, 0x003f0200: power.Level206} {
		if p, ok := power.ProcessorOf(pvr); !ok || p.Level != want {
			t.Errorf("PVR %#x is %v", pvr, p)
		}
	}
	if p, ok := power.ProcessorOf(0x00390000); ok {
		t.Errorf("a PowerPC 970 is %v", p)
	}
	for i := range power.Processors {
		if p := &power.Processors[i]; i > 0 && p.Version <= power.Processors[i-1].Version {
			t.Errorf("%s: out of order", p.Name)
		}
	}
}

// TestExplainCharacteristics: the words are explained like registers.
func TestExplainCharacteristics(t *testing.T) {
	e, err := power.Explain("KVM_PPC_GET_CPU_CHAR.character", 0x3c40000000000001)
	if err != nil {
		t.Fatal(err)
	}
	var set []string
	for _, f := range e.Fields {
		if f.Value == 1 {
			set = append(set, f.Field.Name)
		}
	}
	if got := strings.Join(set, " "); got != "L1D_FLUSH_ORI30 L1D_FLUSH_TRIG2 L1D_THREAD_PRIV BR_HINT_HONOURED BCCTR_FLUSH_ASSIST" || e.Unknown != 1 {
		t.Errorf("%s, unknown %#x", got, e.Unknown)
	}
}
