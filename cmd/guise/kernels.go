package main

import (
	"fmt"
	"strings"

	"github.com/guise-project/guise/kernel"
)

// kernelsCommand says of releases of Linux what is known of them, and how.
type kernelsCommand struct {
	Versions []string `arg:"" optional:"" placeholder:"VERSION" help:"Say of this release what changes at its point releases, and what is not known."`
	JSON     bool     `name:"json" help:"Print the releases as JSON."`
}

type kernelsJSON struct {
	Releases []releaseJSON `json:"releases"`
	Vendors  []vendorJSON  `json:"vendors"`
}

type releaseJSON struct {
	Release string `json:"release"`
	// Basis is "booted", "source" or "bracket".
	Basis  string   `json:"basis"`
	Booted []string `json:"booted"`
	Source []string `json:"source"`
	// Points are the point releases that change something.
	Points []pointJSON `json:"points"`
	// Open are entries of which it is not known whether some point release has them.
	Open []changeJSON `json:"open"`
}

type pointJSON struct {
	Release string `json:"release"`
	// Exact is false where the changes came by this release, but nobody knows
	// with which.
	Exact   bool         `json:"exact"`
	Changes []changeJSON `json:"changes"`
}

type vendorJSON struct {
	Name    string   `json:"name"`
	Marks   []string `json:"marks"`
	Rebased bool     `json:"rebased"`
	Known   string   `json:"known,omitzero"`
}

func (c *kernelsCommand) Run(s *session) (int, error) {
	releases := kernel.Releases()
	if len(c.Versions) > 0 {
		releases = nil
	}
	for _, text := range c.Versions {
		v, err := kernel.ParseVersion(text)
		if err == nil {
			_, err = kernel.Possible(v)
		}
		if err != nil {
			return 0, &inputError{err}
		}
		if v.Series().Compare(kernel.Newest) > 0 {
			return 0, &inputError{fmt.Errorf("kernel %v: is newer than all that are known; the newest is %v", v, kernel.Newest)}
		}
		releases = append(releases, kernel.About(v))
	}
	switch {
	case c.JSON:
		return statusYes, s.printJSON(kernelsDocument(releases))
	case len(c.Versions) == 0:
		printReleases(s, releases)
	default:
		for i := range releases {
			if i > 0 {
				fmt.Fprintln(s.stdout)
			}
			printRelease(s, &releases[i])
		}
	}
	return statusYes, nil
}

func kernelsDocument(releases []kernel.Release) kernelsJSON {
	document := kernelsJSON{Releases: []releaseJSON{}, Vendors: []vendorJSON{}}
	for i := range releases {
		r := &releases[i]
		release := releaseJSON{
			Release: r.Series.String(), Basis: r.Basis().String(), Booted: texts(r.Booted), Source: texts(r.Read),
			Points: []pointJSON{}, Open: changesJSON(r.Open),
		}
		for _, cut := range r.Cuts {
			release.Points = append(release.Points, pointJSON{cut.Version.String(), cut.Exact, changesJSON(cut.Changes)})
		}
		document.Releases = append(document.Releases, release)
	}
	for _, v := range kernel.Vendors() {
		document.Vendors = append(document.Vendors, vendorJSON(v))
	}
	return document
}

func changesJSON(entries []kernel.Entry) []changeJSON {
	list := make([]changeJSON, len(entries))
	for i, e := range entries {
		list[i] = changeJSON{e.When, e.Subject, e.Text, e.Settled, e.SourceOnly}
	}
	return list
}

func texts[T fmt.Stringer](values []T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.String()
	}
	return list
}

// printReleases prints a line a release, and the vendors.
func printReleases(s *session, releases []kernel.Release) {
	fmt.Fprintf(s.stdout, "%d releases are known, %v to %v\n\n", len(releases), releases[0].Series, releases[len(releases)-1].Series)
	rows := [][]string{{"release", "known by", "which", "what to expect"}}
	for i := range releases {
		r := &releases[i]
		rows = append(rows, []string{r.Series.String(), r.Basis().String(), evidence(r), expectation(r)})
	}
	columns(s.stdout, rows)
	fmt.Fprintln(s.stdout, "\nbooted: a kernel of the series answered in the lab; source: it was read; bracket: what the releases around it share")
	fmt.Fprint(s.stdout, "\nkernels that vendors build, by uname -r:\n\n")
	rows = [][]string{{"kernel", "uname -r has", "what to expect"}}
	for _, v := range kernel.Vendors() {
		expect := v.Known
		if v.Rebased {
			expect = "only begins with the release it names: capture the host itself"
			if v.Known != "" {
				expect += "; " + v.Known
			}
		}
		rows = append(rows, []string{v.Name, strings.Join(v.Marks, " "), expect})
	}
	columns(s.stdout, rows)
	s.hint("guise kernels VERSION says what changes at its point releases, and what is not known")
}

// evidence names the kernels that a release is known by.
func evidence(r *kernel.Release) string {
	if r.Basis() == kernel.ByBoot {
		return strings.Join(texts(r.Booted), ", ")
	}
	if r.Basis() == kernel.BySource {
		return strings.Join(texts(r.Read), ", ")
	}
	return "-"
}

// expectation says what answers about a release are like.
func expectation(r *kernel.Release) string {
	var parts []string
	switch {
	case len(r.Cuts) > 0:
		parts = append(parts, "definite with a point release (changes: "+points(r)+")")
	case len(r.Open) == 0:
		parts = append(parts, "definite")
	}
	if len(r.Open) > 0 {
		parts = append(parts, "not known of "+countEntries(len(r.Open))+" of the log")
	}
	return strings.Join(parts, "; ")
}

// points are the last numbers of a release's cuts: ".31, .105".
func points(r *kernel.Release) string {
	var list []string
	for _, cut := range r.Cuts {
		point, _ := cut.Version.Point()
		list = append(list, since(cut)+fmt.Sprintf(".%d", point))
	}
	return strings.Join(list, ", ")
}

// since stands before a cut of which it is not known whether it is exact.
func since(cut kernel.Cut) string {
	if cut.Exact {
		return ""
	}
	return "by "
}

// printRelease prints all that is known of one release.
func printRelease(s *session, r *kernel.Release) {
	fmt.Fprintf(s.stdout, "Linux %v is known by %s: %s\n", r.Series, how[r.Basis()], expectation(r))
	if len(r.Booted) > 0 {
		fmt.Fprintf(s.stdout, "booted: %s\n", strings.Join(texts(r.Booted), ", "))
	}
	if len(r.Read) > 0 {
		fmt.Fprintf(s.stdout, "source read: %s\n", strings.Join(texts(r.Read), ", "))
	}
	rows := [][]string{{"since", "what", ""}}
	for _, cut := range r.Cuts {
		for _, e := range cut.Changes {
			rows = append(rows, []string{since(cut) + cut.Version.String(), dashed(e.Subject), marked(e)})
		}
	}
	if len(rows) > 1 {
		fmt.Fprint(s.stdout, "\nwhat its updates change:\n\n")
		columns(s.stdout, rows)
	}
	if len(r.Open) == 0 {
		return
	}
	fmt.Fprintf(s.stdout, "\nnot known, whether %v or some update of it has:\n\n", r.Series)
	rows = [][]string{{"release", "what", ""}}
	for _, e := range r.Open {
		rows = append(rows, []string{e.When, dashed(e.Subject), marked(e)})
	}
	columns(s.stdout, rows)
}

var how = [...]string{kernel.ByBoot: "what kernels of it answered in the lab", kernel.BySource: "its source", kernel.ByNeighbours: "the releases around it"}

func dashed(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
