package logic

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// test is one test of a package, with what it takes and which sites it reaches.
type test struct {
	binary
	name    string
	took    time.Duration
	reaches map[int]bool
}

// survey runs each test by itself, with nothing changed. Tests that take longer
// than most are left out: they are not the fast ones.
func (b binary) survey(work string, most time.Duration) (tests []test, slow []string, err error) {
	list, err := b.command(context.Background(), "-test.list", "^(Test|Example|Fuzz)").Output()
	if err != nil {
		return nil, nil, fmt.Errorf("list the tests: %w", err)
	}
	for _, name := range strings.Fields(string(list)) {
		file := filepath.Join(work, "reached")
		if err := os.RemoveAll(file); err != nil {
			return nil, nil, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), most)
		command := b.command(ctx, "-test.run", exactly(name))
		command.Env = append(command.Env, reachedVariable+"="+file)
		started := time.Now()
		out, err := command.CombinedOutput()
		expired := ctx.Err() != nil
		cancel()
		if expired {
			slow = append(slow, name)
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s fails with nothing changed: %w\n%s", name, err, out)
		}
		t := test{binary: b, name: name, took: time.Since(started), reaches: map[int]bool{}}
		reached, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, nil, err
		}
		for _, field := range strings.Fields(string(reached)) {
			id, err := strconv.Atoi(field)
			if err != nil {
				return nil, nil, err
			}
			t.reaches[id] = true
		}
		tests = append(tests, t)
	}
	return tests, slow, nil
}

// exactly is a pattern for tests of these names.
func exactly(names ...string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = regexp.QuoteMeta(name)
	}
	return "^(" + strings.Join(quoted, "|") + ")$"
}

// command is the binary as the go command would run it, where the package is.
func (b binary) command(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, b.path, append([]string{"-test.count=1", "-test.failfast"}, arguments...)...)
	command.Dir = b.directory
	command.Env = os.Environ()
	command.WaitDelay = time.Second
	return command
}

// quick is how long a test takes at most that is run together with others.
const quick = time.Second

// Fate is what became of a change.
type Fate int

const (
	Killed Fate = iota
	Survived
	Unreached // no test comes by
)

// try switches a site and runs the tests that reach it, the quick ones of each
// binary first and together. Tests are in the order of what they take. A change that
// keeps a test from ending is noticed too.
func try(s *Site, binaries []binary, tests []test) Fate {
	fate := Unreached
	for _, b := range binaries {
		var together []string
		var sum time.Duration
		for _, t := range tests {
			if t.binary == b && t.reaches[s.ID] && t.took <= quick {
				together, sum = append(together, t.name), sum+t.took
			}
		}
		if len(together) > 0 {
			if fate = Survived; b.fails(s, sum, together...) {
				return Killed
			}
		}
	}
	for _, t := range tests {
		if t.reaches[s.ID] && t.took > quick {
			if fate = Survived; t.fails(s, t.took, t.name) {
				return Killed
			}
		}
	}
	return fate
}

// fails reports whether tests that usually take some time fail with a site
// switched, or do not end.
func (b binary) fails(s *Site, usual time.Duration, names ...string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second+10*usual)
	defer cancel()
	command := b.command(ctx, "-test.run", exactly(names...))
	command.Env = append(command.Env, fmt.Sprintf("%s=%d", chosenVariable, s.ID), "GOMEMLIMIT=2GiB")
	return command.Run() != nil
}
