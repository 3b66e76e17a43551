package kvmabi

import (
	"testing"
	"unsafe"
)

// structureSizes are sizes of the structures that requests carry, by the
// kernel's name of the request.
var structureSizes = map[string]uintptr{
	"KVM_SET_USER_MEMORY_REGION":     unsafe.Sizeof(UserMemoryRegion{}),
	"KVM_IRQ_LINE":                   unsafe.Sizeof(IRQLevel{}),
	"KVM_ENABLE_CAP":                 unsafe.Sizeof(EnableCapability{}),
	"KVM_ARM_PREFERRED_TARGET":       unsafe.Sizeof(InitVCPU{}),
	"KVM_ARM_MTE_COPY_TAGS":          unsafe.Sizeof(CopyMTETags{}),
	"KVM_ARM_SET_COUNTER_OFFSET":     unsafe.Sizeof(CounterOffset{}),
	"KVM_ARM_GET_REG_WRITABLE_MASKS": unsafe.Sizeof(RegMaskRange{}),
	"KVM_CREATE_DEVICE":              unsafe.Sizeof(NewDevice{}),
	"KVM_SET_DEVICE_ATTR":            unsafe.Sizeof(DeviceAttribute{}),
	"KVM_GET_DEVICE_ATTR":            unsafe.Sizeof(DeviceAttribute{}),
	"KVM_HAS_DEVICE_ATTR":            unsafe.Sizeof(DeviceAttribute{}),
	"KVM_GET_MP_STATE":               unsafe.Sizeof(MPState{}),
	"KVM_SET_MP_STATE":               unsafe.Sizeof(MPState{}),
	"KVM_GET_VCPU_EVENTS":            unsafe.Sizeof(VCPUEvents{}),
	"KVM_SET_VCPU_EVENTS":            unsafe.Sizeof(VCPUEvents{}),
	"KVM_GET_ONE_REG":                unsafe.Sizeof(OneReg{}),
	"KVM_SET_ONE_REG":                unsafe.Sizeof(OneReg{}),
	"KVM_ARM_VCPU_INIT":              unsafe.Sizeof(InitVCPU{}),
	"KVM_GET_REG_LIST":               unsafe.Sizeof(RegListHead{}),
	"KVM_ARM_VCPU_FINALIZE":          unsafe.Sizeof(int32(0)),
}

// TestRequests recomputes every request number as <asm-generic/ioctl.h> does:
// number in bits 7:0, type in 15:8, size in 29:16, direction in 31:30.
func TestRequests(t *testing.T) {
	seen := map[Request]bool{}
	for _, row := range Requests {
		want := Request(row.Direction)<<30 | Request(row.Size)<<16 | ioctlType<<8 | Request(row.Number)
		if row.Request != want {
			t.Errorf("%s is %#x; direction %d, size %d and number %#x make %#x",
				row.Name, uint32(row.Request), row.Direction, row.Size, row.Number, uint32(want))
		}
		if seen[row.Request] {
			t.Errorf("%s: %#x stands in the table twice", row.Name, uint32(row.Request))
		}
		seen[row.Request] = true
		if row.Request.String() != row.Name {
			t.Errorf("%#x is named %s, want %s", uint32(row.Request), row.Request, row.Name)
		}
		size, carries := structureSizes[row.Name]
		if carries != (row.Size != 0) || size != uintptr(row.Size) {
			t.Errorf("%s: the structure has %d bytes, the request says %d", row.Name, size, row.Size)
		}
	}
	if got := Request(0xae7f).String(); got != "ioctl 0xae7f" {
		t.Errorf("an unknown request is named %q", got)
	}
}

// TestOffsets compares offsets that sizes alone do not fix with those a C
// compiler gives for the kernel's headers.
func TestOffsets(t *testing.T) {
	var (
		run    RunArea
		device DeviceAttribute
		region UserMemoryRegion
		masks  RegMaskRange
		events VCPUEvents
		enable EnableCapability
		filter SMCCCFilter
		tags   CopyMTETags
	)
	for _, row := range []struct {
		name      string
		got, want uintptr
	}{
		{"kvm_run.exit_reason", unsafe.Offsetof(run.ExitReason), 8},
		{"kvm_run.mmio", unsafe.Offsetof(run.exit), 32},
		{"kvm_device_attr.addr", unsafe.Offsetof(device.Addr), 16},
		{"kvm_userspace_memory_region.userspace_addr", unsafe.Offsetof(region.UserspaceAddr), 24},
		{"reg_mask_range.range", unsafe.Offsetof(masks.Range), 8},
		{"kvm_vcpu_events.exception.serror_esr", unsafe.Offsetof(events.SErrorESR), 8},
		{"kvm_enable_cap.args", unsafe.Offsetof(enable.Args), 8},
		{"kvm_smccc_filter.action", unsafe.Offsetof(filter.Action), 8},
		{"sizeof(kvm_smccc_filter)", unsafe.Sizeof(filter), 24},
		{"kvm_arm_copy_mte_tags.flags", unsafe.Offsetof(tags.Flags), 24},
	} {
		if row.got != row.want {
			t.Errorf("%s is at %d, want %d", row.name, row.got, row.want)
		}
	}
}
