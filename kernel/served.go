package kernel

import "github.com/guise-project/guise/isa/arm64"

// unasked are the bits of the hypercall bitmaps, and the behaviour that is a kernel
// serving what the bit is of. VENDOR_HYP_BMAP_2 came with its services.
var unasked = []struct {
	place int
	field string
	does  Behaviour
}{
	{arm64.STDBMAP, "TRNG_V1_0", ServesTRNG},
	{arm64.STDHYPBMAP, "PV_TIME", ServesPVTime},
	{arm64.VENDORHYPBMAP, "FUNC_FEAT", ServesVendor},
	{arm64.VENDORHYPBMAP, "PTP", ServesVendor},
}

// ServedUnasked returns, as the bits of a hypercall bitmap, what this version serves
// every guest because it does not have the register. It is 0 for a version that has it.
func (p *Profile) ServedUnasked(place int) uint64 {
	var bits uint64
	if p.Has(place) {
		return 0
	}
	for _, u := range unasked {
		if u.place == place && p.Does(u.does) {
			bits |= arm64.Registers[place].Field(u.field).Mask()
		}
	}
	return bits
}

// ServedUnasked returns what a kernel of the version serves every guest in place of a
// hypercall bitmap that it does not have, as bits of that. known is false where the
// log leaves that open, or whether it has the register, and where it does not speak
// of the version.
func ServedUnasked(v Version, place int) (bits uint64, known bool) {
	profiles, err := Possible(v)
	if err != nil {
		return 0, false
	}
	for i, p := range profiles {
		if p.Has(place) || i > 0 && p.ServedUnasked(place) != bits {
			return 0, false
		}
		bits = p.ServedUnasked(place)
	}
	return bits, true
}
