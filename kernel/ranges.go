package kernel

// MaskRange is an entry of the change log about a range of registers for which
// KVM_ARM_GET_REG_WRITABLE_MASKS tells what can be written. Every kernel known
// has range 0 at most; the interface has room for more, and a VMM that meets one
// it does not know has no means to learn what is in it.
type MaskRange struct {
	Index        uint8
	Since, Until Span
	Text         string
	// Masks are the range's words that are not 0, by their place; nil for range
	// 0, whose words are those of Reported.
	Masks map[int]uint64
}

var maskRanges = []MaskRange{
	{Index: 0, Since: in("6.7"), Text: "KVM_ARM_GET_REG_WRITABLE_MASKS, of the feature ID registers: S3_{0,1,3}_C0_C{0-7}_{0-7}"},
}

// In says whether the entry holds in a kernel of version v: yes, no, or not
// known.
func (r *MaskRange) In(v Version) (in, known bool) { return within(r.Since, r.Until, v) }

// MaskRanges is the bitmap of ranges that this version reports
// (KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES).
func (p *Profile) MaskRanges() uint64 {
	var bitmap uint64
	for i := range p.ranges {
		bitmap |= 1 << p.ranges[i].Index
	}
	return bitmap
}

// KnownMaskRanges is the bitmap of the ranges that any version reports.
func KnownMaskRanges() uint64 {
	var bitmap uint64
	for i := range maskRanges {
		bitmap |= 1 << maskRanges[i].Index
	}
	return bitmap
}

// MaskRange returns a range that this version reports, or nil.
func (p *Profile) MaskRange(index uint32) *MaskRange {
	for i := range p.ranges {
		if uint32(p.ranges[i].Index) == index {
			return &p.ranges[i]
		}
	}
	return nil
}

// Paper returns the profile of a version that nobody released: that of v, with
// further entries.
func Paper(v Version, changes []Change, ranges []MaskRange) (*Profile, error) {
	if err := supported(v); err != nil {
		return nil, err
	}
	return build(newWorld(v), changes, ranges), nil
}
