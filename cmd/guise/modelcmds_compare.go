package main

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/scenario/difftest"
)

// modelCompareCommand puts this machine's KVM beside the reference model.
type modelCompareCommand struct {
	As         string           `required:"" placeholder:"VERSION/CPU" help:"The model host this machine is: 6.12/neoverse-v1. Kernel parameters follow after commas."`
	Seed       uint64           `help:"Seed of random choices; 0 draws one. It is printed."`
	Operations int              `default:"10000" help:"Random operations; negative for none."`
	Suite      []difftest.Suite `enum:"setups,sweep,services,kept,guest,random" default:"setups,sweep,services,kept,guest,random" help:"What to compare: ${enum}."`
	Full       bool             `help:"Sweep every register in every setup."`
	Device     string           `default:"/dev/kvm" help:"KVM's device."`
	JSON       bool             `name:"json" help:"Print the report as JSON."`
	Quiet      bool             `short:"q" help:"Do not say what is being compared."`
}

func (c *modelCompareCommand) Run(s *session) (int, error) {
	reference, err := model.Open(c.As)
	if err != nil {
		return 0, &inputError{err}
	}
	host, err := openKVM(c.Device)
	if err != nil {
		return 0, err
	}
	defer host.Close()
	if c.Seed == 0 {
		// Not of a generator of this process's: a host of the lab may be a copy.
		var seed [8]byte
		_, _ = rand.Read(seed[:]) // it ends the process rather than fail
		c.Seed = binary.NativeEndian.Uint64(seed[:])
	}
	options := difftest.Options{Seed: c.Seed, Operations: c.Operations, Full: c.Full, Suites: c.Suite}
	if !c.Quiet {
		options.Progress = func(what string) { fmt.Fprintln(s.stderr, what) }
	}
	report, err := difftest.Run(s.ctx, host, reference, options)
	if printErr := c.print(s, report); printErr != nil {
		err = errors.Join(err, printErr)
	}
	switch {
	case err != nil:
		return 0, err
	case report.Differing > 0:
		return statusNo, nil
	}
	return statusYes, nil
}

func (c *modelCompareCommand) print(s *session, r *difftest.Report) error {
	if c.JSON {
		data, err := json.Marshal(r, json.Deterministic(true), jsontext.WithIndent("  "))
		if err != nil {
			return err
		}
		_, err = s.stdout.Write(append(data, '\n'))
		return err
	}
	verdict := "answer the same"
	if r.Differing > 0 {
		verdict = "do not answer the same"
	}
	var parts []string
	for _, suite := range difftest.AllSuites {
		if n := r.Comparisons[suite]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", suite, n))
		}
	}
	fmt.Fprintf(s.stdout, "%s and %s %s: %d of %d results differ (%s; %d guest operations not modelled; seed %d)\n",
		r.Kernel, r.Model, verdict, r.Differing, r.Total(), strings.Join(parts, ", "), r.NotModelled, r.Seed)
	for _, d := range r.Disagreements {
		fmt.Fprintf(s.stdout, "\n# %s, setup %s: the kernel: %s; the model: %s\n%s\n", d.Suite, d.Setup, d.Kernel, d.Model, d.Scenario)
	}
	return nil
}
