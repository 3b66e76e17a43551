package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
)

// TestForecastWritesWhatIsCapturedLater: the capture that a forecast writes holds
// nothing that the later kernel, on the same hardware, does not show.
func TestForecastWritesWhatIsCapturedLater(t *testing.T) {
	written, compared, refused := 0, 0, 0
	for _, cpu := range []string{"neoverse-n1", "neoverse-v1", "a64fx", "cortex-a53", "cortex-a72", "max"} {
		for _, kernels := range [][2]string{{"5.10", "6.1"}, {"5.10", "6.12"}, {"6.1", "7.2"}, {"6.12", "6.12"}, {"6.12", "6.18"}, {"6.18", "7.2"}, {"7.2", "6.1"}, {"6.18", "6.12"}} {
			from, to := "qemu10-"+cpu+"@"+kernels[0], "qemu10-"+cpu+"@"+kernels[1]
			real, err := catalog.Load(to)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "then.json")
			var out bytes.Buffer
			status := run(context.Background(), []string{"forecast", from, "--kernel", real.Host.Kernel, "--raw", cpu, "-o", file}, nil, &out, &out)
			if status == statusUsage && strings.Contains(out.String(), "are not those of "+from) || status == statusCannot {
				refused++
				if _, err := os.Stat(file); err == nil || !strings.Contains(out.String(), "guise: -o: ") {
					t.Errorf("%s to %s: status %d: %s", from, kernels[1], status, out.String())
				}
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%s to %s: status %d: %v: %s", from, kernels[1], status, err, out.String())
			}
			then, err := guise.ReadCapture(file, data)
			if err != nil {
				t.Fatal(err)
			}
			written++
			for i := range then.Setups {
				setup := &then.Setups[i]
				later := real.Setup(setup.Key())
				if later == nil {
					t.Errorf("%s to %s: setup %s is not there", from, kernels[1], setup.Key())
					continue
				}
				for place := range setup.View.Present.All() {
					if !later.View.Present.Has(place) {
						continue // not captured, or read as what a guest reads of what is not there
					}
					compared++
					if got, want := setup.View.Values[place], later.View.Values[place]; got != want {
						t.Errorf("%s to %s, setup %s: %s is %#x, and %#x was captured", from, kernels[1], setup.Key(), arm64.Registers[place].Name, got, want)
					}
				}
			}
		}
	}
	if written < 20 {
		t.Errorf("only %d captures were written", written)
	}
	testenv.Figure(t, "forecast -o: %d captures written, %d registers of them held against captures of the later kernel; %d refused, as the registers are not the host's", written, compared, refused)
}
