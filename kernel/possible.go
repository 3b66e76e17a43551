package kernel

import (
	"reflect"
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// world is one of the kernels that a version may be: a point release, and of each
// change that is open there whether it came before.
type world struct {
	version Version
	// open are the spans that are not settled, and present which of them the
	// kernel has. Entries of one change share a span; independent changes that
	// happen to have equal spans are told apart by nobody, see openSpans.
	open    []Span
	present uint64
}

// newWorld is the kernel that has no entry of which it is not known whether it does.
func newWorld(v Version) *world { return &world{version: v} }

// reached says whether the world's kernel is past a span.
func (w *world) reached(s Span) bool {
	in, known := s.In(w.version)
	if known {
		return in
	}
	i := slices.Index(w.open, s)
	return i >= 0 && w.present>>i&1 != 0
}

// has says whether an entry of the log is in the kernel.
func (w *world) has(since, until Span) bool {
	return w.reached(since) && (until == (Span{}) || !w.reached(until))
}

// logSpans are all spans of the log but those of capabilities, each once.
func logSpans() []Span {
	var spans []Span
	add := func(all ...Span) {
		for _, s := range all {
			if s != (Span{}) && !slices.Contains(spans, s) {
				spans = append(spans, s)
			}
		}
	}
	for _, c := range Changes() {
		add(c.Since, c.Until)
	}
	for _, l := range Listings() {
		add(l.Since, l.Until)
	}
	for _, b := range behaviours {
		add(b.Since, b.Until)
	}
	for _, r := range maskRanges {
		add(r.Since, r.Until)
	}
	return spans
}

// worlds returns the kernels that a version may be: each point release of a series
// at which something changes, where the version names none, with each choice of
// what is open.
func worlds(v Version) []*world {
	spans := logSpans()
	releases := []Version{v}
	if v.point == 0 {
		points := []int{0, lastPoint - 1}
		for _, s := range spans {
			points = append(points, s.points(v)...)
		}
		slices.Sort(points)
		releases = nil
		for _, point := range slices.Compact(points) {
			releases = append(releases, v.at(point))
		}
	}
	var all []*world
	for _, release := range releases {
		var open []Span
		for _, s := range spans {
			if _, known := s.In(release); !known {
				open = append(open, s)
			}
		}
		for present := range uint64(1) << len(open) {
			all = append(all, &world{release, open, present})
		}
	}
	return all
}

// Possible returns a profile for each kernel that a version may be, as far as the
// log tells: one where nothing is open. An answer that they do not share is not
// known. It fails as At does.
func Possible(v Version) ([]*Profile, error) {
	if err := supported(v); err != nil {
		return nil, err
	}
	if p, ok := possible.Load(v); ok {
		return p.([]*Profile), nil
	}
	var found []*Profile
	for _, w := range worlds(v) {
		found = append(found, build(w, nil, nil))
	}
	stored, _ := possible.LoadOrStore(v, found)
	return stored.([]*Profile), nil
}

// Offers returns what a host of the version certainly takes and a guest then sees,
// and what it possibly does. Where the log leaves nothing open the two are equal.
func Offers(v Version, view *arm64.View, vm VM) (certain, maybe arm64.Offers, err error) {
	profiles, err := Possible(v)
	if err != nil {
		return certain, maybe, err
	}
	has, known := HasAArch32(view, vm)
	if len(profiles) == 1 && known {
		certain = profiles[0].offers(view, vm, has)
		return certain, certain, nil
	}
	var all []arm64.Offers
	for _, p := range profiles {
		all = append(all, p.offers(view, vm, has && known))
		if !known {
			all = append(all, p.offers(view, vm, true))
		}
	}
	certain = all[0]
	maybe = certain
	for _, offers := range all[1:] {
		for place := range arm64.Registers {
			_, free := offers.Rest(place)
			if _, always := certain.Rest(place); always && !free {
				sets := certain
				certain.CopyAt(place, &offers)
				first, end := arm64.SlotsOf(place)
				for slot := first; slot < end; slot++ {
					certain.PutSet(slot, sets.Set(slot))
				}
			}
			if free {
				maybe.Free(place)
			}
		}
		for slot := range arm64.Slots {
			certain.PutSet(slot, certain.Set(slot)&offers.Set(slot))
			maybe.PutSet(slot, maybe.Set(slot)|offers.Set(slot))
		}
	}
	return certain, maybe, nil
}

// Distinct leaves out profiles that are like one before them in what VMs are shown,
// in what they take and list, and in some behaviours.
func Distinct(profiles []*Profile, behaviours []Behaviour) []*Profile {
	var mask uint64
	for _, b := range behaviours {
		mask |= 1 << b
	}
	var distinct []*Profile
	for _, p := range profiles {
		same := func(q *Profile) bool {
			return p.slots == q.slots && p.free == q.free && p.identity == q.identity && p.absent == q.absent &&
				p.aarch32 == q.aarch32 && p.behaviours&mask == q.behaviours&mask && reflect.DeepEqual(p.limits, q.limits) &&
				reflect.DeepEqual(p.listings, q.listings) && reflect.DeepEqual(p.protected, q.protected)
		}
		if !slices.ContainsFunc(distinct, same) {
			distinct = append(distinct, p)
		}
	}
	return distinct
}
