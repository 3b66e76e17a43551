package kernel

import (
	"slices"
	"testing"
)

// TestReleases: every series is there once, in order, and what is said of it is
// what versions are answered by: a series is definite where its kernels are alike,
// its cuts are where they are not, and what is open of it is open of some kernel.
func TestReleases(t *testing.T) {
	releases := Releases()
	if first, last := releases[0].Series, releases[len(releases)-1].Series; first != Early[0] || last != Newest {
		t.Errorf("releases from %v to %v, want %v to %v", first, last, Early[0], Newest)
	}
	for _, v := range slices.Concat(Early, Known) {
		if !slices.ContainsFunc(releases, func(r Release) bool { return r.Series == v }) {
			t.Errorf("%v is not among the releases", v)
		}
	}
	for i := range releases {
		r := &releases[i]
		if i > 0 && r.Series.Compare(releases[i-1].Series) <= 0 {
			t.Errorf("%v stands after %v", r.Series, releases[i-1].Series)
		}
		worlds, err := Possible(r.Series)
		if err != nil {
			t.Fatal(err)
		}
		all := make([]Behaviour, 0, len(behaviours))
		for j := range behaviours {
			all = append(all, behaviours[j].Behaviour)
		}
		if len(r.Cuts)+len(r.Open) == 0 && len(Distinct(worlds, all)) != 1 {
			t.Errorf("%v is said to be definite, and may be %d kernels", r.Series, len(Distinct(worlds, all)))
		}
		for _, cut := range r.Cuts {
			for _, e := range cut.Changes {
				if !e.Settled {
					t.Errorf("%v: %s of %s is not settled", cut.Version, e.Text, e.Subject)
				}
			}
		}
	}
}

// TestCutsOfReleases: point releases that the source tells, and one that is known
// to lie in a bracket.
func TestCutsOfReleases(t *testing.T) {
	for _, test := range []struct {
		series string
		cuts   []string
		exact  []bool
		basis  Basis
	}{
		{"6.1", []string{"6.1.57", "6.1.135", "6.1.149"}, []bool{true, true, true}, ByBoot},
		{"6.6", []string{"6.6.67", "6.6.88", "6.6.101", "6.6.141"}, []bool{true, true, true, true}, BySource},
		{"6.18", []string{"6.18.35"}, []bool{false}, ByBoot},
		{"5.13", nil, nil, ByNeighbours},
		{"7.2", nil, nil, ByBoot},
	} {
		r := About(must(test.series))
		var cuts []string
		var exact []bool
		for _, cut := range r.Cuts {
			cuts, exact = append(cuts, cut.Version.String()), append(exact, cut.Exact)
		}
		if !slices.Equal(cuts, test.cuts) || !slices.Equal(exact, test.exact) || r.Basis() != test.basis {
			t.Errorf("%s: cuts %v, exact %v, known by %v; want %v, %v, %v", test.series, cuts, exact, r.Basis(), test.cuts, test.exact, test.basis)
		}
	}
}
