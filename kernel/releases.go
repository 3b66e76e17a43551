package kernel

import (
	"cmp"
	"fmt"
	"slices"
)

// A Reading is a run of point releases of one series whose source was read: every
// one from First to Last.
type Reading struct{ First, Last Version }

// readings are the source trees that rows of the log were seen in, or not seen.
// 5.5, 5.14 and 5.17 were read as release candidates too, and 6.15 only in part.
var readings = func() []Reading {
	trees := []string{
		"4.15.1", "4.16.13", "4.17.0", "4.19.13", "4.20.1", "5.0.0", "5.1.15", "5.2.1", "5.3.1", "5.4.18", "5.6.4", "5.7.14", "5.8.1", "5.9.1",
		"5.10.7", "5.11.14", "5.12.9", "5.14.2", "5.16.10", "5.18.12", "5.19.0", "6.0.1", "6.2.1", "6.3.8", "6.4.6", "6.5.0",
		"6.7.3", "6.8.0", "6.9.0", "6.10.0", "6.11.11", "6.12.117", "6.13.7", "6.14.0", "6.1.192", "6.18.35",
	}
	all := []Reading{
		{must("5.10.35"), must("5.10.265")}, {must("5.15.0"), must("5.15.215")}, {must("6.1.0"), must("6.1.166")},
		{must("6.6.0"), must("6.6.150")}, {must("6.12.10"), must("6.12.33")},
	}
	for _, tree := range trees {
		all = append(all, Reading{must(tree), must(tree)})
	}
	slices.SortFunc(all, func(a, b Reading) int { return a.First.Compare(b.First) })
	return all
}()

// String gives "6.8.0" or "6.6.0 to 6.6.150".
func (r Reading) String() string {
	if r.First == r.Last {
		return r.First.String()
	}
	return fmt.Sprintf("%v to %v", r.First, r.Last)
}

// Release is what is known of a series, and how.
type Release struct {
	// Series is the version without a point release.
	Series Version
	// Booted are its point releases that the log was held against in the lab, and
	// Read those whose source was read. Of a series with neither the log knows what
	// the releases before and after it share, and what texts say.
	Booted []Version
	Read   []Reading
	// Cuts are the point releases by which something changed that guests or VMMs
	// notice, ascending. Answers are definite where the version names a point
	// release, or where there are none.
	Cuts []Cut
	// Open are the entries of the log of which nobody knows whether some point
	// release of the series has them.
	Open []Entry
}

// Cut is a point release by which something changed.
type Cut struct {
	Version Version
	// Exact: it came with this very release, not with one between the cut before
	// it and this one.
	Exact   bool
	Changes []Entry
}

// Basis says how a series is known, best first.
type Basis uint8

// How a series is known.
const (
	// ByBoot: a kernel of the series was booted and answered.
	ByBoot Basis = iota
	// BySource: its source was read.
	BySource
	// ByNeighbours: it lies between releases that were, and has what both have.
	ByNeighbours
)

func (b Basis) String() string { return [...]string{"booted", "source", "bracket"}[b] }

// Basis says how the series is known.
func (r *Release) Basis() Basis {
	switch {
	case len(r.Booted) > 0:
		return ByBoot
	case len(r.Read) > 0:
		return BySource
	}
	return ByNeighbours
}

// lastOf is the last series of each major version that is finished.
var lastOf = map[uint16]uint16{4: 20, 5: 19, 6: 19}

// Releases returns every series from the oldest to the newest that is known.
func Releases() []Release {
	var all []Release
	for v := Early[0].Series(); v.Compare(Newest) <= 0; {
		all = append(all, About(v))
		if last, finished := lastOf[v.Major]; finished && v.Minor == last {
			v = Version{Major: v.Major + 1}
		} else {
			v.Minor++
		}
	}
	return all
}

// About returns what is known of the series of a version.
func About(v Version) Release {
	r := Release{Series: v.Series()}
	for _, b := range Booted {
		if b.Version.Series() == r.Series {
			r.Booted = append(r.Booted, b.Version)
		}
	}
	for _, reading := range readings {
		if reading.First.Series() == r.Series {
			r.Read = append(r.Read, reading)
		}
	}
	var points []int
	for _, s := range logSpans() {
		points = append(points, s.points(r.Series)...)
	}
	slices.Sort(points)
	points = slices.Compact(points)
	before := r.Series.at(0)
	for _, point := range points {
		cut := Cut{Version: r.Series.at(point), Changes: settled(before, r.Series.at(point))}
		if len(cut.Changes) == 0 {
			continue // where a bracket begins, or an update that perhaps has it
		}
		cut.Exact = len(settled(r.Series.at(point-1), cut.Version)) == len(cut.Changes)
		before = cut.Version
		r.Cuts = append(r.Cuts, cut)
	}
	for _, e := range allEntries() {
		for _, point := range append([]int{0, lastPoint - 1}, points...) {
			if _, known := within(e.since, e.until, r.Series.at(point)); !known {
				r.Open = append(r.Open, e.Entry)
				break
			}
		}
	}
	return r
}

// settled is what certainly changes from one version to a later one.
func settled(from, to Version) []Entry {
	return slices.DeleteFunc(Between(from, to), func(e Entry) bool { return !e.Settled })
}

// VendorKernel is how the kernels of a vendor are answered.
type VendorKernel struct {
	Name string
	// Marks are parts of a release (uname -r) by which they are recognised.
	Marks []string
	// Rebased: they only begin with the release that they are named after, and no
	// answer about that release is given for them.
	Rebased bool
	// Known is what is known of how they deviate; "" where nothing is.
	Known string
}

// Vendors returns the vendors whose kernels are recognised, by name.
func Vendors() []VendorKernel {
	var all []VendorKernel
	for _, v := range vendors {
		all = append(all, VendorKernel{v.Name, slices.Clone(v.marks), v.rebased, v.means})
	}
	slices.SortFunc(all, func(a, b VendorKernel) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
