package kvm

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/vm"
)

// Host is KVM on this machine. It is safe for concurrent use until Close.
type Host struct {
	fd       int
	areaSize int // of a vCPU's mapping, in bytes
	ioctls   atomic.Uint64
	// timed has the time spent in the kernel counted, which benchmarks report.
	timed bool
	spent atomic.Int64 // nanoseconds
}

// count counts an ioctl; what it returns is called when the ioctl is over.
func (h *Host) count() func() {
	h.ioctls.Add(1)
	if !h.timed {
		return nothing
	}
	started := time.Now()
	return func() { h.spent.Add(int64(time.Since(started))) }
}

func nothing() {}

// Open opens KVM at path, DefaultPath where path is empty.
func Open(path string) (vm.Host, error) {
	if path == "" {
		path = DefaultPath
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		errno, _ := err.(syscall.Errno)
		return nil, &vm.CallError{Call: "open", Subject: path, Errno: errno, Lacking: errno == unix.ENOENT, Hint: openHint(errno)}
	}
	h := &Host{fd: fd}
	version, errno := h.call(fd, kvmabi.GetAPIVersion, 0)
	if errno != 0 || version != kvmabi.APIVersion {
		_ = unix.Close(fd)
		return nil, &vm.CallError{Call: kvmabi.GetAPIVersion.String(), Errno: errno, Lacking: true,
			Subject: fmt.Sprintf("%s answers API version %d, not %d", path, version, kvmabi.APIVersion)}
	}
	h.areaSize, errno = h.call(fd, kvmabi.GetVCPUMmapSize, 0)
	if errno != 0 {
		_ = unix.Close(fd)
		return nil, &vm.CallError{Call: kvmabi.GetVCPUMmapSize.String(), Subject: path, Errno: errno}
	}
	return h, nil
}

// openHint says what mends a failure to open /dev/kvm.
func openHint(errno syscall.Errno) string {
	switch errno {
	case unix.ENOENT:
		return "the kernel has no KVM, or was not started at EL2; guise lab run --kernel 6.12 -- COMMAND uses a real kernel under QEMU"
	case unix.EACCES, unix.EPERM:
		return "the user must be in the group that owns the device, mostly kvm"
	}
	return ""
}

// String gives "kvm".
func (h *Host) String() string { return "kvm" }

// Close releases KVM. VMs that were made stay until they are closed.
func (h *Host) Close() error { return unix.Close(h.fd) }

// Ioctls returns how many ioctls were made on this host and its VMs so far.
func (h *Host) Ioctls() uint64 { return h.ioctls.Load() }

// CheckCapability asks KVM_CHECK_EXTENSION of the host as a whole.
func (h *Host) CheckCapability(number uint32) (int, error) {
	value, errno := h.call(h.fd, kvmabi.CheckExtension, uint64(number))
	if errno != 0 {
		return 0, &vm.CallError{Call: kvmabi.CheckExtension.String(), Subject: kvmabi.Capability(number).String(), Errno: errno}
	}
	return value, nil
}

// featureRow is what a feature stands for when a VM is made.
type featureRow struct {
	capability kvmabi.Capability // tells whether the host has it
	enable     bool              // the capability is enabled on the VM
	bits       []uint            // of KVM_ARM_VCPU_INIT
}

var featureRows = map[guise.Feature]featureRow{
	guise.FeaturePMU:     {kvmabi.CapPMUv3, false, []uint{kvmabi.VCPUPMUv3}},
	guise.FeatureSVE:     {kvmabi.CapSVE, false, []uint{kvmabi.VCPUSVE}},
	guise.FeaturePAuth:   {kvmabi.CapPtrAuthAddress, false, []uint{kvmabi.VCPUPtrAuthAddress, kvmabi.VCPUPtrAuthGeneric}},
	guise.FeatureMTE:     {kvmabi.CapMTE, true, nil},
	guise.FeatureEL2:     {kvmabi.CapEL2, false, []uint{kvmabi.VCPUHasEL2}},
	guise.FeatureE2H0:    {kvmabi.CapEL2E2H0, false, []uint{kvmabi.VCPUHasEL2E2H0}},
	guise.FeatureAArch32: {kvmabi.CapEL132Bit, false, []uint{kvmabi.VCPUEL132Bit}},
}

// NewVM makes a VM of the setup with that many vCPUs.
func (h *Host) NewVM(ctx context.Context, setup guise.Setup, vcpus int) (vm.VM, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &machine{host: h, setup: setup, fd: -1, vgic: -1}
	if err := m.create(vcpus); err != nil {
		_ = m.Close()
		return nil, err
	}
	return m, nil
}
