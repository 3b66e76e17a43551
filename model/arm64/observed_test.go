package arm64

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// setupNamed is the setup of a name in testdata: features joined with "+".
func setupNamed(name string) guise.Setup {
	var setup guise.Setup
	if name != "base" {
		for _, f := range strings.Split(name, "+") {
			setup.Features = append(setup.Features, guise.Feature(f))
		}
	}
	return setup
}

// observedHost opens the model of a host in testdata: kernel, CPU model, board
// options and kernel parameters.
func observedHost(t *testing.T, words []string) *Host {
	t.Helper()
	name := words[0] + "/" + words[1]
	for _, w := range words[2:] {
		if w == "mte=on" {
			name += "+mte"
		} else {
			name += "," + w
		}
	}
	host, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// lines calls f with the words of each line of a file that is not a comment.
func lines(t *testing.T, path string, f func(words []string)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	for s.Scan() {
		if words := strings.Fields(s.Text()); len(words) > 0 && words[0] != "#" {
			f(words)
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

func hex(t *testing.T, text string) uint64 {
	t.Helper()
	v, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestObservedLimits: what kernels in the lab showed VMs of every setup, before
// anyone wrote to them, and which setups they refused.
func TestObservedLimits(t *testing.T) {
	files, err := filepath.Glob("testdata/observed/*.txt")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	compared := 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			compared += compareObserved(t, file)
		})
	}
	t.Logf("%d values and refusals compared on %d hosts", compared, len(files))
}

func compareObserved(t *testing.T, file string) (compared int) {
	var host *Host
	var setup string
	var machine *VM
	base := map[arm64.ID]uint64{} // setups after the first are differences
	want := map[arm64.ID]uint64{}
	finish := func() {
		if machine == nil {
			return
		}
		for id, b := range base {
			value, differs := want[id]
			if !differs {
				value = b
			}
			compared++
			if got, errno := machine.get(&machine.vcpus[0], id); errno != 0 || got != value {
				t.Errorf("setup %s, %v: the kernel shows %#x, the model %#x, %d", setup, id, value, got, errno)
			}
		}
	}
	lines(t, file, func(words []string) {
		switch words[0] {
		case "host":
			host = observedHost(t, words[1:])
		case "setup":
			finish()
			setup, want = words[1], map[arm64.ID]uint64{}
			s := setupNamed(setup)
			var err error
			if machine, err = host.newVM(&s, 1); err != nil {
				t.Errorf("setup %s: %v", setup, err)
			}
		case "refused":
			for _, name := range words[2:] {
				s := setupNamed(name)
				_, err := host.newVM(&s, 1)
				var errno syscall.Errno
				if n, _ := strconv.Atoi(words[1]); !errors.As(err, &errno) || int(errno) != n {
					t.Errorf("setup %s: the kernel answers errno %s, the model %v", name, words[1], err)
				}
				compared++
			}
		default:
			id, value := arm64.ID(hex(t, words[0])), hex(t, words[1])
			want[id] = value
			if setup == "base" {
				base[id] = value
			}
		}
	})
	finish()
	return compared
}

// TestObservedLists: the register lists of kernels in the lab.
func TestObservedLists(t *testing.T) {
	var version, setup string
	var base, want []arm64.ID
	compared := 0
	finish := func() {
		if setup == "" {
			return
		}
		model := "max"
		if strings.Contains(setup, "mte") {
			model = "max+mte"
		}
		if strings.Contains(setup, "el2") {
			model += ",kvm-arm.mode=nested"
		}
		host, err := Open(version + "/" + model)
		if err != nil {
			t.Fatal(err)
		}
		s := setupNamed(setup)
		machine, err := host.newVM(&s, 1)
		if err != nil {
			t.Fatal(err)
		}
		if s.Has(guise.FeatureSVE) {
			if _, err := machine.List(0); !errors.Is(err, syscall.EPERM) {
				t.Errorf("Linux %s, %s: listing before SVE is finalised gave %v", version, setup, err)
			}
			if err := machine.Finalize(0); err != nil {
				t.Fatal(err)
			}
		}
		got, err := machine.List(0)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		compared += len(want)
		for _, id := range want {
			if _, found := slices.BinarySearch(got, id); !found {
				t.Errorf("Linux %s, %s: the kernel lists %v (%#x), the model does not", version, setup, id, uint64(id))
			}
		}
		for _, id := range got {
			if _, found := slices.BinarySearch(want, id); !found {
				t.Errorf("Linux %s, %s: the model lists %v (%#x), the kernel does not", version, setup, id, uint64(id))
			}
		}
	}
	lines(t, "testdata/lists.txt", func(words []string) {
		switch {
		case words[0] == "kernel":
			finish()
			version, setup, want, base = words[1], "base", nil, nil
		case words[0] == "setup":
			finish()
			if base == nil {
				base = slices.Clone(want)
			}
			setup, want = words[1], slices.Clone(base)
		case words[0][0] == '+':
			want = append(want, arm64.ID(hex(t, words[0][1:])))
		case words[0][0] == '-':
			gone := arm64.ID(hex(t, words[0][1:]))
			want = slices.DeleteFunc(want, func(id arm64.ID) bool { return id == gone })
		default:
			want = append(want, arm64.ID(hex(t, words[0])))
		}
	})
	finish()
	t.Logf("%d ids compared", compared)
}
