package isa

// Accepts returns the values of a field of at most four bits that a host takes
// whose limit for it is the given value, where the field can be written at all:
// a value is taken if it equals the limit or if the field's rule, applied to
// value and limit, gives the value (Linux 7.2, arch/arm64/kvm/sys_regs.c,
// arm64_check_features).
func Accepts(f *Field, limit uint64) Set {
	var s Set
	for value := range uint64(1) << min(f.Width, 4) {
		if accepts(f, value, limit) {
			s |= Only(value)
		}
	}
	return s
}

func accepts(f *Field, value, limit uint64) bool {
	if value == limit {
		return true
	}
	switch f.Order {
	case Lower, Floor, Subset:
		return f.Compare(value, limit) <= 0
	case Higher:
		return f.Compare(value, limit) >= 0
	case HigherOrZero:
		return value == 0 || (limit != 0 && f.Compare(value, limit) > 0)
	default:
		return value == f.Safe
	}
}

// Choose returns the greatest member of a set by the field's order: the one
// that gives a guest the most. It returns false for an empty set.
func Choose(f *Field, s Set) (value uint64, ok bool) {
	for candidate := range uint64(16) {
		if s.Has(candidate) && (!ok || prefers(f, candidate, value)) {
			value, ok = candidate, true
		}
	}
	return value, ok
}

// prefers reports whether value gives a guest more than other.
func prefers(f *Field, value, other uint64) bool {
	switch f.Order {
	case Higher:
		return f.Compare(value, other) < 0
	case HigherOrZero:
		return other == 0 || (value != 0 && value < other)
	case Exact:
		// All that two hosts can share beside an equal limit is the safe value.
		return other == f.Safe
	default:
		return f.Compare(value, other) > 0
	}
}

// ChooseWithin is Choose among the members that give a guest no more than bound
// does; where there are none, among all.
func ChooseWithin(f *Field, s Set, bound uint64) (value uint64, ok bool) {
	var within Set
	for _, candidate := range s.Values() {
		if !Exceeds(f, candidate, bound) {
			within |= Only(candidate)
		}
	}
	if within == 0 {
		within = s
	}
	return Choose(f, within)
}

// Exceeds reports whether a value gives a guest more than another does.
func Exceeds(f *Field, value, other uint64) bool { return value != other && prefers(f, value, other) }
