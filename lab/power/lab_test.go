package power

import (
	"encoding/binary"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	isapower "github.com/guise-project/guise/isa/power"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
	model "github.com/guise-project/guise/model/power"
)

// hosts is what CI runs; the others take longer, for their livelocks.
var hosts = flag.String("power.hosts", "7.2/powernv10", "hosts to run the nested cases on: any of 7.2, 6.12, 6.1 on powernv9, powernv10")

// machineLevels are the levels of QEMU's boards.
var machineLevels = map[string]isapower.Level{"powernv9": isapower.Level30, "powernv10": isapower.Level31}

// TestKernels puts every case to real kernels.
func TestKernels(t *testing.T) {
	if labtest.Inside() {
		return
	}
	program := labtest.Program(t, "ppc64le", "github.com/guise-project/guise/lab/power/vmm")
	for name := range strings.SplitSeq(*hosts, ",") {
		kernel, machine, _ := strings.Cut(name, "/")
		level, ok := machineLevels[machine]
		if !ok {
			t.Fatalf("-power.hosts: %q: want a kernel and a board, as 7.2/powernv10", name)
		}
		t.Run(name, func(t *testing.T) {
			g, basis, err := model.FindGeneration(kernel)
			if err != nil || basis != "" {
				t.Fatalf("%v %s", err, basis)
			}
			h := Host{Generation: g, Level: level, Permitted: model.Permitted{Available: g.Permitted(level, false), Emulated: isapower.MSGP}}
			runHost(t, lab.Host{Arch: "ppc64le", Kernel: kernel, Machine: machine, Modules: []string{"kvm_hv"}, Limit: 6 * time.Minute}, h, program)
		})
	}
}

func runHost(t *testing.T, host lab.Host, h Host, program string) {
	var cases []Case
	for _, c := range Cases(h) {
		if c.NotTestable != "" {
			t.Logf("not testable here: %s: %s", c.Name, c.NotTestable)
			continue
		}
		cases = append(cases, c)
	}
	data, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	sampler := NewSampler(len(cases))
	result := labtest.Run(t, host, lab.Job{
		Program: program, Args: []string{"cases.json", "results.json"},
		Files:   []lab.File{{Path: "cases.json", Content: data}},
		Outputs: []string{"results.json"},
		Stdout:  sampler, Monitor: sampler.Monitor,
	})
	if result.Status != 0 || len(result.Files) != 1 {
		t.Fatalf("the VMM ended with status %d: %s", result.Status, result.Stderr)
	}
	var report Report
	if err := json.Unmarshal(result.Files[0].Content, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != len(cases) {
		t.Fatalf("%d results for %d cases", len(report.Results), len(cases))
	}
	compared, disagreed := 0, 0
	var leaks []string
	for i := range cases {
		r := &report.Results[i]
		p, err := Predict(h, &cases[i], r.L1LPCR)
		if err != nil {
			t.Error(err)
			continue
		}
		differences, n := Compare(&cases[i], p, r)
		if cases[i].Spin {
			more, m := CompareReal(&cases[i], p, sampler.Samples[cases[i].Name])
			differences, n = append(differences, more...), n+m
		}
		if cfar := returnedCFAR(&cases[i], p, r); cfar >= kernelSpace {
			leaks = append(leaks, fmt.Sprintf("%s (%#x)", r.Name, cfar))
		}
		compared += n
		disagreed += len(differences)
		for _, d := range differences {
			t.Error(d)
		}
	}
	// A finding about the kernel, not about the model: docs/findings-power.md.
	t.Logf("%d cases returned a kernel address in cfar: %s", len(leaks), strings.Join(leaks, "; "))
	t.Logf("%s, QEMU %s: %d cases, %d values compared, %d disagree, in %v",
		result.Release, result.QEMU, len(cases), compared, disagreed, result.Elapsed.Round(1e8))
}

// kernelSpace is where Linux maps itself on 64-bit POWER.
const kernelSpace = 0xc000000000000000

// returnedCFAR is what L1 found in cfar, 0 where nothing came back.
func returnedCFAR(c *Case, p Prediction, r *Result) uint64 {
	if r.Error != "" || !writtenBack(&p.Ended) {
		return 0
	}
	at := r.Structure[isapower.StateLayout[isapower.StateCFAR].Offset:]
	if c.BigEndian {
		return binary.BigEndian.Uint64(at)
	}
	return binary.LittleEndian.Uint64(at)
}
