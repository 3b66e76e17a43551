package kvm

import (
	"strings"
	"syscall"

	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
)

// registerName names any register that KVM has.
func registerName(id arm64.ID) string {
	if name := kvmabi.RegisterName(id); name != "" {
		return name
	}
	return id.String()
}

// hintRow says what mends a refused register access.
type hintRow struct {
	op    string // "get", "set", or "" for both
	name  string // prefix of the register's name, "" for all
	errno syscall.Errno
	hint  string
}

// hints are looked up in order; the first row that fits answers.
// Errnos: Linux 7.2 arch/arm64/kvm/{guest,sys_regs,hypercalls}.c, and what the
// kernels 5.10 to 7.2 answered in the lab.
var hints = []hintRow{
	{"", "", syscall.ENOEXEC, "the vCPU is not initialised; KVM_ARM_VCPU_INIT comes first"},
	{"set", "KVM_REG_ARM64_SVE_VLS", syscall.EPERM, "vector lengths are chosen before KVM_ARM_VCPU_FINALIZE, in a new VM"},
	{"", "", syscall.EPERM, "the vCPU has SVE; KVM_ARM_VCPU_FINALIZE comes first"},
	{"set", "KVM_REG_ARM64_SVE_VLS", syscall.EINVAL, "lengths can only be cut from the top: the host's set up to a maximum, with none left out"},
	{"set", "MIDR_EL1", syscall.EINVAL, "identity can be set with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS, from Linux 6.15, enabled before the vCPUs are made"},
	{"set", "REVIDR_EL1", syscall.EINVAL, "identity can be set with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS, from Linux 6.15, enabled before the vCPUs are made"},
	{"set", "AIDR_EL1", syscall.EINVAL, "identity can be set with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS, from Linux 6.15, enabled before the vCPUs are made"},
	{"set", "SMCCC_ARCH_WORKAROUND_", syscall.EINVAL, "the host's mitigation is weaker than this level; no VMM can change it"},
	{"set", "PSCI_VERSION", syscall.EINVAL, "this kernel does not implement that version; 1.2 and 1.3 came with Linux 6.13"},
	{"set", "STD_", syscall.EINVAL, "the bitmap has bits this kernel does not know"},
	{"set", "VENDOR_HYP_", syscall.EINVAL, "the bitmap has bits this kernel does not know"},
	{"set", "V", syscall.EINVAL, "a vCPU with SVE has its V registers in Z0 to Z31"},
	{"set", "", syscall.EBUSY, "a vCPU of this VM has run, which freezes its ID registers and bitmaps; write them before the first run"},
	{"set", "", syscall.EINVAL, "above what this kernel gives a VM of this setup; guise capture shows the values it takes"},
	{"", "", syscall.ENOENT, "this kernel has no such register for a VM of this setup; guise capture lists those it has"},
}

// hintFor says what mends a refused register access, or "".
func hintFor(op, name string, errno syscall.Errno) string {
	for _, row := range hints {
		if (row.op == "" || row.op == op) && row.errno == errno && strings.HasPrefix(name, row.name) {
			return row.hint
		}
	}
	return ""
}
