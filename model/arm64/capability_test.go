package arm64

import (
	"errors"
	"path"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
)

// TestCapabilitiesAsKernelsAnswer: on every lab host of the catalogue, each
// capability has the value that the kernel gave, and those that the host refuses
// are refused.
func TestCapabilitiesAsKernelsAnswer(t *testing.T) {
	hosts, values := 0, 0
	for _, name := range catalog.Names() {
		emulated, ok := strings.CutPrefix(name, "qemu10-")
		if !ok {
			continue
		}
		capture, err := catalog.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		cpu, version, _ := strings.Cut(emulated, "@")
		host, err := Open(path.Join(version, cpu))
		if err != nil {
			t.Fatal(err)
		}
		if len(capture.Host.Capabilities) == 0 {
			t.Errorf("%s: records no capabilities", name)
		}
		hosts++
		for _, row := range kvmabi.Capabilities {
			is, answered := capture.Host.Capabilities[row.Name]
			got, err := host.CheckCapability(uint32(row.Capability))
			values++
			switch {
			case errors.Is(err, syscall.EINVAL) != !answered:
				t.Errorf("%s: %s: the kernel answers: %v; the model gives %v", name, row.Name, answered, err)
			case answered && (err != nil || int64(got) != is):
				t.Errorf("%s: %s is %d; the model gives %d, %v", name, row.Name, is, got, err)
			}
		}
	}
	t.Logf("%d capabilities of %d hosts", values, hosts)
	if hosts < 30 {
		t.Errorf("%d hosts of the lab in the catalogue, want 30", hosts)
	}
}

// TestCapabilityRowsAreKVMs: every row of the log is a capability by its right
// name, for a feature that exists.
func TestCapabilityRowsAreKVMs(t *testing.T) {
	for _, c := range kernel.Capabilities() {
		if _, ok := kvmabi.CapabilityByName(c.Name); !ok {
			t.Errorf("%s: not a capability", c.Name)
		}
		if (c.Rule == kernel.ForFeature) != (c.Feature != "") {
			t.Errorf("%s: rule %d with feature %q", c.Name, c.Rule, c.Feature)
		}
		known := c.Feature == ""
		for _, f := range guise.Features {
			known = known || string(f) == c.Feature
		}
		if !known {
			t.Errorf("%s: %s is no feature", c.Name, c.Feature)
		}
	}
}

const capSEAToUser kvmabi.Capability = 245

// TestCapabilitiesBetweenVersions: where the log does not say, no value is made
// up.
func TestCapabilitiesBetweenVersions(t *testing.T) {
	for _, c := range []struct {
		host       string
		capability kvmabi.Capability
		value      int
		known      bool
	}{
		{"6.7/neoverse-n1", kvmabi.CapSupportedMaskRanges, 1, true},
		{"6.6/neoverse-n1", kvmabi.CapSupportedMaskRanges, 0, true},
		{"6.6/neoverse-n1", kvmabi.CapCounterOffset, 1, true},
		{"6.3/neoverse-n1", kvmabi.CapCounterOffset, 0, true},
		{"4.15/neoverse-v1", kvmabi.CapSVE, 0, true},
		{"5.2/neoverse-v1", kvmabi.CapSVE, 1, true},
		{"4.15/neoverse-v1", kvmabi.CapPMUv3, 0, false},
		// As seen in the lab.
		{"7.2/max,kvm-arm.mode=nested", kvmabi.CapEL2, 1, true},
		{"7.2/max,kvm-arm.mode=nested", kvmabi.CapEL2E2H0, 1, true},
		{"7.2/max", kvmabi.CapEL2, 0, true},
		{"6.18/max", capSEAToUser, 0, true},
		{"6.19/neoverse-n1", capSEAToUser, 1, true},
		{"7.2/max", 9999, 0, true},
	} {
		host, err := Open(c.host)
		if err != nil {
			t.Fatal(err)
		}
		value, err := host.CheckCapability(uint32(c.capability))
		if c.known != (err == nil) || value != c.value || (err != nil && !errors.Is(err, vm.ErrNotSupported)) {
			t.Errorf("%s: %v is %d, %v; want %d, known %v", c.host, c.capability, value, err, c.value, c.known)
		}
	}
}

// TestCapabilitiesOfVMs: what only a VM answers, as seen in the lab.
func TestCapabilitiesOfVMs(t *testing.T) {
	const (
		capMSIDevID                       = "KVM_CAP_MSI_DEVID"
		capPFNMap                         = "KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED"
		neither, withFWBAlone, withFWBDIC = "neoverse-n1", "cortex-a710", "neoverse-n2"
	)
	for _, c := range []struct {
		kernel, cpu, capability string
		value                   int
	}{
		{"7.2", withFWBDIC, capMSIDevID, 0},
		{"6.16", withFWBDIC, capPFNMap, 0},
		{"6.17", withFWBDIC, capPFNMap, 1},
		{"7.2", withFWBAlone, capPFNMap, 0},
		{"7.2", neither, capPFNMap, 0},
	} {
		host, err := Open(path.Join(c.kernel, c.cpu))
		if err != nil {
			t.Fatal(err)
		}
		machine, err := host.NewVM(t.Context(), guise.Setup{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		capability, _ := kvmabi.CapabilityByName(c.capability)
		value, err := machine.(*VM).CheckCapability(uint32(capability))
		if err != nil || value != c.value {
			t.Errorf("%s: %s is %d, %v; want %d", host, c.capability, value, err, c.value)
		}
	}
}
