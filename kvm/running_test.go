package kvm

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// shown is what Linux 7.2 writes, shortened.
const shown = `        SYS_MIDR_EL1:	00000000413fd0c1
 SYS_ID_AA64PFR0_EL1:	1100000121110112
 SYS_ID_AA64PFR1_EL1:	0000000000000020
          S3_0_0_4_3:	0000000000000000
          S3_0_0_0_1:	0000000000000007
 SYS_ID_AA64DFR0_EL1:	000000f010305408
SYS_ID_AA64ISAR1_EL1:	0000000000100010
         SYS_CTR_EL0:	000000009444c004
`

func TestRunningVMs(t *testing.T) {
	debug := fstest.MapFS{
		"1234-12/idregs": {Data: []byte(shown)},
		"1234-9/idregs":  {Data: nil}, // no vCPU yet
		"12345-3/idregs": {Data: []byte("nonsense\n")},
		"78-3/vcpu0/x":   {Data: nil},
	}
	proc := fstest.MapFS{
		"1234/task/1234/comm":   {Data: nil},
		"12345/task/12345/comm": {Data: nil},
		"77/task/77/comm":       {Data: nil},
		"77/task/78/comm":       {Data: nil}, // the thread that made the VM
		"5/task/5/comm":         {Data: nil},
	}
	running, err := runningVMs(debug, proc, 1234)
	if err != nil || len(running) != 1 || running[0].Name != "1234-12" {
		t.Fatalf("%+v, %v", running, err)
	}
	c := running[0].Contract
	if c.View.Values[arm64.IDAA64PFR0EL1] != 0x1100_0001_2111_0112 || c.View.Values[arm64.MIDREL1] != 0x413f_d0c1 {
		t.Errorf("read %#x, %#x", c.View.Values[arm64.IDAA64PFR0EL1], c.View.Values[arm64.MIDREL1])
	}
	if want := []guise.Feature{guise.FeaturePAuth, guise.FeaturePMU, guise.FeatureSVE}; !slices.Equal(c.Setup.Features, want) || c.Setup.VGIC != 3 {
		t.Errorf("setup %s with vGICv%d, want %v", c.Setup.Name(), c.Setup.VGIC, want)
	}
	unknown := arm64.Encoding{Op0: 3, Op2: 1}
	if c.Extra[unknown.ID()] != 7 {
		t.Errorf("S3_0_C0_C0_1 is %#x", c.Extra[unknown.ID()])
	}
	clidr := arm64.ID(arm64.Registers[arm64.CLIDREL1].ID)
	if !slices.Contains(c.Uncontrolled, clidr) || slices.Contains(c.Absent, clidr) {
		t.Error("CLIDR_EL1, of which debugfs says nothing, is said not to exist")
	}
	if _, err := guise.ReadContract("c.json", c.Marshal()); err != nil {
		t.Errorf("what was made cannot be read: %v", err)
	}
	for pid, want := range map[int]string{
		12345: "want a register and its value",
		77:    "Linux 6.9",
		5:     "has no VM",
		6:     "there is none",
	} {
		if _, err := runningVMs(debug, proc, pid); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("process %d: %v, want an error with %q", pid, err, want)
		}
	}
}
