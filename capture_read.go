package guise

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/isa/arm64"
)

// ReadCapture reads a capture. File names the document in errors, which are
// *DocumentError. It is safe for concurrent use.
func ReadCapture(file string, data []byte) (*Capture, error) {
	r := readers.Get().(*documentReader)
	defer readers.Put(r)
	if err := CheckSize(file, data, SchemaCapture); err != nil {
		return nil, err
	}
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
		r.setups = setupKeys{}
		c.Setups = r.captured[:0]
		r.list("setups", func() { r.capturedSetup(c) })
		r.captured, c.Setups = c.Setups, slices.Clone(c.Setups)
		clear(r.captured)
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
			h.PageSize = int(r.integer("pageSize", 1<<16))
		case "emulator":
			h.Emulator = string(r.text("emulator"))
		case "cpus":
			r.list("cpus", func() {
				r.spend(roomOfCPU)
				h.CPUs = append(h.CPUs, r.hostCPU())
			})
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
	h.Capabilities = map[string]int64{}
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
			cpu.Count = int(r.integer("count", 1<<16))
		default:
			r.unknownKey(key, "cpu")
		}
	})
	return cpu
}

// capturedSetup reads one setup. Those after the first are stored as
// differences from it.
func (r *documentReader) capturedSetup(c *Capture) {
	r.spend(roomOfSetup)
	c.Setups = append(c.Setups, CapturedSetup{})
	s := &c.Setups[len(c.Setups)-1]
	if len(c.Setups) > 1 {
		r.inherit(s, &c.Setups[0])
	}
	accepts := &r.accepts
	accepts.reset()
	r.object("setup", func(key []byte) {
		switch string(key) {
		case "registers":
			r.registers(s, &seenRegisters{})
		case "firmware":
			r.firmware(&s.View)
		case "absent":
			r.list("absent", func() { r.absent(s) })
		case "listed":
			s.Listed = r.idList()
		case "listedAdded":
			r.ids = r.ids[:0]
			r.list("listedAdded", func() { r.ids = append(r.ids, r.registerID()) })
			r.merged = append(append(r.merged[:0], s.Listed...), r.ids...)
			slices.Sort(r.merged)
			r.checkSorted(r.merged)
			s.Listed = r.sharedList(r.merged)
		case "listedRemoved":
			gone := map[arm64.ID]bool{}
			r.list("listedRemoved", func() { gone[r.registerID()] = true })
			r.spend(roomOfExtra * len(gone))
			r.merged = slices.DeleteFunc(append(r.merged[:0], s.Listed...), func(id arm64.ID) bool { return gone[id] })
			s.Listed = r.sharedList(r.merged)
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
		r.spend(roomOfOffers)
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
	if !r.setups.add(&s.Setup) {
		r.fail("setup %s: stands in the capture twice", s.Key())
	}
}

// setupKeys is the set of setups that were met in a capture, by what Setup.Key
// has: features and protection, vGIC.
type setupKeys [2 << 6][4]bool

// add adds a setup and reports whether it is new.
func (k *setupKeys) add(s *Setup) bool {
	index := 0
	for i, feature := range Features {
		if s.Has(feature) {
			index |= 2 << i
		}
	}
	if s.Protected {
		index |= 1
	}
	met := &k[index][s.VGIC]
	was := *met
	*met = true
	return !was
}

// inherit makes a setup show what the first shows; all else is said anew.
func (r *documentReader) inherit(s, first *CapturedSetup) {
	s.View = first.View
	s.Listed = first.Listed
	s.Extra = maps.Clone(first.Extra)
	// A digest goes over the list of every setup; a byte stands for an id.
	r.spend(roomOfExtra*len(s.Extra) + len(s.Listed))
}

// seenRegisters are the registers that stood in the maps of a setup or contract: in
// one of them, by one of their names.
type seenRegisters struct {
	named  arm64.Places
	others []arm64.ID // of the feature ID space, which bounds their number
}

const standsTwice = "registers: %s stands here twice, by two names or in two maps"

// registers reads a register map of a setup or contract.
func (r *documentReader) registers(s *CapturedSetup, seen *seenRegisters) {
	var find arm64.Finder
	r.object("registers", func(name []byte) {
		if place, ok := find.Place(name); ok && !firmwareRegister(place) {
			if seen.named.Has(place) {
				r.fail(standsTwice, arm64.Registers[place].Name)
			}
			seen.named.Add(place)
			register := &arm64.Registers[place]
			s.View.Put(place, r.hexadecimal(register.Name, int(register.Bits)))
			return
		}
		encoding, err := arm64.ParseEncoding(string(name))
		if err != nil || !encoding.InFeatureSpace() {
			r.fail("registers: %q is not a register of the feature ID space", name)
			return
		}
		if slices.Contains(seen.others, encoding.ID()) {
			r.fail(standsTwice, encoding.ID())
		}
		seen.others = append(seen.others, encoding.ID())
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

// Lists that a reader remembers: those of the setups of a host or two, none longer
// than those of real hosts.
const (
	rememberedLists = 32
	longestList     = 4096
)

// sharedList returns a list of the ids, which it does not keep. Hosts of one
// kernel list the same registers, and a list is as large as all else of a setup:
// those that one reader meets share it.
func (r *documentReader) sharedList(ids []arm64.ID) []arm64.ID {
	r.spend(len(ids))
	for _, list := range r.lists {
		if slices.Equal(list, ids) {
			return list
		}
	}
	r.spend(8 * len(ids))
	list := slices.Clone(ids)
	if len(list) > longestList {
		return list
	}
	if len(r.lists) < rememberedLists {
		r.lists = append(r.lists, list)
	} else {
		r.lists[r.forgotten%rememberedLists] = list
		r.forgotten++
	}
	return list
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
		if s.VGIC = int(r.integer("vgic", 3)); s.VGIC == 1 {
			r.fail("vgic: want 0 (none), 2 or 3")
		}
	case "ipaBits":
		if s.IPABits = int(r.integer("ipaBits", 52)); s.IPABits != 0 && s.IPABits < 32 {
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
			r.spend(roomOfName)
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
