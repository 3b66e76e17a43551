package power

import (
	"encoding/binary"
	"fmt"
)

// StateField is a field of hv_guest_state, the structure in which L1 hands L0
// the hypervisor-privileged registers of L2 (Linux,
// arch/powerpc/include/asm/kvm_guest.h and hvcall.h). It indexes State.
type StateField uint8

// The fields in the order of their offsets.
const (
	StateVersion StateField = iota
	StateLPID
	StateVCPUToken
	StateLPCR
	StatePCR
	StateAMOR
	StateDPDES
	StateHFSCR
	StateTBOffset
	StateDAWR0
	StateDAWRX0
	StateCIABR
	StateHDECExpiry
	StatePURR
	StateSPURR
	StateIC
	StateVTB
	StateHDAR
	StateHDSISR
	StateHEIR
	StateASDR
	StateSRR0
	StateSRR1
	StateSPRG0
	StateSPRG1
	StateSPRG2
	StateSPRG3
	StatePIDR
	StateCFAR
	StatePPR
	StateDAWR1
	StateDAWRX1

	StateFields // the number of fields
)

// StateRow describes a field of hv_guest_state.
type StateRow struct {
	Field        StateField
	Name         string
	Offset, Size uint16 // in bytes
	// Version is the structure version that brought the field.
	Version uint8
}

// StateLayout lists every field of hv_guest_state in the order of offsets.
var StateLayout = [StateFields]StateRow{
	{StateVersion, "version", 0, 8, 1},
	{StateLPID, "lpid", 8, 4, 1},
	{StateVCPUToken, "vcpu_token", 12, 4, 1},
	{StateLPCR, "lpcr", 16, 8, 1},
	{StatePCR, "pcr", 24, 8, 1},
	{StateAMOR, "amor", 32, 8, 1},
	{StateDPDES, "dpdes", 40, 8, 1},
	{StateHFSCR, "hfscr", 48, 8, 1},
	{StateTBOffset, "tb_offset", 56, 8, 1},
	{StateDAWR0, "dawr0", 64, 8, 1},
	{StateDAWRX0, "dawrx0", 72, 8, 1},
	{StateCIABR, "ciabr", 80, 8, 1},
	{StateHDECExpiry, "hdec_expiry", 88, 8, 1},
	{StatePURR, "purr", 96, 8, 1},
	{StateSPURR, "spurr", 104, 8, 1},
	{StateIC, "ic", 112, 8, 1},
	{StateVTB, "vtb", 120, 8, 1},
	{StateHDAR, "hdar", 128, 8, 1},
	{StateHDSISR, "hdsisr", 136, 8, 1},
	{StateHEIR, "heir", 144, 8, 1},
	{StateASDR, "asdr", 152, 8, 1},
	{StateSRR0, "srr0", 160, 8, 1},
	{StateSRR1, "srr1", 168, 8, 1},
	{StateSPRG0, "sprg0", 176, 8, 1},
	{StateSPRG1, "sprg1", 184, 8, 1},
	{StateSPRG2, "sprg2", 192, 8, 1},
	{StateSPRG3, "sprg3", 200, 8, 1},
	{StatePIDR, "pidr", 208, 8, 1},
	{StateCFAR, "cfar", 216, 8, 1},
	{StatePPR, "ppr", 224, 8, 1},
	{StateDAWR1, "dawr1", 232, 8, 2},
	{StateDAWRX1, "dawrx1", 240, 8, 2},
}

// Sizes of hv_guest_state in bytes. Linux up to 5.11 knows only version 1.
const (
	StateSizeV1 = 232
	StateSizeV2 = 248
)

// String gives the kernel's name of the field.
func (f StateField) String() string { return StateLayout[f].Name }

// StateFieldNamed finds a field by the kernel's name.
func StateFieldNamed(name string) (StateField, bool) {
	for i := range StateLayout {
		if StateLayout[i].Name == name {
			return StateLayout[i].Field, true
		}
	}
	return 0, false
}

// State is the content of an hv_guest_state, one value a field, in the native
// sense of whoever reads it. Fields of 4 bytes use the low half.
type State [StateFields]uint64

// StateSize returns the size in bytes of a structure version, and false for a
// version nobody has. Linux looks at the low 32 bits only when it does this.
func StateSize(version uint32) (int, bool) {
	switch version {
	case 1:
		return StateSizeV1, true
	case 2:
		return StateSizeV2, true
	}
	return 0, false
}

// AppendState appends the structure in the byte order given, with the fields
// that its version has. It fails for a version nobody has.
func AppendState(data []byte, state *State, order binary.ByteOrder) ([]byte, error) {
	size, ok := StateSize(uint32(state[StateVersion]))
	if !ok || state[StateVersion]>>32 != 0 {
		return data, fmt.Errorf("hv_guest_state.version: want 1 or 2, is %d", state[StateVersion])
	}
	start := len(data)
	data = append(data, make([]byte, size)...)
	for i := range StateLayout {
		row := &StateLayout[i]
		if int(row.Offset) >= size {
			break
		}
		at := data[start+int(row.Offset):]
		if row.Size == 4 {
			order.PutUint32(at, uint32(state[row.Field]))
		} else {
			order.PutUint64(at, state[row.Field])
		}
	}
	return data, nil
}

// ParseState reads a structure in the byte order given. The fields that its
// version lacks are 0. It fails where the data are shorter than the version's
// size or the version is one nobody has; data beyond that size are ignored, as
// the kernel ignores them.
func ParseState(data []byte, order binary.ByteOrder) (*State, error) {
	if len(data) < 8 {
		return nil, fmt.Errorf("hv_guest_state.version: want 8 bytes, there are %d", len(data))
	}
	version := order.Uint64(data)
	size, ok := StateSize(uint32(version))
	if !ok || version>>32 != 0 {
		return nil, fmt.Errorf("hv_guest_state.version: want 1 or 2, is %#x", version)
	}
	if len(data) < size {
		missing := StateLayout[0]
		for _, row := range StateLayout {
			if int(row.Offset+row.Size) > len(data) {
				missing = row
				break
			}
		}
		return nil, fmt.Errorf("hv_guest_state.%s: not all there; want %d bytes for version %d, there are %d",
			missing.Name, size, version, len(data))
	}
	var state State
	for i := range StateLayout {
		row := &StateLayout[i]
		if int(row.Offset) >= size {
			break
		}
		if row.Size == 4 {
			state[row.Field] = uint64(order.Uint32(data[row.Offset:]))
		} else {
			state[row.Field] = order.Uint64(data[row.Offset:])
		}
	}
	return &state, nil
}

// Offsets within pt_regs, the second structure of H_ENTER_NESTED (Linux uapi,
// asm/ptrace.h), in bytes. General-purpose register n is at 8*n.
const (
	RegsNIP  = 256
	RegsMSR  = 264
	RegsCTR  = 280
	RegsLink = 288
	RegsXER  = 296
	RegsCCR  = 304
)
