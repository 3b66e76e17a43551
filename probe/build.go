package probe

import (
	"encoding/binary"
	"fmt"
)

// Where the parts of an image lie, from its base.
const (
	tableOffset      = 0
	vectorsOffset    = 0x1000 // 2 KiB aligned, as VBAR_ELx wants it
	vectorsEL2Offset = 0x1800
	scratchOffset    = 0x2000
	scratchSize      = 0x2000
	entryOffset      = 0x4000

	pageSize     = 0x1000
	hostPageSize = 0x10000 // the largest
)

// Build packs the program into an image. It is a pure function of its
// arguments. The instructions are laid out one after the other, each operation
// with its own record: there is nothing to interpret in the guest, and what
// runs can be read with a disassembler.
func (p *Program) Build(layout Layout) (*Image, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if err := p.RunsIn(layout.State); err != nil {
		return nil, err
	}
	if layout.State == AArch32 && layout.Channel != Memory {
		// Protected VMs, for which the other is, have no AArch32.
		return nil, fmt.Errorf("probe image: records of a guest in AArch32 leave through memory only")
	}
	base := layout.Base
	if base == 0 {
		base = DefaultBase
	}
	if base%hostPageSize != 0 || base < memoryLow || base >= memoryEnd {
		return nil, fmt.Errorf("probe image: base %#x; want a multiple of %#x from %#x to below %#x", base, hostPageSize, uint64(memoryLow), uint64(memoryEnd))
	}
	// One record for the image itself, one for each operation, and one that
	// takes what nobody asks for (exceptions of ownControls and of Undo).
	recordsSize := uint64(len(p.Ops)+2) * recordSize

	image := &Image{Base: base, Entry: base + entryOffset, Channel: layout.Channel, State: layout.State, program: p, set: instructionSets[layout.State]}
	c, fatal := image.assemble()
	end := roundUp(c.here(), pageSize)
	switch layout.Channel {
	case Memory:
		image.records = end
		end = roundUp(end+recordsSize, hostPageSize)
	case MMIO:
		image.records = Window
		if recordsSize > windowEnd-Window {
			return nil, fmt.Errorf("program %s: %d operations; too many for the MMIO window", p.Name, len(p.Ops))
		}
	default:
		return nil, fmt.Errorf("probe image: no channel %d", layout.Channel)
	}
	image.MemorySize = roundUp(end, hostPageSize) - base
	if base+image.MemorySize > memoryEnd {
		return nil, fmt.Errorf("program %s: the image needs %#x bytes from %#x; memory ends at %#x", p.Name, image.MemorySize, base, uint64(memoryEnd))
	}
	if err := c.finish(image.record); err != nil {
		return nil, err
	}
	vectors := image.set.vectors(image, c.labels[fatal])
	for _, part := range vectors {
		if err := part.finish(image.record); err != nil {
			return nil, err
		}
	}
	image.Bytes = image.lay(append(vectors, c))
	return image, nil
}

func roundUp(value, unit uint64) uint64 { return (value + unit - 1) / unit * unit }

// operationWords is about how many instructions an operation takes.
const operationWords = 16

// assemble makes the code but for what refers to labels and records, and the
// label of where to go from an exception in the exception handler.
func (m *Image) assemble() (c *code, fatal label) {
	c = newCode(m.Entry)
	operations := len(m.program.Ops)
	c.words = make([]uint32, 0, operations*operationWords)
	c.fixups, c.labels, c.records = make([]fixup, 0, 2*operations), make([]uint64, 0, 2*operations), make([]recordReference, 0, 2*operations)
	c.pointer = m.set.pointer
	fatal = c.newLabel()
	m.set.startup(c, m)
	m.code = make([]uint64, operations)
	for i := range m.program.Ops {
		m.operation(c, i)
	}
	m.set.end(c, fatal)
	return c, fatal
}

// imageRecord is the record of the image itself.
const imageRecord = -1

// record returns the address of operation i's record; len(Ops) is the one that
// nobody reads.
func (m *Image) record(i int) uint64 { return m.records + uint64(i+1)*recordSize }

// spare is the number of that one.
func (m *Image) spare() int { return len(m.program.Ops) }

// operation adds operation i: point to its record and to where to go on, load
// its arguments, run it, store what it gave, mark it completed.
func (m *Image) operation(c *code, i int) {
	op := &m.program.Ops[i]
	after := c.newLabel()
	m.set.tolerate(c, after, i)
	m.set.arguments(c, m, op)
	m.code[i] = c.here()
	m.set.perform(c, op)
	m.set.complete(c, op.results())
	c.place(after)
	if len(op.Undo) == 0 {
		return
	}
	undone := c.newLabel()
	m.set.tolerate(c, undone, m.spare())
	c.add(op.Undo...)
	c.place(undone)
}

// lay puts the parts of the image together.
func (m *Image) lay(parts []*code) []byte {
	last := parts[len(parts)-1]
	image := make([]byte, last.here()-m.Base)
	for i, entry := range m.set.table(m) {
		binary.LittleEndian.PutUint64(image[tableOffset+8*i:], entry)
	}
	for _, part := range parts {
		for i, word := range part.words {
			binary.LittleEndian.PutUint32(image[part.start-m.Base+uint64(i)*instructionLen:], word)
		}
	}
	return image
}
