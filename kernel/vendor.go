package kernel

import (
	"fmt"
	"strings"
)

// Vendor is whose build of Linux a kernel is.
type Vendor uint8

const (
	// Mainline: Linux as it is released, or nothing told otherwise.
	Mainline Vendor = iota
	Debian
	Ubuntu
	Amazon
	Android
	RHEL
	OpenEuler
	SUSE
	OracleUEK
	OtherVendor
)

// vendorKernels is how a release tells whose kernel it is, and what that means.
type vendorKernels struct {
	Vendor Vendor
	Name   string
	// marks are parts of a release; one of them is enough.
	marks []string
	// numbered: the third number of the release is never, or only where it is not
	// 0, the point release.
	never, zero bool
	// rebased: it begins with the release that it names, and then is another.
	rebased bool
	// means is what is known of its deviations.
	means string
}

// vendors in the order in which releases are held against them.
var vendors = []vendorKernels{
	{Vendor: OracleUEK, Name: "Oracle's UEK", marks: []string{".el8uek", ".el9uek", ".el10uek", "uek."}, never: true, rebased: true},
	{Vendor: RHEL, Name: "RHEL's kernel", marks: []string{".el7", ".el8", ".el9", ".el10"}, never: true, rebased: true,
		means: "RHEL 9.2 (5.14.0-284) is like 6.0 in what VMs are given, with the hypercall bitmaps, PSCI 1.1 and OSLSR_EL1 listed, but without TIDCP1 and arm64.nosve; RHEL 8.5 (4.18.0-348) is like 5.9 with parts of 5.11 to 5.13"},
	{Vendor: OpenEuler, Name: "openEuler's kernel", marks: []string{".oe1", ".oe2"}, never: true, rebased: true,
		means: "openEuler 22.03 (5.10) keeps the ID registers of each vCPU as userspace writes them, any value, and never freezes them"},
	{Vendor: SUSE, Name: "SUSE's kernel", marks: []string{"-default", "-64kb"}, never: true, rebased: true},
	{Vendor: OtherVendor, Name: "a vendor's kernel", marks: []string{".an7", ".an8", ".an23", ".al7", ".al8", ".tl2", ".tl3", ".tl4", ".ky10", ".uel20", ".fc"}, rebased: true},
	{Vendor: Amazon, Name: "Amazon Linux", marks: []string{".amzn2"}, means: "the stable series; its 5.10 and 6.1 list the physical timer, as 6.4 does; its 6.1 hides CCIDX, as 6.3 does, and leaves caches the CPU's"},
	{Vendor: Android, Name: "Android's kernel", marks: []string{"-android"}, means: "VMs that are not protected are given what the stable series gives"},
	{Vendor: Debian, Name: "Debian's kernel", marks: []string{"+deb", "-arm64", "-arm64-16k", "-cloud-arm64", "-rt-arm64"}, zero: true, means: "the stable series as it is"},
	{Vendor: Ubuntu, Name: "Ubuntu's kernel", marks: []string{"-generic", "-lowlatency", "-aws", "-azure", "-gcp", "-oracle", "-raspi", "-kvm", "-nvidia", "-virtual"}, zero: true,
		means: "6.8.0-31 and 6.11.0-19 are identical to 6.8 and 6.11 in what VMs are given; later builds pick updates one by one, which their releases do not tell"},
}

// String gives what the kernel is called: "RHEL's kernel", "Linux".
func (v Vendor) String() string {
	for i := range vendors {
		if vendors[i].Vendor == v {
			return vendors[i].Name
		}
	}
	return "Linux"
}

// Known says what is known of how the vendor's kernels deviate from the series
// that they are named after; "" where nothing is.
func (v Vendor) Known() string {
	for i := range vendors {
		if vendors[i].Vendor == v {
			return vendors[i].means
		}
	}
	return ""
}

// Rebased reports whether the vendor's kernels only begin with the release that
// they are named after, so that the log does not speak of them.
func (v Vendor) Rebased() bool {
	for i := range vendors {
		if vendors[i].Vendor == v {
			return vendors[i].rebased
		}
	}
	return false
}

// vendorOf finds whose kernel a release is.
func vendorOf(release string) *vendorKernels {
	for i := range vendors {
		for _, mark := range vendors[i].marks {
			if strings.Contains(release, mark) {
				return &vendors[i]
			}
		}
	}
	return &vendorKernels{}
}

// hidesPoint says whether the third number of a release, and what follows it, does
// not tell the point release: "6.8.0-63" is some 6.8.
func (k *vendorKernels) hidesPoint(rest string, third uint64) bool {
	build := strings.HasPrefix(rest, "-") && len(rest) > 1 && '0' <= rest[1] && rest[1] <= '9'
	return k.never || k.Vendor != Mainline && third == 0 || third == 0 && build
}

// VendorError is why there is no profile of a vendor's kernel.
type VendorError struct{ Version Version }

func (e *VendorError) Error() string {
	text := fmt.Sprintf("kernel %v: %v is derived from %v, which it only begins with: no profile", e.Version, e.Version.Vendor, e.Version.Series())
	if known := e.Version.Vendor.Known(); known != "" {
		text += "; known: " + known
	}
	return text + "; capture the host itself"
}
