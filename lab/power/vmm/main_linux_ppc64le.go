// Command vmm runs the nested guests of lab/power on a POWER host with KVM-HV:
// vmm CASES RESULTS. It reads cases as JSON and writes a report; before an L2
// that spins it prints the case's name, so that somebody outside can look.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/go-json-experiment/json"

	kvmpower "github.com/guise-project/guise/kvm/power"
	lab "github.com/guise-project/guise/lab/power"
)

const (
	// watchdogLimit is how long an L2 that leaves by itself may run: a busy
	// host of the lab takes a hundredth of it.
	watchdogLimit = 30 * time.Second
	// spinLimit is how long an L2 spins for somebody to look.
	spinLimit = 5 * time.Second
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
	host, err := kvmpower.Open(kvmpower.DefaultPath)
	if err != nil {
		return err
	}
	defer host.Close()
	var report lab.Report
	for i := range cases {
		result := lab.Result{Name: cases[i].Name}
		limit := watchdogLimit
		if cases[i].Spin {
			fmt.Println(cases[i].Name)
			limit = spinLimit
		}
		if result.Outcome, err = host.Run(&cases[i].Nested, limit); err != nil {
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
