package arm64

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

// moved saves a VM of a setup on one host and restores it on another.
func moved(t *testing.T, from, to, setup string) (refused []Refusal, unknown, kept []arm64.ID) {
	t.Helper()
	s := setupNamed(setup)
	var vms [2]*VM
	for i, name := range []string{from, to} {
		host, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if vms[i], err = host.newVM(&s, 1); err != nil {
			t.Fatal(err)
		}
	}
	if vms[0].kvm.SVE {
		if err := vms[0].Finalize(0); err != nil {
			t.Fatal(err)
		}
	}
	snapshot, err := vms[0].Save(0)
	if err != nil {
		t.Fatal(err)
	}
	refused, err = vms[1].Restore(0, snapshot)
	if err != nil {
		t.Fatal(err)
	}
	vms[1].vcpus[0].finalised = true
	list, err := vms[1].List(0)
	if err != nil {
		t.Fatal(err)
	}
	unknown, kept = snapshot.Unlisted(list)
	return refused, unknown, kept
}

// TestMoves: what is refused between pairs of hosts, as lab kernels refuse it and
// as QEMU between them reports. VMs use all that their first host gave.
func TestMoves(t *testing.T) {
	for _, c := range []struct {
		from, to, setup string
		refused         string // registers and errnos
		unknown, kept   string
	}{
		{"6.12/neoverse-n1", "6.12/neoverse-n1", "base", "", "", ""},
		{"6.12/neoverse-v1", "6.12/neoverse-v1", "pauth+pmu+sve", "", "", ""},
		// QEMU: "Failed to load cpu:cpreg_vmstate_array_len".
		{"6.12/neoverse-n1", "7.2/neoverse-n1", "base", "S3_0_C2_C0_3 ENOENT, S3_0_C10_C2_2 ENOENT, S3_0_C10_C2_3 ENOENT",
			"S3_0_C2_C0_3 S3_0_C10_C2_2 S3_0_C10_C2_3", "VENDOR_HYP_BMAP_2"},
		// QEMU: "Failed to put registers after init: Invalid argument".
		{"7.2/neoverse-n1", "6.12/neoverse-n1", "base", "PSCI_VERSION EINVAL, VENDOR_HYP_BMAP_2 ENOENT",
			"VENDOR_HYP_BMAP_2", "S3_0_C2_C0_3 S3_0_C10_C2_2 S3_0_C10_C2_3"},
		// The host's own NV is taken, and stored as 0.
		{"6.12/neoverse-v1", "7.2/neoverse-v1", "base", "S3_0_C2_C0_3 ENOENT, S3_0_C10_C2_2 ENOENT, S3_0_C10_C2_3 ENOENT",
			"S3_0_C2_C0_3 S3_0_C10_C2_2 S3_0_C10_C2_3", "VENDOR_HYP_BMAP_2"},
		{"7.2/neoverse-v1", "6.12/neoverse-v1", "base", "ID_AA64MMFR2_EL1 EINVAL, PSCI_VERSION EINVAL, VENDOR_HYP_BMAP_2 ENOENT",
			"VENDOR_HYP_BMAP_2", "S3_0_C2_C0_3 S3_0_C10_C2_2 S3_0_C10_C2_3"},
		{"5.10/neoverse-n1", "6.1/neoverse-n1", "base", "*ID_AA64DFR0_EL1 EINVAL", "", "*STD_BMAP"},
		// What newer kernels show, an older one does not take: nothing can be
		// lowered there.
		{"6.12/neoverse-n1", "6.1/neoverse-n1", "base", "*ID_AA64DFR0_EL1 EINVAL", "", ""},
		// Other silicon: identity, and what nobody can change.
		{"7.2/neoverse-v1", "7.2/neoverse-n1", "base", "*MIDR_EL1 EINVAL", "", ""},
		{"7.2/neoverse-v1", "7.2/neoverse-n1", "base", "*ID_AA64MMFR2_EL1 EINVAL", "", ""},
	} {
		refused, unknown, kept := moved(t, c.from, c.to, c.setup)
		var words []string
		for _, r := range refused {
			words = append(words, r.ID.String()+" "+map[syscall.Errno]string{2: "ENOENT", 22: "EINVAL", 16: "EBUSY", 1: "EPERM"}[r.Errno])
		}
		check := func(what, want string, got []string, separator string) {
			t.Helper()
			if part, ok := strings.CutPrefix(want, "*"); ok {
				if !slices.Contains(got, part) {
					t.Errorf("%s to %s: %s %q, want %q among them", c.from, c.to, what, got, part)
				}
				return
			}
			wanted := strings.Split(want, separator)
			if want == "" {
				wanted = nil
			}
			slices.Sort(wanted)
			got = slices.Clone(got)
			slices.Sort(got)
			if !slices.Equal(wanted, got) {
				t.Errorf("%s to %s: %s %q, want %q", c.from, c.to, what, got, wanted)
			}
		}
		check("refused", c.refused, words, ", ")
		if c.unknown != "" || c.refused == "" {
			check("not listed there", c.unknown, names(unknown), " ")
			check("only listed there", c.kept, names(kept), " ")
		}
	}
}

func names(ids []arm64.ID) []string {
	var words []string
	for _, id := range ids {
		words = append(words, id.String())
	}
	return words
}
