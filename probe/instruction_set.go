package probe

// instructionSet is what images of the execution states do otherwise.
type instructionSet interface {
	// startup adds the entry code, up to the point where operations can run.
	startup(c *code, m *Image)
	// tolerate points the exception handler to a record and to the label to go
	// on at.
	tolerate(c *code, after label, record int)
	// pointer are the instructions that load the address of a record.
	pointer(address uint64) [2]uint32
	// arguments loads what an operation works on, perform does it, and complete
	// stores its results and marks it completed.
	arguments(c *code, m *Image, op *Op)
	perform(c *code, op *Op)
	complete(c *code, results int)
	// end rings the doorbell and rests. fatal is where the exception handler
	// goes from an exception of its own.
	end(c *code, fatal label)
	// vectors are the exception vectors; fatal is the address of that label.
	vectors(m *Image, fatal uint64) []*code
	// table is the translation table.
	table(m *Image) [4]uint64
	// level gives the exception level from the first word of the image's record.
	level(word uint64) int
	// exception says what came of an operation from the status of its record.
	exception(status uint64) (outcome Outcome, syndrome uint64)
	// storeSize is how many bytes the doorbell takes.
	storeSize() int
}

var instructionSets = [...]instructionSet{AArch64: a64{}, AArch32: a32{}}

// a64 is A64, of AArch64.
type a64 struct{}

func (a64) tolerate(c *code, after label, record int) {
	c.point(record)
	c.toward(after, reachADR, func(d int64) uint32 { return adr(resumeRegister, d) })
}

func (a64) pointer(address uint64) [2]uint32 {
	return [2]uint32{movz(recordRegister, address), movk(recordRegister, address)}
}

func (a64) arguments(c *code, m *Image, op *Op) {
	switch op.Kind {
	case MSR:
		c.load(0, op.Value)
	case HVC, SMC, Execute:
		for i, argument := range op.Args {
			c.load(uint32(i), argument)
		}
	}
	if op.Kind == Execute {
		c.load(9, m.Base+scratchOffset)
		c.load(10, m.Base+scratchOffset+guardedAlias)
		c.load(11, guardedAlias)
	}
}

func (a64) perform(c *code, op *Op) {
	switch op.Kind {
	case MRS:
		c.add(mrs(0, op.Register))
	case MSR:
		c.add(msr(op.Register, 0), wordISB)
	case HVC:
		c.add(wordHVC)
	case SMC:
		c.add(wordSMC)
	case Execute:
		c.add(op.Words...)
	}
}

func (a64) complete(c *code, results int) {
	for v := range results {
		c.add(store(uint32(v), recordRegister, recordValues+uint64(v)*8))
	}
	c.load(0, recordCompleted)
	c.add(store(0, recordRegister, recordStatus))
}

func (a64) end(c *code, fatal label) {
	ring, rest := c.newLabel(), c.newLabel()
	c.load(0, doorbellDone)
	c.toward(ring, reachBranch, branch)
	c.place(fatal)
	c.load(0, doorbellFatal)
	c.place(ring)
	c.load(1, Doorbell)
	c.add(wordDSBSY, store(0, 1, 0))
	c.place(rest)
	c.add(wordWFI)
	c.toward(rest, reachBranch, branch)
}

func (a64) vectors(m *Image, fatal uint64) []*code {
	own, el2 := newCode(m.Base+vectorsOffset), newCode(m.Base+vectorsEL2Offset)
	vectorTable(own, handlerRegisters{regESR, regELR, regFAR, regSPSR}, recordException, fatal)
	vectorTable(el2, handlerRegisters{regESREL2, regELREL2, regFAREL2, regSPSREL2}, recordException|recordEL2, fatal)
	return []*code{own, el2}
}

func (a64) table(m *Image) [4]uint64 { return translationTable(m.program.Tagged) }

// level: the word is CurrentEL.
func (a64) level(word uint64) int { return int(word >> 2 & 3) }

func (a64) exception(status uint64) (outcome Outcome, syndrome uint64) {
	// Vectors come in fours: synchronous, IRQ, FIQ, SError.
	switch status >> recordVectorShift & 3 {
	case 0:
		return Exception, status & recordSyndrome
	case 3:
		return Interrupted, status & recordSyndrome
	}
	return Interrupted, 0 // ESR_ELx is not written
}

func (a64) storeSize() int { return 8 }
