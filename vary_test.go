package guise_test

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
)

// everyVary names every register and every field, as --vary takes them.
func everyVary() []string {
	names := []string{"identity"}
	for place := range arm64.Registers {
		register := &arm64.Registers[place]
		names = append(names, register.Name)
		if e, ok := arm64.ID(register.ID).Encoding(); ok && e.String() != register.Name {
			names = append(names, e.String())
		}
		for i := range register.Fields {
			names = append(names, register.Name+"."+register.Fields[i].Name)
		}
	}
	return names
}

// TestEveryVary: whatever varies, the contract that baseline then writes reads
// again as itself and the host takes it; the registers of which nothing may vary
// are refused by any of their names.
func TestEveryVary(t *testing.T) {
	captures := catalogCaptures(t)
	names := everyVary()
	var next, contracts, refused atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(captures)*len(names)); i = next.Add(1) - 1 {
				capture, name := captures[i/int64(len(names))], names[i%int64(len(names))]
				result, err := guise.Baseline([]*guise.Capture{capture}, &guise.Policy{Vary: []string{name}})
				never := strings.HasPrefix(name, "DCZID_EL0") || strings.HasPrefix(name, "S3_3_C0_C0_7")
				if (err != nil) != never {
					t.Errorf("%s, %s varies: %v", capture.Name, name, err)
				}
				if err != nil {
					refused.Add(1)
					continue
				}
				if result.Contract == nil {
					t.Errorf("%s, %s varies: %v: %+v", capture.Name, name, result.Verdict, result.Findings)
					continue
				}
				contracts.Add(1)
				data := result.Contract.Marshal()
				again, err := guise.ReadContract("c.json", data)
				if err != nil || string(again.Marshal()) != string(data) {
					t.Errorf("%s, %s varies: what was written reads as another: %v", capture.Name, name, err)
					continue
				}
				if v := guise.Check(again, capture, guise.VMMNone); v.Verdict != guise.Yes {
					t.Errorf("%s, %s varies: the host itself: %v: %+v", capture.Name, name, v.Verdict, v.Findings)
				}
			}
		})
	}
	all.Wait()
	testenv.Figure(t, "--vary of every register and field on %d hosts: %d contracts, each read again and taken; %d refused", len(captures), contracts.Load(), refused.Load())
}

// TestVaryOfAField leaves the rest of the register as it is.
func TestVaryOfAField(t *testing.T) {
	capture := load(t, "qemu10-neoverse-n1@6.12")
	midr := capture.Setups[0].View.Values[arm64.MIDREL1]
	contract := baseline(t, &guise.Policy{Vary: []string{"MIDR_EL1.Revision"}}, capture).Contract
	if got, want := contract.View.Values[arm64.MIDREL1], midr&^0xf; got != want || contract.Vary[arm64.MIDREL1] != 0xf {
		t.Errorf("MIDR_EL1 %#x, varies %#x; want %#x and 0xf", got, contract.Vary[arm64.MIDREL1], want)
	}
}

func catalogCaptures(t *testing.T) []*guise.Capture {
	t.Helper()
	var captures []*guise.Capture
	for _, name := range catalog.Names() {
		captures = append(captures, load(t, name))
	}
	return captures
}

// TestVariedFieldsAreNamed: check says by name what may change when a VM moves.
func TestVariedFieldsAreNamed(t *testing.T) {
	host := load(t, "graviton2@6.18")
	for _, test := range []struct {
		vary []string
		want []string
	}{
		{[]string{"ID_AA64MMFR2_EL1.EVT", "ID_AA64MMFR2_EL1.FWB"}, []string{"ID_AA64MMFR2_EL1.EVT", "ID_AA64MMFR2_EL1.FWB"}},
		{[]string{"ID_AA64MMFR2_EL1"}, []string{"ID_AA64MMFR2_EL1"}},
		{nil, nil},
	} {
		result, err := guise.Baseline([]*guise.Capture{host}, &guise.Policy{Vary: test.vary})
		if err != nil {
			t.Fatal(err)
		}
		verdict := guise.Check(result.Contract, host, guise.VMMNone)
		var got []string
		for i := range verdict.Findings {
			f := &verdict.Findings[i]
			if got = append(got, f.Name()); f.Kind != guise.KindVaries || f.Wanted != "" || verdict.Verdict != guise.Yes {
				t.Errorf("%v: %+v", test.vary, f)
			}
		}
		if slices.Sort(got); !slices.Equal(got, test.want) {
			t.Errorf("%v: got %q, want %q", test.vary, got, test.want)
		}
	}
	// Bits that are no field's, and a part of a field.
	result, err := guise.Baseline([]*guise.Capture{host}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const bits = 0b110<<28 | 1<<1
	result.Contract.Vary[arm64.MIDREL1] = bits
	result.Contract.View.Values[arm64.MIDREL1] &^= bits
	mvfr2, _ := arm64.Place("MVFR2_EL1")
	result.Contract.Vary[mvfr2] = 0xf << 8
	var got []string
	for _, f := range guise.Check(result.Contract, host, guise.VMMNone).Findings {
		if f.Kind == guise.KindVaries {
			got = append(got, f.Name())
		}
	}
	if want := []string{"MIDR_EL1.Implementer", "MIDR_EL1.Revision", "MVFR2_EL1.[11:8]"}; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestUnnamedRegistersHaveTheirNames: registers outside the table are called as the
// architecture calls them.
func TestUnnamedRegistersHaveTheirNames(t *testing.T) {
	contract, err := guise.Baseline([]*guise.Capture{load(t, "qemu10-neoverse-n1@6.12")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range guise.Check(contract.Contract, load(t, "qemu10-neoverse-n1@7.2"), guise.VMMQEMU).Findings {
		got = append(got, f.Register)
	}
	for _, want := range []string{"TCR2_EL1", "PIR_EL1", "PIRE0_EL1"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	for _, name := range got {
		if strings.HasPrefix(name, "S3_") {
			t.Errorf("%s has no name", name)
		}
	}
}
