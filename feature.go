package guise

import (
	"github.com/guise-project/guise/isa/arm64"
)

// FeatureNames returns the FEAT_ names that a guest finds in a view, in Arm's
// order by name. A name that depends on a register the view lacks is left out.
func FeatureNames(v *arm64.View) []string {
	if v == nil {
		return nil
	}
	var names []string
	for i := range arm64.FeatureTable {
		if shows(v, &arm64.FeatureTable[i]) {
			names = append(names, arm64.FeatureTable[i].Name)
		}
	}
	return names
}

// shows reports whether a guest finds the feature in a view.
func shows(v *arm64.View, f *arm64.Feature) bool {
	return f.Present != nil && captured(f.Present, v) && f.Present.Holds(&v.Values)
}

// countFeatures returns the number of FeatureNames.
func countFeatures(v *arm64.View) int {
	n := 0
	for i := range arm64.FeatureTable {
		if shows(v, &arm64.FeatureTable[i]) {
			n++
		}
	}
	return n
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
	var names []string
	for i := range arm64.FeatureTable {
		if f := &arm64.FeatureTable[i]; shows(from, f) && !shows(to, f) {
			names = append(names, f.Name)
		}
	}
	return names
}
