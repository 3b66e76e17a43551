package guise

import (
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// FeatureNames returns the FEAT_ names that a guest finds in a view, in Arm's
// order by name. A name that depends on a register the view lacks is left out.
func FeatureNames(v *arm64.View) []string {
	var names []string
	for i := range arm64.FeatureTable {
		f := &arm64.FeatureTable[i]
		if f.Present != nil && captured(f.Present, v) && f.Present.Holds(&v.Values) {
			names = append(names, f.Name)
		}
	}
	return names
}

// captured reports whether the view has every register that a condition reads.
func captured(c arm64.Condition, v *arm64.View) bool {
	for _, all := range c {
		for _, test := range all {
			if !v.Present.Has(test.Register) {
				return false
			}
		}
	}
	return true
}

// lostFeatures returns the names that the first view shows and the second does
// not.
func lostFeatures(from, to *arm64.View) []string {
	kept := FeatureNames(to)
	return slices.DeleteFunc(FeatureNames(from), func(name string) bool { return slices.Contains(kept, name) })
}
