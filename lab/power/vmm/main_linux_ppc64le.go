// Command vmm runs the nested guests of lab/power on a POWER host with KVM-HV:
// vmm CASES RESULTS. It reads cases as JSON and writes a report; before an L2
// that spins it prints the case's name, so that somebody outside can look.
package main

import (
	"fmt"
	"os"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise/internal/kvmabi/powerpc"
	isapower "github.com/guise-project/guise/isa/power"
	lab "github.com/guise-project/guise/lab/power"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "vmm: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want the names of the cases' and the results' files")
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var cases []lab.Case
	if err := json.Unmarshal(data, &cases); err != nil {
		return err
	}
	kvm, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer kvm.Close()
	h := &host{kvm: int(kvm.Fd())}
	report := lab.Report{Compat: map[string]bool{}, Capabilities: map[string]int{}}
	if err := describe(h, &report); err != nil {
		return err
	}
	for i := range cases {
		result := lab.Result{Name: cases[i].Name}
		if err := h.runCase(&cases[i], &result); err != nil {
			result.Error = err.Error()
		}
		report.Results = append(report.Results, result)
	}
	data, err = json.Marshal(report)
	if err != nil {
		return err
	}
	return os.WriteFile(args[1], data, 0o644)
}

// describe asks what the host has to say about itself.
func describe(h *host, report *lab.Report) error {
	for name, number := range map[string]uintptr{
		"KVM_CAP_PPC_NESTED_HV": powerpc.CapNestedHV, "KVM_CAP_PPC_DAWR1": powerpc.CapDAWR1, "KVM_CAP_PPC_HTM": powerpc.CapHTM,
	} {
		answer, err := ioctl(h.kvm, powerpc.CheckExtension, number)
		if err != nil {
			return err
		}
		report.Capabilities[name] = answer
	}
	m, err := h.newMachine(0)
	if err != nil {
		return err
	}
	chars, err := m.cpuChar()
	m.close()
	if err != nil {
		return err
	}
	report.CPUChar = chars
	for _, level := range isapower.Levels {
		m, err := h.newMachine(level.Level)
		report.Compat[level.Name] = err == nil
		if err == nil {
			m.close()
		}
	}
	return nil
}
