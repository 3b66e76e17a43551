package move

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kvm"
	"github.com/guise-project/guise/vm"
)

// The halves of TestEveryPair, which gives them their files. They do nothing elsewhere.

// TestInsideDepart captures this host, and saves a VM under each contract, and one that was
// given what the host shows.
func TestInsideDepart(t *testing.T) {
	if os.Getenv(pairHalf) == "" {
		return
	}
	host := openHost(t)
	capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, pairCapture, capture.Marshal())
	save := func(name string, contract *guise.Contract) {
		state, err := Save(t.Context(), host, contract, SaveOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		document, err := state.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		write(t, name+pairState, document)
	}
	save(shownName, asShownIn(capture, unaskedSetup(t, capture)))
	for name, data := range inputs(t, pairContract) {
		contract, err := guise.ReadContract(name, data)
		if err != nil {
			t.Fatal(err)
		}
		save(name, contract)
	}
}

// TestInsideArrive restores every state in the order of every VMM.
func TestInsideArrive(t *testing.T) {
	if os.Getenv(pairHalf) == "" {
		return
	}
	host := openHost(t)
	for name, data := range inputs(t, pairState) {
		state, err := ReadState(name, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, vmm := range pairVMMs {
			arrival, err := Restore(t.Context(), host, state, vmm)
			if err != nil {
				t.Fatalf("%s by %s: %v", name, vmm, err)
			}
			document, err := arrival.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			write(t, name+"-"+string(vmm)+pairArrival, document)
		}
	}
}

func openHost(t *testing.T) vm.Host {
	t.Helper()
	host, err := kvm.Open("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	return host
}

// inputs are the files with an ending, by their names without it.
func inputs(t *testing.T, ending string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("*" + ending)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		if files[strings.TrimSuffix(path, ending)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// unaskedSetup is the key of the setup that QEMU makes unasked on a host.
func unaskedSetup(t *testing.T, c *guise.Capture) string {
	t.Helper()
	m, err := guise.MoveOne(nil, c, c, "", guise.VMMQEMU)
	if err != nil {
		t.Fatal(err)
	}
	return m.Setup.Key()
}

// asShownIn is a contract of what a host shows in a setup.
func asShownIn(c *guise.Capture, key string) *guise.Contract {
	shown := c.Setup(key)
	contract := &guise.Contract{Name: "as shown", Setup: shown.Setup, View: shown.View, Listed: shown.Listed}
	contract.Complete(func(arm64.ID) bool { return false })
	return contract
}
