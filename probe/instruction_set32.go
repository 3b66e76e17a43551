package probe

// a32 is A32, of AArch32.
type a32 struct{}

func (a32) tolerate(c *code, after label, record int) {
	c.point(record)
	for _, move := range []func(uint32, uint64) uint32{movw, movt} {
		at := int64(c.here())
		c.toward(after, reach32Branch, func(distance int64) uint32 {
			return move(resume32Register, uint64(at+distance))
		})
	}
}

func (a32) pointer(address uint64) [2]uint32 {
	return [2]uint32{movw(record32Register, address), movt(record32Register, address)}
}

func (a32) arguments(c *code, m *Image, op *Op) {
	switch op.Kind {
	case MCR:
		c.load32(0, op.Value)
	case HVC, SMC, Execute:
		for i, argument := range op.Args {
			c.load32(uint32(i), argument)
		}
	}
	if op.Kind == Execute {
		c.load32(9, m.Base+scratchOffset)
	}
}

func (a32) perform(c *code, op *Op) {
	switch op.Kind {
	case MRC:
		c.add(mrc(0, op.Coprocessor))
	case MCR:
		c.add(mcr(op.Coprocessor, 0), word32ISB)
	case HVC:
		c.add(word32HVC)
	case SMC:
		c.add(word32SMC)
	case Execute:
		c.add(op.Words...)
	}
}

func (a32) complete(c *code, results int) {
	for v := range results {
		c.add(store32(uint32(v), record32Register, recordValues+uint64(v)*8))
	}
	c.load32(0, recordCompleted)
	c.add(store32(0, record32Register, recordStatus))
}

func (a32) end(c *code, fatal label) {
	ring, rest := c.newLabel(), c.newLabel()
	c.load32(0, doorbellDone)
	c.toward(ring, reach32Branch, branch32)
	c.place(fatal)
	c.load32(0, doorbellFatal)
	c.place(ring)
	c.load32(1, Doorbell)
	c.add(word32DSBSY, store32(0, 1, 0))
	c.place(rest)
	c.add(word32WFI)
	c.toward(rest, reach32Branch, branch32)
}

// table maps devices and memory at their own addresses, and nothing else.
func (a32) table(*Image) [4]uint64 {
	return [4]uint64{
		blockDevice | blockAF | block32XN | blockValid,
		memoryLow | blockInner | blockAF | blockValid,
	}
}

// level: the word is CPSR. EL3 in AArch32 has the modes of EL1, and no VM has
// EL3.
func (a32) level(word uint64) int {
	if word&modeBits == modeHyp {
		return 2
	}
	return 1
}

// Parts of DFSR and IFSR in the Long-descriptor format (Arm ARM, "DFSR, Data
// Fault Status Register").
const (
	faultStatus        = 0x3f
	faultWrite         = 1 << 11 // WnR
	syndromeWrite      = 1 << 6  // WnR in ESR_ELx
	asynchronous       = 0x11    // an SError
	asynchronousParity = 0x19    // the same of parity or ECC
)

// exception puts what AArch32 tells into the terms of ESR_ELx, which it does not
// have: the class from the vector, and of aborts the fault status, which has the
// same codes, and the direction. IL says that the instruction has 32 bits, as all
// of A32 do.
func (a32) exception(status uint64) (outcome Outcome, syndrome uint64) {
	e := &exceptions32[status>>recordVectorShift&7]
	if e.outcome == Interrupted {
		return Interrupted, 0
	}
	syndrome = e.class<<syndromeClass | syndromeIL
	if e.status == nil {
		return Exception, syndrome
	}
	code := status & faultStatus
	if e.class == classData+1 && (code == asynchronous || code == asynchronousParity) {
		return Interrupted, classSError<<syndromeClass | syndromeIL
	}
	if status&faultWrite != 0 && e.class == classData+1 {
		syndrome |= syndromeWrite
	}
	return Exception, syndrome | code
}

func (a32) storeSize() int { return 4 }
