package kernel

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is a Linux release as guests can tell it apart: major and minor.
// Stable updates of one release count as that release.
type Version struct {
	Major, Minor uint16
}

// ParseVersion reads "6.12", and the release a running kernel reports,
// "6.12.95+deb12-arm64".
func ParseVersion(text string) (Version, error) {
	major, rest, dotted := strings.Cut(text, ".")
	digits := rest
	for i, c := range rest {
		if c < '0' || c > '9' {
			digits = rest[:i]
			break
		}
	}
	a, err1 := strconv.ParseUint(major, 10, 16)
	b, err2 := strconv.ParseUint(digits, 10, 16)
	if !dotted || err1 != nil || err2 != nil {
		return Version{}, fmt.Errorf("kernel version %q: want a release such as 6.12", text)
	}
	return Version{uint16(a), uint16(b)}, nil
}

// String gives the short form, "6.12".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Compare orders versions: negative, 0 or positive.
func (v Version) Compare(other Version) int {
	return cmp.Or(cmp.Compare(v.Major, other.Major), cmp.Compare(v.Minor, other.Minor))
}

// Span says when a change appeared: it is absent up to and including After and
// present from By on. A zero After means that it was there before all that is
// known.
type Span struct {
	After, By Version
}

// In says whether the change is in a kernel of version v: yes, no, or, between
// After and By, not known.
func (s Span) In(v Version) (in, known bool) {
	switch {
	case v.Compare(s.By) >= 0:
		return true, true
	case v.Compare(s.After) <= 0:
		return false, true
	}
	return false, false
}

// lastMinor stands for the last release of a major version, whichever it was.
const lastMinor = 0xffff

// String gives "6.15", or "(6.1, 6.12]" where the release is not known.
func (s Span) String() string {
	if s.After == (Version{}) {
		return "up to " + s.By.String()
	}
	if s.After.Major == s.By.Major && s.After.Minor+1 == s.By.Minor || s.After.Minor == lastMinor {
		return s.By.String()
	}
	return fmt.Sprintf("(%v, %v]", s.After, s.By)
}

// must reads a version of the tables.
func must(text string) Version {
	v, err := ParseVersion(text)
	if err != nil {
		panic(err)
	}
	return v
}

// upTo is the span of what was there before all that is known.
func upTo(version string) Span { return Span{By: must(version)} }

// between is the span of what is absent in one version and present in another.
func between(after, by string) Span { return Span{After: must(after), By: must(by)} }

// in is the span of what appeared in one release that is known.
func in(version string) Span {
	by := must(version)
	after := Version{by.Major, by.Minor - 1}
	if by.Minor == 0 {
		after = Version{by.Major - 1, lastMinor}
	}
	return Span{After: after, By: by}
}

// Spans between the versions that were read or tried.
var (
	always   = upTo("4.14")
	from6_1  = between("5.10", "6.1")
	from6_12 = between("6.1", "6.12")
	from6_16 = between("6.12", "6.16")
)
