package labtest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/guise-project/guise/lab"
)

// recorder is a test that notes what it fails with.
type recorder struct {
	testing.TB
	failed string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, arguments ...any) {
	r.failed = fmt.Sprintf(format, arguments...)
	runtime.Goexit()
}

func TestEveryday(t *testing.T) {
	all := lab.Hosts(lab.Host{}, []string{"6.1", "7.2"}, []string{"max", "a64fx"})
	for _, test := range []struct {
		matrix       string
		names        []string
		want, failed string
		left         string
	}{
		{"", []string{"7.2/max", "6.1/a64fx"}, "7.2/max 6.1/a64fx", "", "TestEveryday: 2 of 4 hosts\n"},
		{"whole", []string{"7.2/max"}, "6.1/max 6.1/a64fx 7.2/max 7.2/a64fx", "", ""},
		{"", []string{"7.2/max", "6.1/a64fx", "6.1/max", "7.2/a64fx"}, "7.2/max 6.1/a64fx 6.1/max 7.2/a64fx", "", ""},
		{"remaining", []string{"7.2/max", "6.1/a64fx"}, "6.1/max 7.2/a64fx", "", ""},
		{"remaining", []string{"7.2/max", "6.1/a64fx", "6.1/max", "7.2/a64fx"}, "", "", ""},
		{"remaining", []string{"7.2/mx"}, "", `no host of the test is called "7.2/mx"`, ""},
		{"wohle", []string{"7.2/max"}, "", `GUISE_TESTS_MATRIX="wohle": want nothing, "whole" or "remaining"`, ""},
		{"", []string{"7.2/mx"}, "", `no host of the test is called "7.2/mx"`, ""},
		{"whole", []string{"7.2/mx"}, "", `no host of the test is called "7.2/mx"`, ""},
		{"", []string{"7.2/max", "7.2/max"}, "", `host "7.2/max" is named twice`, ""},
	} {
		left := filepath.Join(t.TempDir(), "left")
		t.Setenv("GUISE_TESTS_LEFT", left)
		t.Setenv("GUISE_TESTS_MATRIX", test.matrix)
		r := &recorder{TB: t}
		var names []string
		var done sync.WaitGroup
		done.Go(func() {
			for _, h := range Everyday(r, all, test.names...) {
				names = append(names, h.Name())
			}
		})
		done.Wait()
		said, err := os.ReadFile(left)
		if err != nil && test.left != "" {
			t.Error(err)
		}
		if got := strings.Join(names, " "); got != test.want || r.failed != test.failed || string(said) != test.left {
			t.Errorf("matrix %q, %q: %q, failed with %q, left %q; want %q, %q, %q", test.matrix, test.names, got, r.failed, said, test.want, test.failed, test.left)
		}
	}
}

// TestMatrixOfTestsThatHoldHostsTogether: what is left of them is the whole.
func TestMatrixOfTestsThatHoldHostsTogether(t *testing.T) {
	all := lab.Hosts(lab.Host{}, []string{"6.1", "7.2"}, []string{"max", "a64fx"})
	t.Setenv("GUISE_TESTS_MATRIX", "remaining")
	if got := EverydayTogether(t, all, "7.2/max"); len(got) != len(all) {
		t.Errorf("%d hosts, want %d", len(got), len(all))
	}
}

// TestNoHostIsBegunWhenTheTimeIsUp: what was not come to is said, and only the
// remaining matrix knows a time.
func TestNoHostIsBegunWhenTheTimeIsUp(t *testing.T) {
	all := lab.Hosts(lab.Host{}, []string{"6.1", "7.2"}, []string{"max", "a64fx"})
	for _, test := range []struct {
		matrix, until, want string
		hosts               int
	}{
		{"remaining", "1", "TestNoHostIsBegunWhenTheTimeIsUp: 3 hosts\n", 0},
		{"remaining", "99999999999", "", 3},
		{"remaining", "", "", 3},
		{"whole", "1", "", 4},
		{"", "1", "", 1},
	} {
		late := filepath.Join(t.TempDir(), "late")
		t.Setenv("GUISE_TESTS_LEFT", filepath.Join(t.TempDir(), "left"))
		t.Setenv("GUISE_TESTS_LATE", late)
		t.Setenv("GUISE_TESTS_MATRIX", test.matrix)
		t.Setenv("GUISE_TESTS_UNTIL", test.until)
		hosts := Everyday(t, all, "7.2/max")
		said, err := os.ReadFile(late)
		if err != nil && test.want != "" {
			t.Error(err)
		}
		if len(hosts) != test.hosts || string(said) != test.want {
			t.Errorf("matrix %q until %q: %d hosts, said %q; want %d, %q", test.matrix, test.until, len(hosts), said, test.hosts, test.want)
		}
	}
}
