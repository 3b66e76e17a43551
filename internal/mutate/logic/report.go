package logic

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"time"
)

// Options say what Run tries.
type Options struct {
	N     int      // sites; 0 for all
	With  []string // directories of packages whose tests judge, too
	Seed  uint64   // of the sample
	Files *regexp.Regexp
	// MostTest is how long a test takes at most that is run.
	MostTest time.Duration
	Budget   time.Duration
}

// Run tries a sample of the sites of the package in a directory and writes those
// that survive, and the counts. The tests must pass without a change.
func Run(w io.Writer, directory string, o Options) error {
	work, err := os.MkdirTemp("", "guise-mutate-logic")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	c, err := compileAll(directory, o.With, work)
	if err != nil {
		return err
	}
	var tests []test
	var slow []string
	for _, b := range c.binaries {
		found, left, err := b.survey(work, o.MostTest)
		if err != nil {
			return err
		}
		tests, slow = append(tests, found...), append(slow, left...)
	}
	slices.SortStableFunc(tests, func(a, b test) int { return int(a.took - b.took) })
	var total time.Duration
	for _, t := range tests {
		total += t.took
	}
	fmt.Fprintf(w, "%s: %d sites, %d tests of %.0f s in all; not run, too slow: %v\n", directory, len(c.sites), len(tests), total.Seconds(), slow)
	sites := slices.DeleteFunc(slices.Clone(c.sites), func(s *Site) bool { return !o.Files.MatchString(s.File) })
	random := rand.New(rand.NewPCG(o.Seed, 0))
	random.Shuffle(len(sites), func(i, j int) { sites[i], sites[j] = sites[j], sites[i] })
	if o.N > 0 {
		sites = sites[:min(o.N, len(sites))]
	}
	byFile := map[string]*count{}
	var all count
	started := time.Now()
	for _, s := range sites {
		if time.Since(started) > o.Budget {
			break
		}
		fate := try(s, c.binaries, tests)
		if byFile[s.File] == nil {
			byFile[s.File] = new(count)
		}
		byFile[s.File].add(fate)
		all.add(fate)
		switch fate {
		case Survived:
			fmt.Fprintf(w, "survives: %s:%d: %s: %s\n", s.File, s.Line, s.Kind, s.Change)
		case Unreached:
			fmt.Fprintf(w, "not reached: %s:%d: %s: %s\n", s.File, s.Line, s.Kind, s.Change)
		}
	}
	names := make([]string, 0, len(byFile))
	for name := range byFile {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "  %-28s %v\n", name, byFile[name])
	}
	fmt.Fprintf(w, "  %-28s %v\n", "all", &all)
	return nil
}

type count struct{ tried, survived, unreached int }

func (c *count) add(fate Fate) {
	c.tried++
	switch fate {
	case Survived:
		c.survived++
	case Unreached:
		c.unreached++
	}
}

func (c *count) String() string {
	killed := c.tried - c.survived - c.unreached
	return fmt.Sprintf("%4d tried, %3d survive, %3d not reached: %.0f %% killed", c.tried, c.survived, c.unreached, 100*float64(killed)/float64(max(c.tried, 1)))
}
