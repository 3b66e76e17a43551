// Package arm64 holds Arm's feature ID space and KVM's firmware registers as
// data: encodings, fields, orders and FEAT_ names. It is pure and the same on
// every platform.
package arm64

import (
	"fmt"
	"strconv"
	"strings"
)

// Encoding is the op0..op2 number of an AArch64 system register
// (Arm ARM, "System register encoding").
type Encoding struct {
	Op0, Op1, CRn, CRm, Op2 uint8
}

// Parts of a KVM register id (Linux, Documentation/virt/kvm/api.rst, 4.68).
const (
	idArm64     = 0x6000_0000_0000_0000
	idSizeMask  = 0x00f0_0000_0000_0000
	idSizeShift = 52

	idDemux           = idArm64 | 2<<idSizeShift | 0x11<<16
	idSysreg          = idArm64 | 3<<idSizeShift | 0x13<<16
	idFirmware        = idArm64 | 3<<idSizeShift | 0x14<<16
	idFirmwareFeature = idArm64 | 3<<idSizeShift | 0x16<<16

	// IDSVEVectorLengths is KVM_REG_ARM64_SVE_VLS, 512 bits.
	IDSVEVectorLengths ID = 0x6060_0000_0015_ffff
)

// ID is a KVM register id, as KVM_GET_ONE_REG takes it.
type ID uint64

// ID returns the KVM register id of the system register.
func (e Encoding) ID() ID {
	return ID(idSysreg | uint64(e.Op0)<<14 | uint64(e.Op1)<<11 | uint64(e.CRn)<<7 | uint64(e.CRm)<<3 | uint64(e.Op2))
}

// Encoding returns the system register encoding of the id, and false for an id
// that does not name a 64-bit system register.
func (id ID) Encoding() (Encoding, bool) {
	if uint64(id)&^0xffff != idSysreg {
		return Encoding{}, false
	}
	return Encoding{
		Op0: uint8(id >> 14 & 3), Op1: uint8(id >> 11 & 7),
		CRn: uint8(id >> 7 & 15), CRm: uint8(id >> 3 & 15), Op2: uint8(id & 7),
	}, true
}

// Size returns the size of the register's value in bytes.
func (id ID) Size() int { return 1 << ((uint64(id) & idSizeMask) >> idSizeShift) }

// FirmwareID returns the id of KVM's firmware pseudo-register number n.
func FirmwareID(n uint16) ID { return idFirmware | ID(n) }

// FirmwareFeatureID returns the id of KVM's hypercall bitmap register number n.
func FirmwareFeatureID(n uint16) ID { return idFirmwareFeature | ID(n) }

// CCSIDRID returns the id of the CCSIDR_EL1 value that CSSELR_EL1 = level
// selects, level 0 to 13. The value is 32 bits wide.
func CCSIDRID(level uint8) ID { return idDemux | ID(level) }

// String gives the generic assembler name, S3_0_C0_C4_3.
func (e Encoding) String() string {
	return fmt.Sprintf("S%d_%d_C%d_C%d_%d", e.Op0, e.Op1, e.CRn, e.CRm, e.Op2)
}

// ParseEncoding reads the generic assembler name that String writes.
func ParseEncoding(name string) (Encoding, error) {
	n, ok := parseNumbers(name, "S", 3)
	if !ok {
		return Encoding{}, fmt.Errorf("%s: not an encoding; want op0, op1, CRn, CRm and op2 as in S3_0_C0_C4_3", name)
	}
	return Encoding{n[0], n[1], n[2], n[3], n[4]}, nil
}

// parseNumbers reads the five numbers of a generic name: the first after a prefix
// and with a limit of its own, then those of 7, 15, 15 and 7.
func parseNumbers(name, prefix string, limit uint64) (numbers [5]uint8, ok bool) {
	parts := strings.Split(name, "_")
	if len(parts) != len(numbers) {
		return numbers, false
	}
	limits := [...]uint64{limit, 7, 15, 15, 7}
	prefixes := [...]string{prefix, "", "C", "C", ""}
	for i, part := range parts {
		digits, ok := strings.CutPrefix(part, prefixes[i])
		n, err := strconv.ParseUint(digits, 10, 8)
		if !ok || err != nil || n > limits[i] || strconv.FormatUint(n, 10) != digits {
			return numbers, false
		}
		numbers[i] = uint8(n)
	}
	return numbers, true
}
