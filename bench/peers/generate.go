package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// varied are fields in which the generated hosts differ: 0, 1 or 2, which every
// host can show up to its own. 3 to the power of their number is far above
// 10,000.
var varied = []struct{ register, field string }{
	{"ID_AA64ISAR0_EL1", "AES"}, {"ID_AA64ISAR0_EL1", "SHA2"}, {"ID_AA64ISAR0_EL1", "TLB"}, {"ID_AA64ISAR0_EL1", "TS"},
	{"ID_AA64ISAR1_EL1", "DPB"}, {"ID_AA64ISAR1_EL1", "LRCPC"}, {"ID_AA64ISAR1_EL1", "BF16"},
	{"ID_AA64MMFR1_EL1", "HAFDBS"}, {"ID_AA64MMFR1_EL1", "PAN"}, {"ID_AA64MMFR2_EL1", "BBM"}, {"ID_AA64PFR1_EL1", "BT"}, {"ID_AA64PFR1_EL1", "SSBS"},
}

// writeCaptures writes n captures that all differ and have a contract, each to
// a file of its own, and returns the files' names. Whole captures are as "guise
// capture" writes them (18 kB); others leave out the register list and the
// white space (7 kB).
func writeCaptures(directory string, n int, whole bool) ([]string, error) {
	base, err := catalog.Load("graviton2@6.18")
	if err != nil {
		return nil, err
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("host%05d.json", i)
		data := unlike(base, i, whole).Marshal()
		if !whole {
			var compact bytes.Buffer
			if err := json.Compact(&compact, data); err != nil {
				return nil, err
			}
			data = compact.Bytes()
		}
		if err := os.WriteFile(filepath.Join(directory, names[i]), data, 0o644); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// unlike makes host number i.
func unlike(base *guise.Capture, i int, whole bool) *guise.Capture {
	c := *base
	setup := base.Setups[0]
	offers := *setup.Offers
	for _, v := range varied {
		place, _ := arm64.Place(v.register)
		first, end := arm64.SlotsOf(place)
		for slot := first; slot < end; slot++ {
			if _, field := arm64.Slots[slot].Describe(); field.Name == v.field {
				limit := uint64(i % 3)
				setup.View.Put(place, field.Put(setup.View.Values[place], limit))
				offers.PutSet(slot, isa.Range(0, limit))
			}
		}
		i /= 3
	}
	if !whole {
		setup.Listed = nil
	}
	setup.Offers, setup.Accepts, setup.AssumedKernel = &offers, guise.Tried, ""
	c.Setups = []guise.CapturedSetup{setup}
	return &c
}

// x86Features are names of CPU features that libvirt knows and the model below
// does not have.
var x86Features = strings.Fields("vme ss ht tm pbe dtes64 monitor ds_cpl vmx est tm2 xtpr pdcm pcid dca tsc-deadline osxsave f16c rdrand arat fsgsbase bmi1 avx2")

// writeX86 writes n x86 CPUs that all differ to one file, the form that virsh
// takes them in.
func writeX86(file string, n int) error {
	var b bytes.Buffer
	for i := range n {
		b.WriteString("<cpu>\n  <arch>x86_64</arch>\n  <model>Westmere</model>\n  <vendor>Intel</vendor>\n  <topology sockets='1' dies='1' cores='4' threads='1'/>\n")
		for bit, name := range x86Features {
			if bit >= 15 || i>>bit&1 != 0 {
				fmt.Fprintf(&b, "  <feature name='%s'/>\n", name)
			}
		}
		b.WriteString("</cpu>\n")
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}
