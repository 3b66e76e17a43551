package powerpc

import (
	"testing"
	"unsafe"
)

// TestStructures holds sizes against those in the request numbers, and offsets
// against the constants.
func TestStructures(t *testing.T) {
	sizes := map[Request]uintptr{
		GetOneReg: unsafe.Sizeof(OneReg{}), SetOneReg: unsafe.Sizeof(OneReg{}),
		SetUserMemoryRegion: unsafe.Sizeof(UserMemoryRegion{}), EnableCap: unsafe.Sizeof(EnableCapability{}),
		// The compiler of the kernel pads kvm_regs to the alignment of 8.
		GetRegs: unsafe.Sizeof(Regs{}), SetRegs: unsafe.Sizeof(Regs{}), GetCPUChar: unsafe.Sizeof(CPUChar{}), ConfigureV3MMU: unsafe.Sizeof(MMUv3{}),
	}
	for _, row := range Requests {
		if size, ok := sizes[row.Request]; row.Size != 0 && (!ok || size != uintptr(row.Size)) {
			t.Errorf("%s: the structure has %d bytes, the number says %d", row.Name, size, row.Size)
		}
	}
	var r Regs
	for name, at := range map[string][2]uintptr{
		"pc": {unsafe.Offsetof(r.PC), RegsPC}, "msr": {unsafe.Offsetof(r.MSR), RegsMSR}, "gpr": {unsafe.Offsetof(r.GPR), RegsGPR},
	} {
		if at[0] != at[1] {
			t.Errorf("%s at %d, want %d", name, at[0], at[1])
		}
	}
}
