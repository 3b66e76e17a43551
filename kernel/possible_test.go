package kernel

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// The oracle of these tests knows the rows of the log alone: of a change, the release
// that has it, the one before which has not, and the updates.

// oracleIn says whether a point release of a series has a change: yes, no, or nobody
// knows.
func oracleIn(s Span, v Version, point int) (in, known bool) {
	older := func(a, b Version) bool {
		return a.Major < b.Major || a.Major == b.Major && a.Minor < b.Minor
	}
	if s.By == (Version{}) {
		return false, true // there is no such change
	}
	if !older(v, s.By) {
		return true, true
	}
	for _, b := range s.Backports {
		if b.By == (Version{}) || b.By.Major != v.Major || b.By.Minor != v.Minor {
			continue
		}
		if b.By.Vendor != Mainline && v.Vendor != b.By.Vendor {
			continue // a patch that others do not have
		}
		first, _ := b.By.Point()
		last, lastKnown := b.After.Point()
		switch {
		case first >= lastPoint-1 && lastKnown && point <= last: // perhaps after that one
			return false, true
		case first >= lastPoint-1:
			return false, false
		case point >= first:
			return true, true
		case lastKnown && point <= last:
			return false, true
		}
		return false, false
	}
	// Not by an update: nobody knows between After and By.
	return false, !older(s.After, v)
}

// oracleWorlds are all kernels that one point release may be.
func oracleWorlds(v Version, point int) []*world {
	var open []Span
	for _, s := range logSpans() {
		if _, known := oracleIn(s, v, point); !known {
			open = append(open, s)
		}
	}
	var all []*world
	for present := range uint64(1) << len(open) {
		all = append(all, &world{v.at(point), open, present})
	}
	return all
}

func alike(a, b *Profile) bool {
	x, y := *a, *b
	x.Version, y.Version = Version{}, Version{}
	return reflect.DeepEqual(&x, &y)
}

// TestRowsAgainstTheOracle: of every span and every point release that could matter,
// In says what the rows say.
func TestRowsAgainstTheOracle(t *testing.T) {
	judged := 0
	for _, r := range Releases() {
		for _, s := range logSpans() {
			points := []int{0, 1, 57, 300, lastPoint - 2}
			for _, b := range s.Backports {
				for _, at := range []Version{b.After, b.By} {
					if point, known := at.Point(); known && point > 0 && point < lastPoint-2 {
						points = append(points, point-1, point, point+1)
					}
				}
			}
			for _, point := range points {
				for _, vendor := range []Vendor{Mainline, Amazon, Debian} {
					series := r.Series
					series.Vendor = vendor
					in, known := s.In(series.at(point))
					wantIn, wantKnown := oracleIn(s, series, point)
					if judged++; in && known != (wantIn && wantKnown) || known != wantKnown {
						t.Errorf("%v in %v of %v: %v, known %v; the rows say %v, known %v", s, series.at(point), vendor, in, known, wantIn, wantKnown)
					}
				}
			}
		}
	}
	t.Logf("%d judged", judged)
}

// TestPossibleLeavesNothingOut: every kernel that the rows allow a version to be is
// among those that Possible returns, and each of those is allowed.
func TestPossibleLeavesNothingOut(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 0))
	for _, r := range Releases() {
		found, err := Possible(r.Series)
		if err != nil {
			t.Fatal(err)
		}
		found = Distinct(found, nil)
		points := []int{0, 1}
		for range 6 {
			points = append(points, random.IntN(280))
		}
		for _, cut := range r.Cuts {
			point, _ := cut.Version.Point()
			points = append(points, point-1, point)
		}
		for _, point := range points {
			exact, err := Possible(r.Series.at(point))
			if err != nil {
				t.Fatal(err)
			}
			worlds := oracleWorlds(r.Series, point)
			for _, w := range worlds {
				profile := build(w, nil, nil)
				same := func(q *Profile) bool { return alike(profile, q) }
				if !slices.ContainsFunc(exact, same) {
					t.Errorf("%v with %b of %v: is not among its %d profiles", w.version, w.present, w.open, len(exact))
				}
				like := func(q *Profile) bool { return len(Distinct([]*Profile{q, profile}, nil)) == 1 }
				if !slices.ContainsFunc(found, like) {
					t.Errorf("%v with %b of %v: is not among the profiles of %v", w.version, w.present, w.open, r.Series)
				}
			}
			if len(exact) != len(worlds) {
				t.Errorf("%v: %d profiles, and the rows allow %d", r.Series.at(point), len(exact), len(worlds))
			}
		}
	}
}
