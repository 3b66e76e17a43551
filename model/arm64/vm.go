package arm64

import (
	"fmt"
	"slices"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
)

// cacheLevels is how many values of CSSELR_EL1 name a cache.
const cacheLevels = arm64.CCSIDREL1Level13 - arm64.CCSIDREL1Level0 + 1

// VM is one virtual machine. It must not be used from two goroutines at once.
type VM struct {
	host *Host
	kvm  kernel.VM
	// identity: MIDR_EL1, REVIDR_EL1 and AIDR_EL1 can be chosen.
	identity bool
	// view is what KVM showed at first, values what the VM's registers hold
	// now; of registers that each vCPU has its own of, values is unused.
	view   arm64.View
	values [arm64.NumRegisters]uint64
	// takes and zero are, for each field, the values that are taken, and those
	// of them that are stored as 0.
	takes, zero [arm64.NumSlots]isa.Set
	// held is what EL2 shows the guest of a protected VM in place of values; nil
	// in others.
	held   *[arm64.NumRegisters]uint64
	vcpus  []vcpu
	ran    bool // any vCPU has run
	filter filter
	closed bool
	// incomplete: the user completes vCPUs.
	incomplete bool
}

// vcpu is one virtual CPU.
type vcpu struct {
	mpidr, clidr, csselr uint64
	ccsidr               [cacheLevels]uint64
	// lengths are the SVE vector lengths: bit n-1 stands for n quadwords.
	lengths   uint16
	finalised bool
	// pmuInterrupt is that of the PMU, 0 before it has one; pmuReady: it was initialised.
	pmuInterrupt int32
	pmuReady     bool
	// others are registers that the model only keeps, by id, little-endian;
	// those never written hold 0.
	others map[arm64.ID][]byte
}

// template is a VM of features as it is made, without vCPUs.
func (h *Host) template(kvm kernel.VM) *VM {
	kvm.VGIC = 0
	if t, ok := h.templates.Load(kvm); ok {
		return t.(*VM)
	}
	m := &VM{host: h, kvm: kvm, view: h.profile.View(h.hardware, kvm)}
	m.values = m.view.Values
	if kvm.Protected {
		m.held = h.protectedView(kvm)
	}
	for slot := range m.takes {
		place := int(arm64.Slots[slot].Register)
		_, field := arm64.Slots[slot].Describe()
		if limit, known := arm64.Slots[slot].Extract(m.view.Values[place]); known {
			m.takes[slot] = h.profile.Takes(slot, limit, kvm)
		}
		if field.Width <= 4 {
			m.zero[slot] = h.profile.StoresZero(slot, field.Get(h.hardware.Values[place]))
			m.takes[slot] |= m.zero[slot]
		}
	}
	h.templates.Store(kvm, m)
	return m
}

func newVM(h *Host, kvm kernel.VM, identity bool, vcpus int) *VM {
	m := new(VM)
	*m = *h.template(kvm)
	m.identity, m.vcpus = identity, make([]vcpu, vcpus)
	for i := range m.vcpus {
		c := &m.vcpus[i]
		c.mpidr, c.csselr = mpidr(i), unknown
		c.clidr = m.view.Values[arm64.CLIDREL1]
		for level := range c.ccsidr {
			c.ccsidr[level] = m.view.Values[arm64.CCSIDREL1Level0+level] & 0xffff_ffff
		}
		if kvm.SVE {
			c.lengths = h.sanitised.VectorLengths
		}
	}
	return m
}

// unknown is what KVM gives registers that are UNKNOWN after a reset (Linux,
// arch/arm64/kvm/sys_regs.h, reset_unknown).
const unknown = 0x1de7_ec7e_dbad_c0de

// mpidr is the MPIDR_EL1 of a vCPU by its number: 16 to a cluster, for the sake
// of GICv3's target lists (Linux, arch/arm64/kvm/sys_regs.c, reset_mpidr).
func mpidr(vcpu int) uint64 {
	n := uint64(vcpu)
	return 1<<31 | n>>12&0xff<<16 | n>>4&0xff<<8 | n&15
}

// vcpuAt returns a vCPU by its number.
func (m *VM) vcpuAt(index int) (*vcpu, error) {
	if m.closed {
		return nil, fmt.Errorf("%s: the VM is closed", m.host)
	}
	if index < 0 || index >= len(m.vcpus) {
		return nil, fmt.Errorf("%s: vCPU %d of %d", m.host, index, len(m.vcpus))
	}
	return &m.vcpus[index], nil
}

func refusedRegister(op string, id arm64.ID, value uint64, errno syscall.Errno) error {
	return &vm.RegisterError{Op: op, ID: id, Name: id.String(), Value: value, Errno: errno}
}

func refusedCall(call, subject string, errno syscall.Errno) error {
	return &vm.CallError{Call: call, Subject: subject, Errno: errno}
}

// Get reads a register of up to 64 bits.
func (m *VM) Get(vcpu int, id arm64.ID) (uint64, error) {
	c, err := m.vcpuAt(vcpu)
	if err != nil {
		return 0, err
	}
	if id.Size() > 8 {
		return 0, fmt.Errorf("%v: has %d bytes; GetWide reads it", id, id.Size())
	}
	value, errno := m.get(c, id)
	if errno != 0 {
		return 0, refusedRegister("get", id, 0, errno)
	}
	return value, nil
}

// Set writes a register of up to 64 bits.
func (m *VM) Set(vcpu int, id arm64.ID, value uint64) error {
	c, err := m.vcpuAt(vcpu)
	if err != nil {
		return err
	}
	if id.Size() > 8 {
		return fmt.Errorf("%v: has %d bytes; SetWide writes it", id, id.Size())
	}
	if errno := m.set(c, id, value); errno != 0 {
		return refusedRegister("set", id, value, errno)
	}
	return nil
}

// List returns what KVM_GET_REG_LIST has, in ascending order.
func (m *VM) List(vcpu int) ([]arm64.ID, error) {
	c, err := m.vcpuAt(vcpu)
	if err != nil {
		return nil, err
	}
	if m.kvm.SVE && !c.finalised {
		return nil, refusedCall("KVM_GET_REG_LIST", fmt.Sprintf("vCPU %d", vcpu), syscall.EPERM)
	}
	var ids []arm64.ID
	for i := range m.host.profile.Listings() {
		l := &m.host.profile.Listings()[i]
		for id := range l.IDs {
			if m.lists(l, id) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// lists reports whether a register of the entry is there in this VM.
func (m *VM) lists(l *kernel.Listing, id arm64.ID) bool {
	for _, when := range l.When {
		if place, field, ok := when.Field(); ok {
			if arm64.Registers[place].Field(field).Get(m.values[place]) == 0 {
				return false
			}
			continue
		}
		if when == kernel.CacheExists {
			place, _ := arm64.PlaceOf(id)
			if !m.view.Present.Has(place) {
				return false
			}
			continue
		}
		if !when.Holds(m.host.hardware, m.kvm) {
			return false
		}
	}
	return true
}

// RunNothing enters and leaves a vCPU (immediate_exit). SVE is finalised and the
// PMU initialised first where that was not done.
func (m *VM) RunNothing(vcpu int) error {
	c, err := m.vcpuAt(vcpu)
	if err != nil {
		return err
	}
	errno := m.enter(c)
	if errno == 0 {
		errno = syscall.EINTR
	}
	return refusedCall("KVM_RUN", fmt.Sprintf("vCPU %d", vcpu), errno)
}

// runs reports whether vCPUs run at all: one with EL2 needs a GICv3.
func (m *VM) runs() bool { return !m.kvm.EL2 || m.kvm.VGIC == 3 }

// enter does what comes before a vCPU's guest is let run: what userspace has to
// complete, and what KVM does on the way into the first KVM_RUN of a VM.
func (m *VM) enter(c *vcpu) syscall.Errno {
	if !m.incomplete {
		m.complete(c)
	}
	var errno syscall.Errno
	switch {
	case m.kvm.SVE && !c.finalised:
		return syscall.EPERM
	case !m.runs():
		errno = syscall.EAGAIN
	case m.kvm.PMU && !c.pmuReady:
		if m.host.profile.Does(kernel.WantsPMUReady) {
			errno = syscall.EINVAL
		}
	case m.kvm.PMU && c.pmuInterrupt == 0 && m.kvm.VGIC != 0:
		// With an interrupt controller a PMU needs an interrupt, which it can
		// only be given before it is initialised (Linux,
		// arch/arm64/kvm/pmu-emul.c, kvm_arm_pmu_v3_enable).
		errno = syscall.EINVAL
	}
	if !m.ran {
		// Also where the vCPU is refused, since that is found out after.
		m.matchVGICs()
		m.ran = errno == 0
	}
	return errno
}

// complete does what the live backend does for its user: SVE is finalised, and the PMU
// initialised, with an interrupt if the VM has an interrupt controller by then.
func (m *VM) complete(c *vcpu) {
	c.finalised = c.finalised || m.kvm.SVE
	if m.kvm.PMU && !c.pmuReady {
		c.pmuReady = true
		if m.kvm.VGIC != 0 {
			c.pmuInterrupt = pmuInterrupt
		}
	}
}

// matchVGICs sets the fields that a run sets to what the VM's interrupt
// controller is.
func (m *VM) matchVGICs() {
	for slot := range m.takes {
		follows, cleared := m.host.profile.VGICSets(slot)
		if follows || (cleared && m.kvm.VGIC != 3) {
			m.matchVGIC(slot)
		}
	}
}

// matchVGIC sets a field to what the VM's interrupt controller is.
func (m *VM) matchVGIC(slot int) {
	place := int(arm64.Slots[slot].Register)
	_, field := arm64.Slots[slot].Describe()
	value := uint64(0)
	if m.kvm.VGIC == 3 && field.Name == "GIC" {
		value = 1
	}
	if m.host.ignoresAArch32(place) {
		value = 0
	}
	m.values[place] = field.Put(m.values[place], value)
}

// MakeVGIC makes a vGICv3.
func (m *VM) MakeVGIC() error {
	const call, subject = "KVM_CREATE_DEVICE", "a vGICv3"
	switch {
	case m.closed:
		return fmt.Errorf("%s: the VM is closed", m.host)
	case m.kvm.VGIC != 0:
		return refusedCall(call, subject, syscall.EEXIST)
	case !m.host.machine.GICv3:
		return refusedCall(call, subject, syscall.ENODEV)
	case m.ran:
		return refusedCall(call, subject, syscall.EBUSY)
	}
	m.kvm.VGIC = 3
	if m.host.profile.Does(kernel.MarksVGIC) {
		for _, place := range []int{arm64.IDAA64PFR0EL1, arm64.IDPFR1EL1} {
			m.values[place] = arm64.Registers[place].Field("GIC").Put(m.values[place], 1)
		}
	}
	for slot := range m.takes {
		if follows, _ := m.host.profile.VGICSets(slot); follows {
			m.matchVGIC(slot)
		}
	}
	return nil
}

// Reinit does a further KVM_ARM_VCPU_INIT. What belongs to the VM stays, and so
// do, since they are kept, MPIDR_EL1 and CLIDR_EL1; the vCPU's other registers
// start anew.
func (m *VM) Reinit(vcpu int, features []guise.Feature) error {
	c, err := m.vcpuAt(vcpu)
	if err != nil {
		return err
	}
	setup := guise.Setup{Features: features}
	wanted := setup.KernelVM()
	wanted.VGIC, wanted.MTE, wanted.Protected = m.kvm.VGIC, m.kvm.MTE, m.kvm.Protected
	errno := m.host.initErrno(wanted)
	same := wanted == m.kvm
	if !m.host.profile.Does(kernel.HasFeaturesPerVM) {
		// Bits are looked at one by one, that of EL2 last.
		rest := wanted
		rest.EL2 = m.kvm.EL2
		if rest != m.kvm {
			errno = syscall.EINVAL
		}
	}
	if errno == 0 && !same {
		errno = syscall.EINVAL
	}
	if errno != 0 {
		return refusedCall("KVM_ARM_VCPU_INIT", fmt.Sprintf("vCPU %d", vcpu), errno)
	}
	c.csselr, c.others = unknown, nil
	if !m.host.profile.Does(kernel.KeepsMPIDR) {
		c.mpidr = mpidr(vcpu)
	}
	if profile := m.host.profile; profile.Fabricated(arm64.CLIDREL1) && !profile.Does(kernel.KeepsCLIDR) {
		if made, ok := profile.ViewOne(arm64.CLIDREL1, m.host.hardware, m.kvm); ok {
			c.clidr = made
		}
	}
	return nil
}

// Finalize fixes the vector lengths of a vCPU with SVE.
func (m *VM) Finalize(vcpu int) error {
	c, err := m.vcpuAt(vcpu)
	if err != nil {
		return err
	}
	var errno syscall.Errno
	switch {
	case !m.kvm.SVE:
		errno = syscall.EINVAL
	case c.finalised:
		errno = syscall.EPERM
	default:
		c.finalised = true
		return nil
	}
	return refusedCall("KVM_ARM_VCPU_FINALIZE", fmt.Sprintf("vCPU %d", vcpu), errno)
}

// Close drops the VM.
func (m *VM) Close() error {
	if m.closed {
		return fmt.Errorf("%s: the VM is closed already", m.host)
	}
	m.closed = true
	return nil
}
