package guise

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"sync"

	"github.com/guise-project/guise/isa/arm64"
)

// digester takes view digests. It holds what is used again from one capture to
// the next.
type digester struct {
	hash hash.Hash
	data []byte
}

var digesters = sync.Pool{New: func() any { return new(digester) }}

// view returns the digest of everything but the name and the occasion, taken of a
// binary form that needs no parsing back. It is far cheaper than the document, and
// a fleet takes a digest of every host.
func (d *digester) view(c *Capture) string {
	if d.hash == nil {
		d.hash = sha256.New()
	}
	d.hash.Reset()
	d.data = c.appendHost(d.data[:0])
	for i := range c.Setups {
		if len(d.data) > 32<<10 {
			d.hash.Write(d.data)
			d.data = d.data[:0]
		}
		d.data = c.Setups[i].appendView(d.data)
	}
	d.hash.Write(d.data)
	return "sha256:" + hex.EncodeToString(d.hash.Sum(nil))
}

// appendHost appends what is true of the host whatever the setup.
func (c *Capture) appendHost(data []byte) []byte {
	data = appendText(data, c.Host.Kernel, c.Host.Mode, c.Host.Emulator)
	data = binary.AppendUvarint(data, uint64(c.Host.PageSize))
	data = binary.AppendUvarint(data, uint64(len(c.Host.CPUs)))
	for _, cpu := range c.Host.CPUs {
		data = appendNumbers(data, cpu.MIDR, cpu.REVIDR, uint64(cpu.Count))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Host.Capabilities)) {
		data = appendNumbers(appendText(data, name), uint64(c.Host.Capabilities[name]))
	}
	if c.Complete {
		data = append(data, 1)
	}
	if c.Power != nil {
		data = c.Power.appendView(data)
	}
	return data
}

func (s *CapturedSetup) appendView(data []byte) []byte {
	var key [64]byte
	data = binary.AppendUvarint(data, 4) // texts
	data = appendOne(data, s.appendKey(key[:0]))
	data = appendOne(data, s.Registers)
	data = appendOne(data, s.Accepts)
	data = appendOne(data, s.AssumedKernel)
	data = appendText(data, s.Capabilities...)
	data = appendNumbers(data, uint64(s.IPABits), uint64(s.VectorLengths), s.MaskRanges)
	data = appendNumbers(data, s.View.Present[:]...)
	data = appendNumbers(data, s.View.Values[:]...)
	data = appendMap(data, s.Extra)
	data = appendMap(data, s.Masks)
	data = binary.AppendUvarint(data, uint64(len(s.Listed)))
	for _, id := range s.Listed {
		data = appendNumbers(data, uint64(id))
	}
	if s.Offers == nil {
		return append(data, 0)
	}
	return s.Offers.Append(append(data, 1))
}

// appendText appends texts, each with its length before it.
func appendText(data []byte, texts ...string) []byte {
	data = binary.AppendUvarint(data, uint64(len(texts)))
	for _, text := range texts {
		data = appendOne(data, text)
	}
	return data
}

// appendOne appends one text with its length before it.
func appendOne[T ~string | ~[]byte](data []byte, text T) []byte {
	return append(binary.AppendUvarint(data, uint64(len(text))), text...)
}

func appendNumbers(data []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		data = binary.LittleEndian.AppendUint64(data, n)
	}
	return data
}

// appendMap appends registers and values in ascending order of ids.
func appendMap(data []byte, values map[arm64.ID]uint64) []byte {
	data = binary.AppendUvarint(data, uint64(len(values)))
	for _, id := range slices.Sorted(maps.Keys(values)) {
		data = appendNumbers(data, uint64(id), values[id])
	}
	return data
}
