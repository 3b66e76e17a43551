package guise

import (
	"errors"
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// Mended is a change of the policy under which the hosts have a contract.
type Mended struct {
	// Remedies are what to change, in order.
	Remedies []Remedy
	// Varies are the fields left to each host, REGISTER.FIELD.
	Varies []string
	// IdentityOf is the host whose identity every VM is given, "" for none.
	IdentityOf string
	Result     *BaselineResult
}

// Mend looks for the least change of the policy that gives the hosts a
// contract: leave to each host the fields that nobody can change, and give
// every VM the identity of one host. It returns nil where that does not help.
func Mend(captures []*Capture, policy *Policy, result *BaselineResult) (*Mended, error) {
	if err := usableHosts(captures...); err != nil {
		return nil, err
	}
	if result == nil {
		return nil, errors.New("mend: there is no result; it is nil")
	}
	if slices.ContainsFunc(captures, func(c *Capture) bool { return c.Power != nil }) {
		return nil, nil // no policy makes unlike architectures or levels meet
	}
	if result.Verdict != No {
		return nil, nil
	}
	changed := Policy{}
	if policy != nil {
		changed = *policy
	}
	mended := &Mended{}
	identity := false
	for i := range result.Findings {
		switch f := &result.Findings[i]; {
		case f.Kind == KindIdentity:
			identity = true
		case f.Kind == KindFixed && f.Verdict == No && f.Register != "DCZID_EL0":
			mended.Varies = append(mended.Varies, f.Name())
		}
	}
	changed.Vary = slices.Concat(changed.Vary, mended.Varies)
	candidates := []string{changed.IdentityOf}
	if identity && changed.IdentityOf == "" {
		candidates = identities(captures)
	}
	views, known := pointers(foldViews(captures)), stances{}
	for _, candidate := range candidates {
		changed.IdentityOf = candidate
		ready, limits, err := ready(captures, &changed)
		if err != nil {
			return nil, err
		}
		again := baseline(views, ready, limits, known)
		if again.Verdict == Yes {
			mended.Result = again
			if len(mended.Varies) > 0 {
				mended.Remedies = []Remedy{{RemedyVary, mended.Varies}}
			}
			if identity && candidate != "" {
				mended.IdentityOf = candidate
				mended.Remedies = append(mended.Remedies, Remedy{RemedyIdentityOf, []string{candidate}})
			}
			return mended, nil
		}
	}
	return nil, nil
}

// identities returns the first host of each identity.
func identities(captures []*Capture) []string {
	type identity struct{ midr, revidr uint64 }
	seen := map[identity]bool{}
	var names []string
	for _, c := range captures {
		values := &c.Setups[0].View.Values
		if id := (identity{values[arm64.MIDREL1], values[arm64.REVIDREL1]}); !seen[id] {
			seen[id] = true
			names = append(names, c.Name)
		}
	}
	return names
}
