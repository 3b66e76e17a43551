package logic

import (
	"encoding/json"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The environment of a test binary: which site is switched, and the file to which
// sites that were reached are noted.
const (
	chosenVariable  = "GUISE_MUTANT"
	reachedVariable = "GUISE_MUTANTS_REACHED"
)

// switches is what is added to a package: the functions by which its sites are
// switched.
const switches = `package %s

import (
	"os"
	"strconv"
	"sync"
)

var (
	mutantOn, _    = strconv.Atoi(os.Getenv("` + chosenVariable + `"))
	mutantsReached = os.Getenv("` + reachedVariable + `")
	mutantMutex    sync.Mutex
	mutantNoted    = map[int]bool{}
)

func mutant(id int) bool {
	if mutantsReached != "" {
		mutantNote(id)
	}
	return mutantOn == id
}

func mutantNote(id int) {
	mutantMutex.Lock()
	defer mutantMutex.Unlock()
	if mutantNoted[id] {
		return
	}
	mutantNoted[id] = true
	file, err := os.OpenFile(mutantsReached, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	file.WriteString(strconv.Itoa(id) + "\n")
	file.Close()
}

func mutantPick[T any](id int, plain, other T) T {
	if mutant(id) {
		return other
	}
	return plain
}
`

// changed is a package with its sites, and the test binaries that judge them.
type changed struct {
	directory string
	sites     []*Site
	binaries  []binary
}

// binary is the tests of one package, compiled against the changed one.
type binary struct{ path, directory string }

// compileAll compiles the tests of the package in a directory, and those of other
// packages, with every site of its files switched that compiles, into the work
// directory. Files whose name ends in _gen.go have none.
func compileAll(directory string, others []string, work string) (*changed, error) {
	directory, err := filepath.Abs(directory)
	if err != nil {
		return nil, err
	}
	pkg, err := build.ImportDir(directory, 0)
	if err != nil {
		return nil, err
	}
	c := &changed{directory: directory}
	for i, judge := range append([]string{directory}, others...) {
		judge, err := filepath.Abs(judge)
		if err != nil {
			return nil, err
		}
		c.binaries = append(c.binaries, binary{filepath.Join(work, fmt.Sprintf("package%d.test", i)), judge})
	}
	sources := map[string][]byte{}
	for _, name := range pkg.GoFiles {
		if strings.HasSuffix(name, "_gen.go") {
			continue
		}
		if sources[name], err = os.ReadFile(filepath.Join(directory, name)); err != nil {
			return nil, err
		}
		sites, err := find(name, sources[name])
		if err != nil {
			return nil, err
		}
		c.sites = append(c.sites, sites...)
	}
	for i, s := range c.sites {
		s.ID = i + 1
	}
	for {
		overlay, err := c.write(pkg.Name, sources, work)
		if err != nil {
			return nil, err
		}
		complaint, err := c.compile(overlay)
		if err == nil {
			return c, nil
		}
		if !c.drop(complaint) {
			return nil, fmt.Errorf("%w\n%s", err, complaint)
		}
	}
}

// write writes the files with the sites that are left, and the overlay that puts
// them in the place of the package's.
func (c *changed) write(name string, sources map[string][]byte, work string) (overlay string, err error) {
	replaced := map[string]string{}
	put := func(file, text string) error {
		there := filepath.Join(work, file)
		replaced[filepath.Join(c.directory, file)] = there
		return os.WriteFile(there, []byte(text), 0o600)
	}
	err = put("mutant_switches.go", fmt.Sprintf(switches, name))
	for file, source := range sources {
		var sites []*Site
		for _, s := range c.sites {
			if s.File == file {
				sites = append(sites, s)
			}
		}
		if err == nil {
			err = put(file, rewrite(source, sites))
		}
	}
	if err != nil {
		return "", err
	}
	document, err := json.Marshal(map[string]map[string]string{"Replace": replaced})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(work, "overlay.json")
	return overlay, os.WriteFile(overlay, document, 0o600)
}

// compile compiles the tests, and returns what the compiler complains of.
func (c *changed) compile(overlay string) (string, error) {
	for _, b := range c.binaries {
		command := exec.Command("go", "test", "-c", "-overlay", overlay, "-gcflags=-e", "-o", b.path, ".")
		command.Dir = b.directory
		if out, err := command.CombinedOutput(); err != nil {
			return string(out), err
		}
	}
	return "", nil
}

var complaintAt = regexp.MustCompile(`(?m)^(?:vet: )?(?:\S*/)?([^\s/:]+\.go):(\d+):(?:\d+:)? `)

// drop leaves the sites out that stand where the compiler complains: first those
// that begin in the line, then those that hold it. It reports whether any does.
func (c *changed) drop(complaint string) bool {
	before := len(c.sites)
	for _, m := range complaintAt.FindAllStringSubmatch(complaint, -1) {
		line, _ := strconv.Atoi(m[2])
		left := slices.DeleteFunc(slices.Clone(c.sites), func(s *Site) bool { return s.File == m[1] && s.Line == line })
		if len(left) == len(c.sites) {
			left = slices.DeleteFunc(left, func(s *Site) bool { return s.File == m[1] && s.Line <= line && line <= s.lastLine })
		}
		c.sites = left
	}
	return len(c.sites) < before
}
