package arm64

import (
	"fmt"
	"sync"
)

// Core is one kind of processor core: what the Implementer and PartNum of
// MIDR_EL1 name.
type Core struct {
	Implementer uint8
	Part        uint16
	Name        string
	// Source says where the number is from.
	Source CoreSource
}

// CoreSource says where the number of a core is from.
type CoreSource uint8

const (
	// FromLinux: arch/arm64/include/asm/cputype.h of Linux, 3.10 to 7.2.
	FromLinux CoreSource = iota + 1
	// FromLscpu: the table of util-linux's lscpu.
	FromLscpu
	// FromMachine: /proc/cpuinfo or MIDR_EL1 of a machine, in public dumps
	// (arm-socs-table, arm-cpusysregs).
	FromMachine
	// FromCompiler: the tables by which GCC and LLVM choose -mcpu=native.
	FromCompiler
)

// Implementers names those that MIDR_EL1.Implementer stands for (Arm ARM, DDI
// 0487, MIDR_EL1, and the sources of Cores).
var Implementers = map[uint8]string{
	0x41: "Arm", 0x42: "Broadcom", 0x43: "Cavium", 0x44: "DEC", 0x46: "Fujitsu", 0x48: "HiSilicon",
	0x49: "Infineon", 0x4d: "Motorola", 0x4e: "NVIDIA", 0x50: "Applied Micro", 0x51: "Qualcomm",
	0x53: "Samsung", 0x56: "Marvell", 0x61: "Apple", 0x69: "Intel", 0x6d: "Microsoft", 0x70: "Phytium", 0xc0: "Ampere",
}

var coreNames = sync.OnceValue(func() map[uint64]string {
	names := make(map[uint64]string, len(Cores))
	for i := range Cores {
		names[uint64(Cores[i].Implementer)<<12|uint64(Cores[i].Part)] = Cores[i].Name
	}
	return names
})

// CoreName names the core that a MIDR_EL1 value identifies, with variant and
// revision: "Neoverse N1 r3p1"; "" for one that is not known.
func CoreName(midr uint64) string {
	name := coreNames()[midr>>24<<12|midr>>4&0xfff]
	if name == "" {
		return ""
	}
	return fmt.Sprintf("%s r%dp%d", name, midr>>20&15, midr&15)
}

// DescribeCore is CoreName, and for a core that is not known what MIDR_EL1 says
// of it: "HiSilicon, part 0xd0f, r1p0".
func DescribeCore(midr uint64) string {
	if name := CoreName(midr); name != "" {
		return name
	}
	implementer := Implementers[uint8(midr>>24)]
	if implementer == "" {
		implementer = fmt.Sprintf("implementer %#x", midr>>24&0xff)
	}
	return fmt.Sprintf("%s, part %#x, r%dp%d", implementer, midr>>4&0xfff, midr>>20&15, midr&15)
}
