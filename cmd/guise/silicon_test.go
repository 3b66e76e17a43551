package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/catalog/silicon"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
)

// deviates are fields that a fingerprint shows otherwise for a reason, by machine, kernel
// and field: what Amazon's kernels carry, and what Firecracker wrote.
var deviates = map[string]bool{
	"graviton2@6.18 CLIDR_EL1": true, "graviton3@6.18 CLIDR_EL1": true, "graviton4@6.18 CLIDR_EL1": true, // Firecracker's, from its host's files
	"graviton3@6.1 ID_AA64MMFR2_EL1.CCIDX": true, "graviton3@6.1 ID_MMFR4_EL1.CCIDX": true, // hidden since 6.3, and in Amazon's 6.1
	"graviton4@6.1 ID_AA64MMFR2_EL1.CCIDX": true,
	"graviton3@6.18 ID_PFR1_EL1.GIC":       true, "graviton4@6.18 ID_PFR1_EL1.GIC": true, // the host's own: Firecracker makes the vGIC before it initialises vCPUs
}

// TestSiliconAgainstFingerprints: what is known of a machine's view under a kernel is what
// Firecracker's fingerprint of the real machine shows.
func TestSiliconAgainstFingerprints(t *testing.T) {
	known, unknown, deviations := 0, 0, 0
	for _, machine := range []string{"graviton2", "graviton3", "graviton4"} {
		for _, release := range []string{"5.10", "6.1", "6.18"} {
			name := machine + "@" + release
			truth, err := catalog.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			captures, err := siliconHosts(siliconPrefix + name)
			if err != nil {
				t.Fatal(err)
			}
			setup := captures[0].Setup("base/vgic3")
			if setup == nil {
				t.Fatalf("%s: not captured in base/vgic3", name)
			}
			real := truth.Setup("base/vgic3")
			for place := range arm64.Registers {
				register := &arm64.Registers[place]
				if !real.View.Present.Has(place) {
					continue
				}
				if !setup.View.Present.Has(place) {
					unknown++
					continue
				}
				differs := real.View.Values[place] ^ setup.View.Values[place]
				if register.Whole || len(register.Fields) == 0 {
					known++
					switch {
					case differs != 0 && deviates[name+" "+register.Name]:
						deviations++
					case differs != 0:
						t.Errorf("%s: %s is %#x, known as %#x", name, register.Name, real.View.Values[place], setup.View.Values[place])
					}
					continue
				}
				for i := range register.Fields {
					f := &register.Fields[i]
					known++
					switch {
					case f.Mask()&differs == 0:
					case deviates[name+" "+register.Name+"."+f.Name]:
						deviations++
					default:
						t.Errorf("%s: %s.%s is %d, known as %d", name, register.Name, f.Name, f.Get(real.View.Values[place]), f.Get(setup.View.Values[place]))
					}
				}
			}
		}
	}
	testenv.Figure(t, "machines by their registers against fingerprints of the real ones: %d values known, %d as Amazon's kernels and Firecracker make them, %d registers not known", known, deviations, unknown)
	if known < 1000 {
		t.Errorf("%d values are known: too few", known)
	}
}

// TestEveryMachineStandsForHosts: every machine of the table gives captures under an old
// kernel and a new one, one for each kind of core, and what is not known of it is not in
// them.
func TestEveryMachineStandsForHosts(t *testing.T) {
	for _, name := range silicon.Names() {
		m := silicon.Named(name)
		captures, err := siliconHosts(siliconPrefix + name + "@6.12.60")
		if err != nil {
			t.Error(err)
			continue
		}
		if len(captures) != len(m.Cores) {
			t.Errorf("%s: %d captures of %d kinds of core", name, len(captures), len(m.Cores))
		}
		for i, c := range captures {
			if len(c.Setups) == 0 || c.Complete || !slices.ContainsFunc(c.Host.CPUs, func(cpu guise.HostCPU) bool { return cpu.MIDR == m.Cores[i].MIDR }) {
				t.Errorf("%s: %d setups, complete: %v, %v", c.Name, len(c.Setups), c.Complete, c.Host.CPUs)
			}
			for j := range c.Setups {
				if _, read := m.Cores[i].Reading("ID_AA64ISAR2_EL1"); !read && len(m.Cores) == 1 && c.Setups[j].View.Present.Has(arm64.IDAA64ISAR2EL1) {
					t.Errorf("%s: ID_AA64ISAR2_EL1 is known, which nobody read", c.Name)
				}
			}
		}
	}
}

// TestMovesOfSiliconAgainstFingerprints: between two kernels on one machine, what is
// definite of a move between hosts by the machine's registers is definite of the same move
// between Firecracker's fingerprints of the real machine, or unknown there, and the other
// way round.
func TestMovesOfSiliconAgainstFingerprints(t *testing.T) {
	releases := []string{"5.10", "6.1", "6.18"}
	moves, same, open := 0, 0, 0
	for _, machine := range []string{"graviton2", "graviton3", "graviton4"} {
		bySilicon, byFingerprint := map[string]*guise.Capture{}, map[string]*guise.Capture{}
		for _, release := range releases {
			captures, err := siliconHosts(siliconPrefix + machine + "@" + release)
			if err != nil {
				t.Fatal(err)
			}
			bySilicon[release] = captures[0]
			if byFingerprint[release], err = catalog.Load(machine + "@" + release); err != nil {
				t.Fatal(err)
			}
		}
		for _, from := range releases {
			for _, to := range releases {
				if from == to {
					continue
				}
				moves++
				said := movePoints(t, bySilicon[from], bySilicon[to])
				real := movePoints(t, byFingerprint[from], byFingerprint[to])
				for name, outcome := range real {
					switch other, ok := said[name]; {
					case outcome == guise.MoveUnknown:
					case ok && other == outcome:
						same++
					case ok && other == guise.MoveUnknown, !ok && notOfSilicon(bySilicon[from], bySilicon[to], name):
						open++
					case deviatesInMove(machine, from, to, name):
					default:
						t.Errorf("%s from %s to %s: %s: %v between fingerprints, by the registers %v (%v)", machine, from, to, name, outcome, other, ok)
					}
				}
				for name, outcome := range said {
					other, ok := real[name]
					if outcome != guise.MoveUnknown && other != guise.MoveUnknown && (!ok || other != outcome) && !deviatesInMove(machine, from, to, name) {
						t.Errorf("%s from %s to %s: %s: %v by the registers, between fingerprints %v (%v)", machine, from, to, name, outcome, other, ok)
					}
				}
			}
		}
	}
	testenv.Figure(t, "moves between kernels of 3 machines by their registers, against those between fingerprints of the real ones: %d moves, %d points alike, %d not known by the registers", moves, same, open)
	if same < 20 {
		t.Errorf("%d points alike: too few", same)
	}
}

// movePoints are the outcomes of a move by Firecracker, by the names of registers and
// fields.
func movePoints(t *testing.T, from, to *guise.Capture) map[string]guise.Outcome {
	t.Helper()
	m, err := guise.MoveOne(nil, from, to, "base/vgic3", guise.VMMFirecracker)
	if err != nil {
		t.Fatal(err)
	}
	points := map[string]guise.Outcome{}
	for i := range m.Points {
		points[m.Points[i].Name()] = m.Points[i].Outcome
	}
	return points
}

// notOfSilicon reports whether one of two hosts was not captured with a register.
func notOfSilicon(from, to *guise.Capture, name string) bool {
	register, _, _ := strings.Cut(name, ".")
	place, known := arm64.Place(register)
	return !known || !from.Setup("base/vgic3").View.Present.Has(place) || !to.Setup("base/vgic3").View.Present.Has(place)
}

// patched are registers that Amazon's older kernels list, and those of their names do not.
var patched = []string{"CNTPCT_EL0", "CNTP_CTL_EL0", "CNTP_CVAL_EL0"}

// deviatesInMove reports whether one end of a move is known to deviate in a field.
func deviatesInMove(machine, from, to, name string) bool {
	return to != "6.18" && slices.Contains(patched, name) || deviates[machine+"@"+from+" "+name] || deviates[machine+"@"+to+" "+name]
}
