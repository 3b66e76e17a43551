package guise

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// ReadCapture reads a capture. File names the document in errors, which are
// *DocumentError. It is safe for concurrent use.
func ReadCapture(file string, data []byte) (*Capture, error) {
	r := readers.Get().(*documentReader)
	defer readers.Put(r)
	r.reset(file, data)
	c := &Capture{Name: plain.Line(file)}
	schema := false
	r.object("capture", func(key []byte) {
		switch string(key) {
		case "schema":
			r.schema(SchemaCapture)
			schema = true
		case "captured":
			r.occasion(&c.Captured)
		default:
			if !r.viewMember(c, key) {
				r.unknownKey(key, "capture")
			}
		}
	})
	r.oneArchitecture(c.Power != nil)
	if err := r.finishAs(SchemaCapture); err != nil {
		return nil, err
	}
	switch {
	case !schema:
		return nil, &DocumentError{File: file, Message: "no schema; want " + SchemaCapture}
	case len(c.Setups) == 0 && c.Power == nil:
		return nil, &DocumentError{File: file, Message: "the capture has no setups"}
	}
	return c, nil
}

// viewMember reads a member that says what the host is, shows and takes, and
// reports whether the key is one of those.
func (r *documentReader) viewMember(c *Capture, key []byte) bool {
	switch string(key) {
	case "host":
		r.hostFacts(&c.Host)
	case "power":
		c.Power = r.powerHost()
	case "complete":
		r.arm64 = true
		c.Complete = r.boolean("complete")
	case "setups":
		r.arm64 = true
		r.list("setups", func() { r.capturedSetup(c) })
	default:
		return false
	}
	return true
}

var readers = sync.Pool{New: func() any { return new(documentReader) }}

// schema reads the document's schema, which must be want.
func (r *documentReader) schema(want string) {
	if got := r.text("schema"); r.err == nil && string(got) != want {
		r.fail("schema: want %s, there is %s", want, got)
	}
}

func (r *documentReader) occasion(o *Occasion) {
	r.object("captured", func(key []byte) {
		switch string(key) {
		case "at":
			o.At = string(r.text("at"))
		case "by":
			o.By = string(r.text("by"))
		case "source":
			o.Source = string(r.text("source"))
		default:
			r.unknownKey(key, "captured")
		}
	})
}

func (r *documentReader) hostFacts(h *HostFacts) {
	r.object("host", func(key []byte) {
		switch string(key) {
		case "kernel":
			h.Kernel = string(r.text("kernel"))
		case "mode":
			h.Mode = string(r.text("mode"))
		case "pageSize":
			h.PageSize = r.integer("pageSize", 1<<16)
		case "emulator":
			h.Emulator = string(r.text("emulator"))
		case "cpus":
			r.list("cpus", func() { h.CPUs = append(h.CPUs, r.hostCPU()) })
		case "capabilities":
			r.capabilityValues(h)
		default:
			r.unknownKey(key, "host")
		}
	})
}

// maxCapability bounds what KVM_CHECK_EXTENSION answers: sizes of blocks are
// the largest, as bits.
const maxCapability = 1 << 48

func (r *documentReader) capabilityValues(h *HostFacts) {
	h.Capabilities = map[string]int{}
	r.object("capabilities", func(key []byte) {
		name := string(key)
		if !strings.HasPrefix(name, "KVM_CAP_") {
			r.unknownKey(key, "capabilities")
			return
		}
		h.Capabilities[name] = r.integer(name, maxCapability)
	})
}

func (r *documentReader) hostCPU() (cpu HostCPU) {
	r.object("cpu", func(key []byte) {
		switch string(key) {
		case "midr":
			cpu.MIDR = r.hexadecimal("midr", 64)
		case "revidr":
			cpu.REVIDR = r.hexadecimal("revidr", 64)
		case "count":
			cpu.Count = r.integer("count", 1<<16)
		default:
			r.unknownKey(key, "cpu")
		}
	})
	return cpu
}

// capturedSetup reads one setup. Those after the first are stored as
// differences from it.
func (r *documentReader) capturedSetup(c *Capture) {
	c.Setups = append(c.Setups, CapturedSetup{})
	s := &c.Setups[len(c.Setups)-1]
	if len(c.Setups) > 1 {
		inherit(s, &c.Setups[0])
	}
	accepts := &r.accepts
	accepts.reset()
	r.object("setup", func(key []byte) {
		switch string(key) {
		case "registers":
			r.registers(s)
		case "firmware":
			r.firmware(&s.View)
		case "absent":
			r.list("absent", func() { r.absent(s) })
		case "listed":
			r.ids = r.ids[:0]
			r.list("listed", func() { r.ids = append(r.ids, r.registerID()) })
			r.checkSorted(r.ids)
			s.Listed = r.sharedList()
		case "listedAdded":
			r.ids = r.ids[:0]
			r.list("listedAdded", func() { r.ids = append(r.ids, r.registerID()) })
			s.Listed = slices.Concat(s.Listed, r.ids)
			slices.Sort(s.Listed)
			r.checkSorted(s.Listed)
		case "listedRemoved":
			gone := map[arm64.ID]bool{}
			r.list("listedRemoved", func() { gone[r.registerID()] = true })
			s.Listed = slices.DeleteFunc(slices.Clone(s.Listed), func(id arm64.ID) bool { return gone[id] })
		case "accepts":
			accepts.present = true
			var find arm64.Finder
			r.object("accepts", func(register []byte) { r.acceptedFields(accepts, &find, register) })
		case "basis":
			r.basis(s)
		case "masks":
			s.Masks = map[arm64.ID]uint64{}
			r.object("masks", func(name []byte) { r.mask(s, name) })
		case "maskRanges":
			s.MaskRanges = r.hexadecimal("maskRanges", 64)
		default:
			r.setupMember(&s.Setup, key)
		}
	})
	if r.err != nil {
		return
	}
	if len(s.Listed) == 0 {
		s.Listed = nil // not known: every vCPU lists something
	}
	if accepts.present {
		s.Offers = r.offers(&s.View)
		if s.Accepts == "" {
			s.Accepts = Tried
		}
	}
	if !accepts.present && (s.Accepts != "" || s.AssumedKernel != "") {
		r.fail("basis: says how accepts is known, and the setup has none")
		return
	}
	if s.Registers == "" {
		s.Registers = Read
	}
	if c.Setup(s.Key()) != s {
		r.fail("setup %s: stands in the capture twice", s.Key())
	}
}

// inherit makes a setup show what the first shows; all else is said anew.
func inherit(s, first *CapturedSetup) {
	s.View = first.View
	s.Listed = first.Listed
	s.Extra = maps.Clone(first.Extra)
}

// registers reads the register map of a setup.
func (r *documentReader) registers(s *CapturedSetup) {
	var find arm64.Finder
	var seen arm64.Places
	r.object("registers", func(name []byte) {
		if place, ok := find.Place(name); ok && !firmwareRegister(place) {
			if seen.Has(place) {
				r.fail("registers: %s stands here twice, by two names", arm64.Registers[place].Name)
			}
			seen.Add(place)
			register := &arm64.Registers[place]
			s.View.Put(place, r.hexadecimal(register.Name, int(register.Bits)))
			return
		}
		encoding, err := arm64.ParseEncoding(string(name))
		if err != nil || !encoding.InFeatureSpace() {
			r.fail("registers: %q is not a register of the feature ID space", name)
			return
		}
		if s.Extra == nil {
			s.Extra = map[arm64.ID]uint64{}
		}
		s.Extra[encoding.ID()] = r.hexadecimal("registers", 64)
	})
}

// firmware reads the firmware map of a setup or contract.
func (r *documentReader) firmware(v *arm64.View) {
	r.object("firmware", func(name []byte) {
		place, ok := arm64.PlaceBytes(name)
		if !ok || !firmwareRegister(place) {
			r.fail("firmware: %q is not a firmware register of KVM", name)
			return
		}
		v.Put(place, r.hexadecimal(arm64.Registers[place].Name, 64))
	})
}

// firmwareRegister reports whether the register at place is one of KVM's own.
func firmwareRegister(place int) bool {
	_, system := arm64.ID(arm64.Registers[place].ID).Encoding()
	return !system && arm64.Registers[place].Bits == 64
}

// absent reads the name of a register that this setup, unlike the first, lacks.
func (r *documentReader) absent(s *CapturedSetup) {
	name := r.text("absent")
	if r.err != nil {
		return
	}
	if place, ok := arm64.PlaceBytes(name); ok {
		s.View.Present.Remove(place)
		s.View.Values[place] = 0
		return
	}
	encoding, err := arm64.ParseEncoding(string(name))
	if err != nil {
		r.fail("absent: %q is not a register", name)
		return
	}
	delete(s.Extra, encoding.ID())
}

// sharedList returns the ids that were read. Hosts of one kernel list the same
// registers, and a list is as large as all else of a capture: those that one
// reader meets one after the other share it.
func (r *documentReader) sharedList() []arm64.ID {
	if !slices.Equal(r.listed, r.ids) {
		r.listed = slices.Clone(r.ids)
	}
	return r.listed
}

// registerID reads a KVM register id.
func (r *documentReader) registerID() arm64.ID {
	return arm64.ID(r.hexadecimal("listed", 64))
}

func (r *documentReader) checkSorted(ids []arm64.ID) {
	for i := 1; i < len(ids) && r.err == nil; i++ {
		if ids[i-1] >= ids[i] {
			r.fail("listed: want ids in ascending order, each once")
		}
	}
}

func (r *documentReader) mask(s *CapturedSetup, name []byte) {
	var id arm64.ID
	if place, ok := arm64.PlaceBytes(name); ok {
		id = arm64.ID(arm64.Registers[place].ID)
	} else if encoding, err := arm64.ParseEncoding(string(name)); err == nil {
		id = encoding.ID()
	} else {
		r.fail("masks: %q is not a register", name)
		return
	}
	if _, twice := s.Masks[id]; twice {
		r.fail("masks: %v stands here twice, by two names", id)
	}
	s.Masks[id] = r.hexadecimal("masks", 64)
}

func (r *documentReader) basis(s *CapturedSetup) {
	r.object("basis", func(key []byte) {
		switch string(key) {
		case "registers":
			s.Registers = r.source("registers", Read, Imported, Assumed)
		case "accepts":
			s.Accepts = r.source("accepts", Tried, Assumed, Imported)
		case "kernel":
			s.AssumedKernel = string(r.text("kernel"))
		default:
			r.unknownKey(key, "basis")
		}
	})
}

func (r *documentReader) source(what string, allowed ...Source) Source {
	text := Source(r.text(what))
	if r.err == nil && !slices.Contains(allowed, text) {
		r.fail("%s: want one of %v, there is %q", what, allowed, text)
	}
	return text
}

// setupMember reads one member of a Setup.
func (r *documentReader) setupMember(s *Setup, key []byte) {
	switch string(key) {
	case "features":
		r.list("features", func() {
			feature := Feature(r.text("features"))
			if r.err == nil && (!slices.Contains(Features, feature) || s.Has(feature)) {
				r.fail("features: want each of %v at most once, there is %q", Features, feature)
			}
			s.Features = append(s.Features, feature)
		})
		slices.Sort(s.Features)
	case "protected":
		s.Protected = r.boolean("protected")
	case "vgic":
		if s.VGIC = r.integer("vgic", 3); s.VGIC == 1 {
			r.fail("vgic: want 0 (none), 2 or 3")
		}
	case "ipaBits":
		if s.IPABits = r.integer("ipaBits", 52); s.IPABits != 0 && s.IPABits < 32 {
			r.fail("ipaBits: want 32 to 52, there is %d", s.IPABits)
		}
	case "capabilities":
		seen := map[string]bool{}
		r.list("capabilities", func() {
			name := string(r.text("capabilities"))
			if r.err == nil && seen[name] {
				r.fail("capabilities: %q stands here twice", name)
			}
			seen[name] = true
			s.Capabilities = append(s.Capabilities, name)
		})
		slices.Sort(s.Capabilities)
	case "vectorLengths":
		r.list("vectorLengths", func() {
			bits := r.integer("vectorLengths", 2048)
			if bits == 0 || bits%128 != 0 {
				r.fail("vectorLengths: want multiples of 128 bits up to 2048, there is %d", bits)
				return
			}
			s.VectorLengths |= 1 << (bits/128 - 1)
		})
	default:
		r.unknownKey(key, "setup")
	}
}

// acceptReader holds accepted sets until the registers they go with are known:
// in a document with sorted keys they come first.
type acceptReader struct {
	present   bool
	registers arm64.Places
	sets      [arm64.NumSlots]isa.Set // empty: only the limit
	free      []int
}

// reset readies the reader for another setup.
func (a *acceptReader) reset() {
	clear(a.sets[:])
	a.present, a.registers, a.free = false, arm64.Places{}, a.free[:0]
}

// anyValue is the set of a field that takes any value; the field "*" stands for
// the bits of a register that are compared whole.
const anyValue = "any"

// acceptedFields reads the accepted sets of one register.
func (r *documentReader) acceptedFields(a *acceptReader, find *arm64.Finder, name []byte) {
	place, ok := find.Place(name)
	if !ok {
		r.fail("accepts: %q is not a register", name)
		return
	}
	a.registers.Add(place)
	r.object("accepts", func(fieldName []byte) {
		if string(fieldName) == "*" {
			if text := r.text("accepts"); r.err == nil && string(text) != anyValue {
				r.fail("accepts: %s.*: want %q, there is %q", arm64.Registers[place].Name, anyValue, text)
			}
			a.free = append(a.free, place)
			return
		}
		slot := slotOf(place, fieldName)
		if slot < 0 {
			r.fail("accepts: %s has no field %q that is a set", arm64.Registers[place].Name, fieldName)
			return
		}
		text := r.text("accepts")
		if r.err != nil {
			return
		}
		set, err := parseAccepted(&arm64.Slots[slot], text)
		if err != nil {
			r.fail("accepts: %s: %v", arm64.Slots[slot].Name(), err)
			return
		}
		a.sets[slot] = set
	})
}

// slotOf returns the slot of a register's field, -1 where there is none.
func slotOf(place int, field []byte) int {
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		if _, f := arm64.Slots[slot].Describe(); f.Name == string(field) {
			return slot
		}
	}
	return -1
}

// offers completes what was read with the limits.
func (r *documentReader) offers(v *arm64.View) *arm64.Offers {
	a := &r.accepts
	offers := new(arm64.Offers)
	offers.FromView(v)
	for place := range a.registers.All() {
		if !v.Present.Has(place) {
			r.fail("accepts: the setup has no %s", arm64.Registers[place].Name)
		}
		first, end := arm64.SlotsOf(place)
		for slot := first; slot < end; slot++ {
			if set := a.sets[slot]; set != 0 {
				offers.PutSet(slot, set)
			}
		}
	}
	for _, place := range a.free {
		offers.Free(place)
	}
	return offers
}
