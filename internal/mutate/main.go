// Mutate tests the tests: it changes one row of a table at a time (a field's
// sign, order, safe value or width; a row of the kernel's change log) and runs
// the fast tests on it. Each change must fail some test; those that do not are
// printed. What the fast tests say of one change takes some seconds, so a
// sample is drawn:
//
//	go run ./internal/mutate -n 100 -seed 1
//
// Files are never changed: the go command is given an overlay.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/guise-project/guise/internal/mutate/logic"
)

// tests are the fast ones, without those that hold generated files against
// their sources: they would notice anything and show nothing.
var tests = []string{"test", "-count=1", "-failfast", "-run",
	"Table|Slot|Register|Accept|Profile|Version|Writable|Derived|Oracle|OneHost|Vectors|Removing|Meet|Change|Limit|Known|Since",
	"./isa", "./isa/arm64", "./kernel", "."}

func main() {
	n := flag.Int("n", 40, "number of changes to try")
	seed := flag.Uint64("seed", 1, "of the sample")
	budget := flag.Duration("budget", 30*time.Minute, "stop after this time")
	directory := flag.String("logic", "", "change the logic of the package in this directory instead, and run its tests")
	with := flag.String("with", "", "with -logic, directories of more packages whose tests are run, with commas")
	files := flag.String("files", "", "with -logic, only in files whose names match this pattern")
	most := flag.Duration("most", 10*time.Second, "with -logic, leave out tests that take longer")
	flag.Parse()
	pattern, err := regexp.Compile(*files)
	switch {
	case err != nil:
	case *directory != "":
		err = logic.Run(os.Stdout, *directory, logic.Options{N: *n, With: strings.FieldsFunc(*with, func(r rune) bool { return r == ',' }), Seed: *seed, Files: pattern, MostTest: *most, Budget: *budget})
	default:
		err = mutate(os.Stdout, *n, *seed, *budget)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// mutation is one line of a file with another in its place.
type mutation struct {
	file, kind string
	line       int
	from, to   string
}

// rules make mutations out of lines: what to find and what to put there.
var rules = []struct {
	file, kind, where string
	find              *regexp.Regexp
	put               string
}{
	{"isa/arm64/registers_gen.go", "sign", `Sanitised: true`, regexp.MustCompile(`Signed: true, `), ""},
	{"isa/arm64/registers_gen.go", "sign", `Sanitised: true`, regexp.MustCompile(`(Safe: \d+), Sanitised`), "$1, Signed: true, Sanitised"},
	{"isa/arm64/registers_gen.go", "order", `Sanitised: true`, regexp.MustCompile(`\bOrder: 1\b`), "Order: 2"},
	{"isa/arm64/registers_gen.go", "order", `Sanitised: true`, regexp.MustCompile(`\bOrder: [02345]\b`), "Order: 1"},
	{"isa/arm64/registers_gen.go", "safe value", `\bOrder: 0.*Sanitised: true`, regexp.MustCompile(`Safe: 0`), "Safe: 1"},
	{"isa/arm64/registers_gen.go", "safe value", `\bOrder: 0.*Sanitised: true`, regexp.MustCompile(`Safe: [12]`), "Safe: 0"},
	{"isa/arm64/registers_gen.go", "width", `Sanitised: true`, regexp.MustCompile(`Width: 4`), "Width: 3"},
	{"kernel/writable.go", "row dropped", `Kind: Writable`, regexp.MustCompile(`^.*$`), ""},
	{"kernel/writable.go", "since", `Kind: Writable`, regexp.MustCompile(`from6_12`), `from6_16`},
	{"kernel/writable.go", "since", `Kind: Writable`, regexp.MustCompile(`from6_16|in\("6.1[78]"\)`), `between("6.18", "7.2")`},
	{"kernel/writable.go", "field dropped", `Kind: Writable.*", "`, regexp.MustCompile(`, "\w+"\}\}`), `}}`},
	{"kernel/change.go", "row dropped", `Kind: (Writable|Refuses|Takes|Free|Identity|FollowsVGIC|ClearedWithoutVGIC|Ignored|Appears)`, regexp.MustCompile(`^.*$`), ""},
	{"kernel/change.go", "floor", `Kind: Refuses`, regexp.MustCompile(`isa.Range\(0, 5\)`), `isa.Range(0, 4)`},
	{"kernel/change.go", "floor", `Kind: Refuses`, regexp.MustCompile(`isa.Only\(0\)`), `isa.Only(1)`},
}

// mutations lists every change that the rules make.
func mutations() ([]mutation, error) {
	var all []mutation
	for _, rule := range rules {
		data, err := os.ReadFile(rule.file)
		if err != nil {
			return nil, err
		}
		where := regexp.MustCompile(rule.where)
		for i, line := range strings.Split(string(data), "\n") {
			if !where.MatchString(line) || !strings.HasPrefix(strings.TrimSpace(line), "{") {
				continue
			}
			if changed := rule.find.ReplaceAllString(line, rule.put); changed != line {
				all = append(all, mutation{rule.file, rule.kind, i, line, changed})
			}
		}
	}
	return all, nil
}

func mutate(w io.Writer, n int, seed uint64, budget time.Duration) error {
	all, err := mutations()
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	directory, err := os.MkdirTemp("", "guise-mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	if out, err := exec.Command("go", tests...).CombinedOutput(); err != nil {
		return fmt.Errorf("the tests fail without any change: %v\n%s", err, out)
	}
	tried, survived := map[string]int{}, map[string]int{}
	start := time.Now()
	for _, m := range all[:min(n, len(all))] {
		if time.Since(start) > budget {
			break
		}
		killed, err := m.killed(directory)
		if err != nil {
			return err
		}
		if tried[m.kind]++; !killed {
			survived[m.kind]++
			fmt.Fprintf(w, "survives: %s, %s:%d: %s\n", m.kind, m.file, m.line+1, shorten(m.from))
		}
	}
	fmt.Fprintf(w, "%d changes are possible; of a sample (seed %d) by kind:\n", len(all), seed)
	var sum, left int
	kinds := make([]string, 0, len(tried))
	for kind := range tried {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		fmt.Fprintf(w, "  %-14s %4d tried, %3d survive\n", kind, tried[kind], survived[kind])
		sum, left = sum+tried[kind], left+survived[kind]
	}
	fmt.Fprintf(w, "  %-14s %4d tried, %3d survive\n", "all", sum, left)
	return nil
}

// killed reports whether a test fails, or nothing compiles, with the change.
func (m *mutation) killed(directory string) (bool, error) {
	data, err := os.ReadFile(m.file)
	if err != nil {
		return false, err
	}
	lines := strings.Split(string(data), "\n")
	lines[m.line] = m.to
	changed, overlay := filepath.Join(directory, "changed.go"), filepath.Join(directory, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return false, err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return false, err
	}
	document, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(overlay, document, 0o600); err != nil {
		return false, err
	}
	arguments := slices.Insert(slices.Clone(tests), 1, "-overlay", overlay)
	return exec.Command("go", arguments...).Run() != nil, nil
}

// shorten gives a table row without what does not tell it from others.
func shorten(row string) string {
	row, _, _ = strings.Cut(strings.TrimSpace(row), ", Values:")
	return row
}
