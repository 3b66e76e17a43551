package kvm

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/vm"
)

// machine is a VM. It must not be used from two goroutines at once.
type machine struct {
	host  *Host
	setup guise.Setup
	fd    int // -1 until it is made
	vgic  int // the interrupt controller's device, -1 where there is none
	vcpus []*vcpu
	slots [][]byte // guest memory by slot
	// nextImage is where the next probe image may lie: KVM makes instructions
	// visible only on pages that no vCPU has run from.
	nextImage uint64
	closed    bool
	// incomplete: the user completes vCPUs.
	incomplete bool
}

// vcpu is one virtual CPU.
type vcpu struct {
	fd        int
	mapping   []byte
	area      *kvmabi.RunArea
	init      kvmabi.InitVCPU
	finalised bool // SVE
	pmuReady  bool
	ran       bool
}

func (m *machine) create(vcpus int) error {
	if vcpus < 1 {
		return fmt.Errorf("kvm: a VM of %d vCPUs: want at least 1", vcpus)
	}
	if err := m.createVM(); err != nil {
		return err
	}
	if err := m.enableCapabilities(); err != nil {
		return err
	}
	init := kvmabi.InitVCPU{}
	if _, errno := callWith(m.host, m.fd, kvmabi.PreferredTarget, &init); errno != 0 {
		return m.refused(kvmabi.PreferredTarget, m.subject(), errno, errno == unix.ENODEV, "")
	}
	features, err := featureBits(m.setup.Features)
	if err != nil {
		return err
	}
	init.Features[0] |= features
	for i := range vcpus {
		if err := m.addVCPU(i, init); err != nil {
			return err
		}
	}
	if m.setup.VGIC != 0 {
		return m.makeVGIC(m.setup.VGIC)
	}
	return nil
}

// subject names the VM in messages.
func (m *machine) subject() string { return "a VM of setup " + m.setup.Name() }

func (m *machine) refused(request kvmabi.Request, subject string, errno syscall.Errno, lacking bool, hint string) error {
	return &vm.CallError{Call: request.String(), Subject: subject, Errno: errno, Lacking: lacking, Hint: hint}
}

func (m *machine) createVM() error {
	kind := uint64(m.setup.IPABits & kvmabi.VMTypeIPASizeMask)
	if m.setup.Protected {
		kind |= kvmabi.VMTypeProtected
	}
	fd, errno := m.host.call(m.host.fd, kvmabi.CreateVM, kind)
	if errno != 0 {
		hint := ""
		switch {
		case errno == unix.EINVAL && m.setup.Protected:
			hint = "protected VMs need Linux 7.1 or newer, started with kvm-arm.mode=protected"
		case errno == unix.EINVAL:
			bits, _ := m.host.CheckCapability(uint32(kvmabi.CapVMIPASize))
			hint = fmt.Sprintf("this host gives up to %d IPA bits (KVM_CAP_ARM_VM_IPA_SIZE)", bits)
		}
		return m.refused(kvmabi.CreateVM, m.subject(), errno, errno == unix.EINVAL, hint)
	}
	m.fd = fd
	return nil
}

// enableCapabilities enables what the setup stands for, before any vCPU is
// made: the kernel takes most of them only then.
func (m *machine) enableCapabilities() error {
	var wanted []kvmabi.Capability
	for _, feature := range m.setup.Features {
		if row, ok := featureRows[feature]; ok && row.enable {
			wanted = append(wanted, row.capability)
		}
	}
	for _, name := range m.setup.Capabilities {
		capability, ok := kvmabi.CapabilityByName(name)
		if !ok {
			return &vm.CallError{Call: kvmabi.EnableCap.String(), Subject: name, Errno: unix.EINVAL, Lacking: true,
				Hint: "guise does not know this capability's number"}
		}
		wanted = append(wanted, capability)
	}
	for _, capability := range wanted {
		if _, errno := callWith(m.host, m.fd, kvmabi.EnableCap, &kvmabi.EnableCapability{Capability: uint32(capability)}); errno != 0 {
			hint := ""
			if capability == kvmabi.CapWritableImpIDRegs {
				hint = "needs Linux 6.15"
			}
			return m.refused(kvmabi.EnableCap, capability.String(), errno, errno == unix.EINVAL, hint)
		}
	}
	return nil
}

// featureBits returns the bits of KVM_ARM_VCPU_INIT for the features. PSCI 0.2
// is always asked for: without it a vCPU has PSCI 0.1, which no VMM uses.
func featureBits(features []guise.Feature) (uint32, error) {
	bits := uint32(1 << kvmabi.VCPUPSCI02)
	for _, feature := range features {
		row, ok := featureRows[feature]
		if !ok {
			return 0, fmt.Errorf("feature %q: %w: not one of KVM's", feature, vm.ErrNotSupported)
		}
		for _, bit := range row.bits {
			bits |= 1 << bit
		}
	}
	return bits, nil
}

func (m *machine) addVCPU(index int, init kvmabi.InitVCPU) error {
	subject := fmt.Sprintf("vCPU %d of %s", index, m.subject())
	fd, errno := m.host.call(m.fd, kvmabi.CreateVCPU, uint64(index))
	if errno != 0 {
		return m.refused(kvmabi.CreateVCPU, subject, errno, false, "")
	}
	v := &vcpu{fd: fd, init: init}
	m.vcpus = append(m.vcpus, v)
	mapping, err := unix.Mmap(fd, 0, m.host.areaSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		errno, _ := err.(syscall.Errno)
		return &vm.CallError{Call: "mmap", Subject: subject, Errno: errno}
	}
	v.mapping, v.area = mapping, runArea(mapping)
	if _, errno := callWith(m.host, fd, kvmabi.VCPUInit, &v.init); errno != 0 {
		lacking := errno == unix.EINVAL || errno == unix.ENOENT
		return m.refused(kvmabi.VCPUInit, subject, errno, lacking, m.missingFeatures())
	}
	return nil
}

// missingFeatures says which of the setup's features the host says it lacks.
func (m *machine) missingFeatures() string {
	hint := ""
	for _, feature := range m.setup.Features {
		row := featureRows[feature]
		if value, err := m.CheckCapability(uint32(row.capability)); err == nil && value == 0 {
			hint = fmt.Sprintf("%s: this host has none (%v is 0)", feature, row.capability)
		}
	}
	return hint
}

// Close drops the VM and everything it holds.
func (m *machine) Close() error {
	if m.closed {
		return errors.New("kvm: the VM is closed already")
	}
	m.closed = true
	var errs []error
	for _, v := range m.vcpus {
		if v.mapping != nil {
			errs = append(errs, unix.Munmap(v.mapping))
		}
		errs = append(errs, unix.Close(v.fd))
	}
	for _, fd := range []int{m.vgic, m.fd} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	// Guest memory goes last: the VM refers to it until its last descriptor is
	// closed.
	for _, memory := range m.slots {
		errs = append(errs, unix.Munmap(memory))
	}
	return errors.Join(errs...)
}

// addMemory gives the guest size bytes of zeroed memory at base.
func (m *machine) addMemory(base, size uint64) ([]byte, error) {
	memory, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		errno, _ := err.(syscall.Errno)
		return nil, &vm.CallError{Call: "mmap", Subject: fmt.Sprintf("%d bytes of guest memory", size), Errno: errno}
	}
	slot := uint32(len(m.slots))
	if errno := m.host.mapMemory(m.fd, slot, base, memory); errno != 0 {
		_ = unix.Munmap(memory)
		return nil, m.refused(kvmabi.SetUserMemoryRegion, fmt.Sprintf("%d bytes of guest memory at %#x", size, base), errno, false, "")
	}
	m.slots = append(m.slots, memory)
	return memory, nil
}

// vcpuAt returns a vCPU by its number.
func (m *machine) vcpuAt(index int) (*vcpu, error) {
	if index < 0 || index >= len(m.vcpus) {
		return nil, fmt.Errorf("kvm: vCPU %d of %d", index, len(m.vcpus))
	}
	return m.vcpus[index], nil
}
