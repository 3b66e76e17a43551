package kernel

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is a Linux release: a series, such as 6.12, and perhaps which point
// release of it, and who built it. The zero value is no release.
type Version struct {
	Major, Minor uint16
	// point is the point release plus one: 0 where it is not known. 6.12.0 and
	// 6.12 are not the same, the latter being any of 6.12.0, 6.12.1 and so on.
	point uint16
	// Vendor is whose kernel it is, as far as its release tells.
	Vendor Vendor
}

// Point returns the point release, 95 for 6.12.95, and false where it is not
// known.
func (v Version) Point() (point int, known bool) { return int(v.point) - 1, v.point != 0 }

// Series is the version without its point release and its vendor.
func (v Version) Series() Version { return Version{Major: v.Major, Minor: v.Minor} }

// at returns a point release of the version's series.
func (v Version) at(point int) Version {
	v.point = uint16(point + 1)
	return v
}

// ParseVersion reads "6.12", "6.12.95" and the release that a running kernel
// reports, "6.12.95+deb12-arm64". Of releases whose third number is not the point
// release ("6.8.0-63-generic", "6.1.0-56-arm64") the point release is not known,
// unless it is among those that the lab booted.
func ParseVersion(text string) (Version, error) {
	numbers, rest := [3]uint64{}, text
	count := 0
	for count < len(numbers) {
		end := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' })
		if end < 0 {
			end = len(rest)
		}
		n, err := strconv.ParseUint(rest[:end], 10, 15)
		if err != nil {
			break
		}
		numbers[count], rest = n, rest[end:]
		if count++; !strings.HasPrefix(rest, ".") || count == len(numbers) {
			break
		}
		rest = rest[1:]
	}
	if count < 2 {
		return Version{}, fmt.Errorf("kernel version %q: want a release such as 6.12 or 6.12.95", text)
	}
	v := Version{Major: uint16(numbers[0]), Minor: uint16(numbers[1])}
	vendor := vendorOf(text)
	v.Vendor = vendor.Vendor
	switch {
	case count == 3 && !vendor.hidesPoint(rest, numbers[2]):
		v.point = uint16(numbers[2]) + 1
	case count == 3:
		for _, b := range Booted {
			if b.release == text {
				v.point = b.Version.point
			}
		}
	}
	return v, nil
}

// String gives "6.12.95", or "6.12" where the point release is not known.
func (v Version) String() string {
	if point, known := v.Point(); known {
		return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, point)
	}
	return fmt.Sprintf("%d.%d", v.Major, v.Minor)
}

// Compare orders versions: negative, 0 or positive. A version whose point release
// is not known stands for its series, and equals each version of it.
func (v Version) Compare(other Version) int {
	series := cmp.Or(cmp.Compare(v.Major, other.Major), cmp.Compare(v.Minor, other.Minor))
	if series != 0 || v.point == 0 || other.point == 0 {
		return series
	}
	return cmp.Compare(v.point, other.point)
}

// Backport says when a change came to a stable series that began without it: it is
// absent up to and including the point release After and present from By on. An
// After whose point release is not known says nothing of what was before By. With a
// vendor in By it is a patch of that vendor's, which no other kernel has.
type Backport struct {
	After, By Version
}

// maxBackports is how many series one change came to at most.
const maxBackports = 8

// lastPoint stands for the last point release of a series, whichever it was.
const lastPoint = 0x7ffe

// Span says when a change appeared: it is absent up to and including After and
// present from By on, both of which are series. A zero After means that it was
// there before all that is known. Spans can be compared.
type Span struct {
	After, By Version
	// Backports are the stable series before By that got it too; the rest is zero.
	Backports [maxBackports]Backport
}

// In says whether the change is in a kernel of version v: yes, no, or not known:
// between After and By, and in a series that got it by a stable update where the
// point release does not decide.
func (s Span) In(v Version) (in, known bool) {
	if v.Series().Compare(s.By) >= 0 {
		return true, true
	}
	for i := range s.Backports {
		b := &s.Backports[i]
		switch {
		case b.By.Series() != v.Series(), b.By.Vendor != Mainline && b.By.Vendor != v.Vendor:
			continue
		case v.point == 0:
			return false, false
		case v.point >= b.By.point:
			return b.By.point <= lastPoint, b.By.point <= lastPoint
		}
		return false, b.After.point != 0 && v.point <= b.After.point
	}
	return false, v.Series().Compare(s.After) <= 0
}

// lastMinor stands for the last release of a major version, whichever it was.
const lastMinor = 0xffff

// String gives "6.15", "(6.1, 6.12]" where the release is not known, and after that
// the stable updates: "6.11, 6.1.149, 6.6.101".
func (s Span) String() string {
	if s.After == (Version{}) {
		return "up to " + s.By.String()
	}
	text := s.By.String()
	if (s.After.Major != s.By.Major || s.After.Minor+1 != s.By.Minor) && s.After.Minor != lastMinor {
		text = fmt.Sprintf("(%v, %v]", s.After, s.By)
	}
	var perhaps string
	for _, b := range s.Backports {
		switch after, known := b.After.Point(); {
		case b.By == (Version{}):
		case b.By.point > lastPoint:
			perhaps += " " + b.By.Series().String() + ".y"
		case known && after+2 < int(b.By.point):
			text += fmt.Sprintf(", (%v, %v]", b.After, b.By)
		default:
			text += ", " + b.By.String()
			if b.By.Vendor != Mainline {
				text += " of " + b.By.Vendor.String()
			}
		}
	}
	if perhaps != "" {
		text += ", perhaps" + perhaps
	}
	return text
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
	after := Version{Major: by.Major, Minor: by.Minor - 1}
	if by.Minor == 0 {
		after = Version{Major: by.Major - 1, Minor: lastMinor}
	}
	return Span{After: after, By: by}
}

// and adds stable series that got it: "6.1.149" from that point release on,
// "6.18.15-6.18.35" by some point release after the first and up to the second,
// "6.18.15-" perhaps after that one, "?-5.17.10" from that one on, and what was
// before is not known; "4.14-" perhaps in some update of that series.
func (s Span) and(updates ...string) Span {
	n := 0
	for s.Backports[n] != (Backport{}) {
		n++
	}
	for _, update := range updates {
		first, last, open := strings.Cut(update, "-")
		var b Backport
		switch {
		case !open:
			b.By = must(first)
			b.After = b.By.at(int(b.By.point) - 2)
		case last == "":
			b.After = must(first)
			b.By = b.After.at(lastPoint)
		case first == "?":
			b.By = must(last)
			b.After = b.By.Series()
		default:
			b.After, b.By = must(first), must(last)
		}
		s.Backports[n] = b
		n++
	}
	return s
}

// of adds a series of a vendor's that got it by a patch of the vendor's: "6.1.172" in that
// point release, and what others have is not known.
func (s Span) of(vendor Vendor, update string) Span {
	s = s.and("?-" + update)
	for i := range s.Backports {
		if b := &s.Backports[i]; b.By == must(update) {
			b.By.Vendor = vendor
		}
	}
	return s
}

// Points returns the point releases of a series at which it is decided whether it
// has the change.
func (s Span) points(series Version) []int {
	var points []int
	for _, b := range s.Backports {
		if b.By == (Version{}) || b.By.Series() != series.Series() || b.By.Vendor != Mainline && b.By.Vendor != series.Vendor {
			continue
		}
		if point, known := b.After.Point(); known {
			points = append(points, point+1)
		}
		if point, _ := b.By.Point(); point < lastPoint {
			points = append(points, point)
		}
	}
	return points
}

// always is the span of what the oldest version has.
var always = upTo("4.14")
