package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/kvmabi/powerpc"
	isapower "github.com/guise-project/guise/isa/power"
	lab "github.com/guise-project/guise/lab/power"
)

const (
	// watchdogLimit is how long an L2 that leaves by itself may run: a busy
	// host of the lab takes a hundredth of it.
	watchdogLimit = 30 * time.Second
	// spinLimit is how long an L2 spins for somebody to look.
	spinLimit = 5 * time.Second
	// asked is a hypercall nobody serves: KVM hands it to us.
	asked = 0x7f0
)

// l1Code is all L1 does: make the hypercall in r3, keep what it returned in
// r20, and ask us for the next.
var l1Code = []uint32{
	0x44000022,         // sc 1
	0x7c741b78,         // mr r20,r3
	0x38600000 | asked, // li r3,asked
	0x44000022,         // sc 1: to userspace
	0x4bfffff0,         // b to the first
}

// runCase makes a VM for the case and has its L1 enter L2 once.
func (h *host) runCase(c *lab.Case, result *lab.Result) error {
	// Signals of the watchdog are for this thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m, err := h.newMachine(c.Level)
	if err != nil {
		return err
	}
	defer m.close()
	if result.L1LPCR, err = m.lpcr(); err != nil {
		return err
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if c.BigEndian {
		order = binary.BigEndian
	}
	m.fill(c, order)
	if err := m.start(c); err != nil {
		return err
	}
	call := []uint64{isapower.HSetPartitionTable, lab.L1Table}
	if c.TableAddress != 0 {
		call[1] = c.TableAddress
	}
	if !c.NoTable {
		if result.TableR3, _, err = m.hypercall(call, watchdogLimit); err != nil {
			return fmt.Errorf("H_SET_PARTITION_TABLE: %w", err)
		}
	}
	call = []uint64{isapower.HEnterNested, lab.L1Structure, lab.L1Regs}
	if c.StructureAddress != 0 {
		call[1] = c.StructureAddress
	}
	limit := watchdogLimit
	if c.Spin {
		fmt.Println(c.Name)
		limit = spinLimit
	}
	if result.R3, result.Watchdog, err = m.hypercall(call, limit); err != nil {
		return fmt.Errorf("H_ENTER_NESTED: %w", err)
	}
	result.Structure = append([]byte(nil), m.memory[lab.L1Structure:lab.L1Structure+isapower.StateSizeV2]...)
	result.Regs = append([]byte(nil), m.memory[lab.L1Regs:lab.L1Regs+isapower.RegsCCR+8]...)
	return nil
}

// start puts L1 at its first instruction.
func (m *machine) start(c *lab.Case) error {
	regs, err := m.regs()
	if err != nil {
		return err
	}
	regs.PC = lab.L1Code
	regs.MSR = isapower.MSRSF | isapower.MSRME
	if !c.BigEndian {
		regs.MSR |= isapower.MSRLE
	}
	// The first round of L1's loop is thrown away: it asks at once.
	regs.GPR[3] = asked
	if err := m.setRegs(&regs); err != nil {
		return err
	}
	_, err = m.enter()
	if err == nil && m.exitReason() != powerpc.ExitPAPRHcall {
		err = fmt.Errorf("L1 did not start: exit reason %d", m.exitReason())
	}
	if err != nil {
		return err
	}
	// That was the call at the top of the loop; let L1 come to its question.
	*m.word(powerpc.RunHcallReturn) = 0
	_, err = m.enter()
	return err
}

// hypercall has L1 make a hypercall: what we return to its question goes to r3
// and on, and is the next call. watchdog is true where a signal had to end it.
func (m *machine) hypercall(call []uint64, limit time.Duration) (r3 int64, watchdog bool, err error) {
	if m.exitReason() != powerpc.ExitPAPRHcall || *m.word(powerpc.RunHcallNumber) != asked {
		return 0, false, fmt.Errorf("L1 does not wait: exit reason %d, hypercall %#x", m.exitReason(), *m.word(powerpc.RunHcallNumber))
	}
	for {
		*m.word(powerpc.RunHcallReturn) = call[0]
		for i, v := range call[1:] {
			*m.word(powerpc.RunHcallArgs + 8*i) = v
		}
		fired := watch(limit)
		for {
			interrupted, err := m.enter()
			if err != nil {
				fired()
				return 0, false, err
			}
			if !interrupted {
				break
			}
		}
		watchdog = fired()
		if m.exitReason() != powerpc.ExitPAPRHcall {
			return 0, watchdog, fmt.Errorf("exit reason %d", m.exitReason())
		}
		regs, err := m.regs()
		if err != nil {
			return 0, watchdog, err
		}
		r3 = int64(regs.GPR[20])
		// 0 from H_ENTER_NESTED is a signal of somebody else's: L1 tries again.
		if call[0] != isapower.HEnterNested || r3 != 0 || watchdog {
			return r3, watchdog, nil
		}
	}
}

// watch sends this thread a signal if it is not stopped in time. The function
// it returns stops it and says whether it fired.
func watch(limit time.Duration) (stop func() bool) {
	notified := make(chan os.Signal, 1)
	signal.Notify(notified, unix.SIGUSR1)
	thread := unix.Gettid()
	var fired, stopped atomic.Bool
	timer := time.AfterFunc(limit, func() {
		fired.Store(true)
		// A signal just before the thread enters the kernel would be lost.
		for !stopped.Load() {
			unix.Tgkill(unix.Getpid(), thread, unix.SIGUSR1)
			time.Sleep(10 * time.Millisecond)
		}
	})
	return func() bool {
		timer.Stop()
		stopped.Store(true)
		signal.Stop(notified)
		return fired.Load()
	}
}

// fill writes L1's and L2's memory.
func (m *machine) fill(c *lab.Case, order binary.ByteOrder) {
	for i, w := range l1Code {
		order.PutUint32(m.memory[lab.L1Code+4*i:], w)
	}
	m.fillStructures(c, order)
	m.fillTables()
	m.fillL2(c, order)
}

// fillStructures writes hv_guest_state, whatever its version says, and pt_regs
// with a number in each register.
func (m *machine) fillStructures(c *lab.Case, order binary.ByteOrder) {
	state := m.memory[lab.L1Structure:]
	for _, row := range isapower.StateLayout {
		if row.Size == 4 {
			order.PutUint32(state[row.Offset:], uint32(c.Structure[row.Field]))
		} else {
			order.PutUint64(state[row.Offset:], c.Structure[row.Field])
		}
	}
	regs := m.memory[lab.L1Regs:]
	for i := range 32 {
		order.PutUint64(regs[8*i:], lab.GPR(i))
	}
	order.PutUint64(regs[isapower.RegsNIP:], lab.CodeAddress)
	order.PutUint64(regs[isapower.RegsMSR:], c.MSR)
}

// fillTables writes what translates for L2 (Power ISA 3.1B book III, 6.7.6):
// two trees, each of 13, 9 and 9 bits with one leaf of 2 MiB. Tables are
// big-endian whatever the byte order of L1.
func (m *machine) fillTables() {
	put := func(address, value uint64) { binary.BigEndian.PutUint64(m.memory[address:], value) }
	const (
		radixSize  = 0x4000000000000000 | 0xa0 | 13 // 52 bits of address, root of 13
		hostRadix  = 0x8000000000000000
		valid      = 0x8000000000000000
		leaf       = 0xc000000000000187 // referenced, changed, all access
		middleBits = 9
	)
	tree := func(base, address, maps uint64) {
		// base is where we write the tree, address where its reader finds it.
		put(base, valid|(address+0x10000)|middleBits)
		put(base+0x10000, valid|(address+0x11000)|middleBits)
		put(base+0x11000, leaf|maps)
	}
	put(lab.L1Table+16*lab.PartitionLPID, hostRadix|radixSize|lab.L1Tree)
	put(lab.L1Table+16*lab.PartitionLPID+8, valid|lab.L2Processes)
	tree(lab.L1Tree, lab.L1Tree, lab.L2Memory)
	put(lab.L2Memory+lab.L2Processes, radixSize|lab.L2Tree)
	tree(lab.L2Memory+lab.L2Tree, lab.L2Tree, 0)
}

// fillL2 writes L2's code, and a hypercall at each of its interrupt vectors: an
// interrupt that L2 takes itself is seen as an exit from there.
func (m *machine) fillL2(c *lab.Case, order binary.ByteOrder) {
	l2 := m.memory[lab.L2Memory:]
	for vector := 0x100; vector < lab.CodeAddress; vector += 0x20 {
		order.PutUint32(l2[vector:], lab.Hypercall)
	}
	for i, w := range c.Code {
		order.PutUint32(l2[lab.CodeAddress+4*i:], w)
	}
}
