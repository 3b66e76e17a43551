package guise

import (
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// whoCanGive says who could have a host show a member of a slot that it does not
// take: nobody, as the VM is made without what would show it; nobody, as it is more
// than this CPU and its kernel show; or a kernel that lets the field be changed.
func whoCanGive(slot int, wanted uint64, on *CapturedSetup, release string) string {
	register, field := arm64.Slots[slot].Describe()
	shown, known := arm64.Slots[slot].Extract(on.View.Values[arm64.Slots[slot].Register])
	if known && isa.Exceeds(field, wanted, shown) {
		if feature := FeatureDeciding(register.Name, field.Name); feature != "" && !on.Has(feature) {
			return "nobody: the VM is made without " + feature.title()
		}
		return "nobody: this CPU and kernel show no more"
	}
	if since, ok := newerKernel(slot, release); ok {
		return since
	}
	return "nobody"
}

// newerKernel says since which kernel a field can be changed, where that is not so
// on a kernel release; false where no known kernel changes it, where that one does
// already, and where nobody knows.
func newerKernel(slot int, release string) (string, bool) {
	since, ok := kernel.WritableSince(slot)
	if !ok {
		return "", false
	}
	version, err := kernel.ParseVersion(release)
	if in, known := since.In(version); err != nil || !known || in || version.Vendor.Rebased() {
		return "", false
	}
	return "Linux " + since.String() + " and later", true
}
