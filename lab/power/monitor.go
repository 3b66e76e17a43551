package power

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	isapower "github.com/guise-project/guise/isa/power"
	kvmpower "github.com/guise-project/guise/kvm/power"
)

// realRegisters are what QEMU's monitor calls the real registers that the
// model has an opinion on.
var realRegisters = []struct {
	name  string // the monitor's
	field isapower.StateField
	// kept holds the bits that QEMU 10.0 keeps of the register, since the
	// level of the first machine on which it has the register.
	kept  uint64
	since isapower.Level
}{
	{"hfscr", isapower.StateHFSCR, ^uint64(0), 0},
	{"lpcr", isapower.StateLPCR, ^uint64(0x4), 0}, // no LPES1, which POWER9 and later do not have
	{"pcr", isapower.StatePCR, ^isapower.PCRReserved, 0},
	{"amor", isapower.StateAMOR, ^uint64(0), 0},
	{"dawr0", isapower.StateDAWR0, ^uint64(0), isapower.Level31}, // reads 0 on powernv9
	{"dawrx0", isapower.StateDAWRX0, ^uint64(0), isapower.Level31},
	{"ciabr", isapower.StateCIABR, ^uint64(0), 0},
}

// Sample is what the CPU held while the L2 of a case spun.
type Sample struct {
	Registers map[string]uint64
	Error     string
}

// Sampler reads real registers of the spinning L2s of a job: its Write is for
// the job's standard output, where the VMM prints a case's name before L2
// spins, its Monitor for the job's Monitor.
type Sampler struct {
	names   chan string
	partial []byte
	// Samples holds a sample for each case that was announced; it may be read
	// once the job is over.
	Samples map[string]Sample
}

// NewSampler returns a Sampler for a job of at most the given number of cases.
func NewSampler(cases int) *Sampler {
	return &Sampler{names: make(chan string, cases), Samples: map[string]Sample{}}
}

// Write takes lines, each the name of a case whose L2 is about to spin.
func (s *Sampler) Write(b []byte) (int, error) {
	s.partial = append(s.partial, b...)
	for {
		line, rest, found := bytes.Cut(s.partial, []byte("\n"))
		if !found {
			return len(b), nil
		}
		select {
		case s.names <- string(line):
		default:
			return 0, fmt.Errorf("more lines than cases")
		}
		s.partial = rest
	}
}

// samplePeriod is how long the machine goes on between two looks.
const samplePeriod = 50 * time.Millisecond

// Monitor samples until the context ends.
func (s *Sampler) Monitor(ctx context.Context, ask func(string) (string, error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case name := <-s.names:
			s.Samples[name] = sample(ctx, ask)
		}
	}
}

// sample stops the machine again and again until its CPU is in the spinning
// L2: at CodeAddress, of a partition other than the host's.
func sample(ctx context.Context, ask func(string) (string, error)) Sample {
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	for range 200 {
		registers, err := look(ask)
		if err != nil {
			return Sample{Error: err.Error()}
		}
		if registers != nil {
			return Sample{Registers: registers}
		}
		select {
		case <-ctx.Done():
			return Sample{Error: "the job ended first"}
		case <-tick.C:
		}
	}
	return Sample{Error: "the CPU was never seen in L2"}
}

// look stops the machine, reads registers where the CPU is in L2, and lets it
// go on.
func look(ask func(string) (string, error)) (registers map[string]uint64, err error) {
	if _, err := ask("stop"); err != nil {
		return nil, err
	}
	defer func() {
		if _, contErr := ask("cont"); err == nil {
			err = contErr
		}
	}()
	nip, err := read(ask, "nip")
	if err != nil || nip != kvmpower.CodeAddress {
		return nil, err
	}
	if lpid, err := read(ask, "lpidr"); err != nil || lpid == 0 {
		return nil, err
	}
	registers = map[string]uint64{}
	for _, r := range realRegisters {
		if registers[r.name], err = read(ask, r.name); err != nil {
			return nil, err
		}
	}
	return registers, nil
}

func read(ask func(string) (string, error), register string) (uint64, error) {
	text, err := ask("p/x $" + register)
	if err != nil {
		return 0, err
	}
	value, err := strconv.ParseUint(strings.TrimSpace(text), 0, 64)
	if err != nil {
		return 0, fmt.Errorf("QEMU's monitor: $%s: %q", register, text)
	}
	return value, nil
}
