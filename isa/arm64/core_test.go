package arm64

import "testing"

// TestCoresAreComplete holds the table of cores against what it promises: each
// number once, in order, with a name and a source, and parts of every maker whose
// servers and boards run KVM.
func TestCoresAreComplete(t *testing.T) {
	parts := map[uint8]int{}
	last := uint64(0)
	for _, c := range Cores {
		key := uint64(c.Implementer)<<12 | uint64(c.Part)
		if key <= last || c.Part > 0xfff {
			t.Errorf("%#x %#x %s: out of order, there twice, or too wide", c.Implementer, c.Part, c.Name)
		}
		last = key
		if c.Name == "" || c.Source < FromLinux || c.Source > FromCompiler {
			t.Errorf("%#x %#x: name %q, source %d", c.Implementer, c.Part, c.Name, c.Source)
		}
		if Implementers[c.Implementer] == "" {
			t.Errorf("%s: implementer %#x has no name", c.Name, c.Implementer)
		}
		parts[c.Implementer]++
	}
	for _, maker := range []string{"Arm", "Ampere", "Apple", "HiSilicon", "Phytium", "Cavium", "Fujitsu", "NVIDIA", "Qualcomm", "Microsoft"} {
		found := false
		for number, name := range Implementers {
			found = found || name == maker && parts[number] > 0
		}
		if !found {
			t.Errorf("%s: no core of theirs is known", maker)
		}
	}
}

func TestCoreNames(t *testing.T) {
	for midr, want := range map[uint64]string{
		0x413fd0c1: "Neoverse N1 r3p1", 0x410fd4f1: "Neoverse V2 r0p1", 0xc00fac31: "AmpereOne r0p1", 0x481fd010: "TaiShan v110 r1p0",
		0x700f8620: "FTC862 r0p0", 0x431f0af1: "ThunderX2 r1p1", 0x6d0fd490: "Azure Cobalt 100 r0p0", 0x611f0221: "Icestorm M1 r1p1",
		0x511f0011: "Oryon r1p1", 0x4e0f0100: "Olympus r0p0", 0x461f0010: "A64FX r1p0",
		0x481fdfe0: "HiSilicon, part 0xdfe, r1p0", 0x33123456: "implementer 0x33, part 0x345, r1p6",
	} {
		if got := DescribeCore(midr); got != want {
			t.Errorf("%#x: %q, want %q", midr, got, want)
		}
	}
}
