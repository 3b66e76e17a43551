package guise

import (
	"slices"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// zeroForOthers is the rule for registers and bitmaps that a contract does not
// name: they get 0.
const zeroForOthers = "0x0000000000000000"

// Marshal writes the contract as a document; equal contracts give equal bytes.
func (c *Contract) Marshal() []byte {
	if c.Power != nil {
		return c.withOrigins(members{"schema": SchemaContract, "power": c.Power.members()})
	}
	setup := members{}
	appendSetup(setup, &c.Setup)
	registers, firmware, hardware, vary := members{}, members{}, members{}, members{}
	for place := range arm64.Registers {
		r := &arm64.Registers[place]
		if c.View.Present.Has(place) {
			if r.Scope == isa.Hardware {
				hardware[r.Name] = hexText(c.View.Values[place], int(r.Bits))
			} else {
				putRegister(registers, firmware, place, c.View.Values[place])
			}
		}
		if c.Vary[place] != 0 {
			vary[r.Name] = hexText(c.Vary[place], int(r.Bits))
		}
	}
	for id, value := range c.Extra {
		registers[id.String()] = hexText(value, 64)
	}
	document := members{
		"schema": SchemaContract, "setup": setup, "registers": registers, "firmware": firmware,
		"absent": nameList(c.Absent), "uncontrolled": nameList(c.Uncontrolled), "others": zeroForOthers,
	}
	if len(hardware) > 0 {
		document["hardware"] = hardware
	}
	if len(vary) > 0 {
		document["vary"] = vary
	}
	if c.Listed != nil {
		document["listed"] = idList(c.Listed)
	}
	return c.withOrigins(document)
}

// withOrigins adds what the contract was made from and writes the document.
func (c *Contract) withOrigins(document members) []byte {
	var origins []members
	for _, o := range c.MadeFrom {
		m := members{"name": o.Name, "view": o.View}
		put(m, "kernel", o.Kernel)
		origins = append(origins, m)
	}
	if origins != nil {
		document["madeFrom"] = origins
	}
	return marshal(document)
}

// nameList writes registers by their architecture names where they have one.
func nameList(ids []arm64.ID) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	slices.Sort(names)
	return names
}

// ReadContract reads a contract. File names the document in errors, which are
// *DocumentError. It is safe for concurrent use.
func ReadContract(file string, data []byte) (*Contract, error) {
	r := readers.Get().(*documentReader)
	defer readers.Put(r)
	if err := CheckSize(file, data, SchemaContract); err != nil {
		return nil, err
	}
	r.reset(file, data)
	c := &Contract{Name: file}
	captured := CapturedSetup{}
	var seen seenRegisters
	schema, setup := false, false
	r.object("contract", func(key []byte) {
		if k := string(key); k != "schema" && k != "power" && k != "madeFrom" {
			r.arm64 = true
		}
		switch string(key) {
		case "schema":
			r.schema(SchemaContract)
			schema = true
		case "setup":
			setup = true
			r.object("setup", func(key []byte) { r.setupMember(&c.Setup, key) })
		case "power":
			c.Power = r.powerContract()
		case "registers", "hardware":
			r.registers(&captured, &seen)
		case "firmware":
			r.firmware(&captured.View)
		case "vary":
			r.object("vary", func(name []byte) { r.varyMask(c, name) })
		case "absent":
			r.list("absent", func() { c.Absent = append(c.Absent, r.ruled("absent")) })
		case "uncontrolled":
			r.list("uncontrolled", func() { c.Uncontrolled = append(c.Uncontrolled, r.ruled("uncontrolled")) })
		case "others":
			if text := r.text("others"); r.err == nil && string(text) != zeroForOthers {
				r.fail("others: want %s, there is %q", zeroForOthers, text)
			}
		case "listed":
			r.list("listed", func() { c.Listed = append(c.Listed, r.registerID()) })
			r.checkSorted(c.Listed)
		case "madeFrom":
			r.list("madeFrom", func() {
				r.spend(roomOfOrigin)
				c.MadeFrom = append(c.MadeFrom, r.origin())
			})
		default:
			r.unknownKey(key, "contract")
		}
	})
	c.View, c.Extra = captured.View, captured.Extra
	c.absentByList()
	slices.Sort(c.Absent)
	slices.Sort(c.Uncontrolled)
	r.checkContract(c)
	r.oneArchitecture(c.Power != nil)
	if err := r.finishAs(SchemaContract); err != nil {
		return nil, err
	}
	if !schema || !setup && c.Power == nil {
		return nil, &DocumentError{File: file, Message: "want a contract with its schema, " + SchemaContract + ", and its setup"}
	}
	if err := c.Incomplete(); err != nil {
		return nil, &DocumentError{File: file, Message: err.Error()}
	}
	return c, nil
}

// absentByList says of VENDOR_HYP_BMAP_2 that it is absent where the contract says
// nothing of it and its own list of registers, which is known, does not have it:
// documents from before it was said are read so.
func (c *Contract) absentByList() {
	id := arm64.ID(arm64.Registers[arm64.VENDORHYPBMAP2].ID)
	said := c.has(id) || slices.Contains(c.Absent, id) || slices.Contains(c.Uncontrolled, id)
	if c.Listed != nil && !said && !slices.Contains(c.Listed, id) {
		c.Absent = append(c.Absent, id)
	}
}

// checkContract refuses a contract that contradicts itself.
func (r *documentReader) checkContract(c *Contract) {
	for place := range arm64.Registers {
		name := arm64.Registers[place].Name
		switch {
		case r.err != nil:
		case c.Vary[place] != 0 && !c.View.Present.Has(place):
			r.fail("vary: %s has no value in the contract", name)
		case c.Vary[place]&c.View.Values[place] != 0:
			r.fail("vary: %s: bits %#x vary and have a value", name, c.Vary[place]&c.View.Values[place])
		}
	}
}

// varyMask reads which bits of a register vary.
func (r *documentReader) varyMask(c *Contract, name []byte) {
	place, ok := arm64.PlaceBytes(name)
	if !ok {
		r.fail("vary: %q is not a register", name)
		return
	}
	register := &arm64.Registers[place]
	if register.Name == "DCZID_EL0" {
		r.fail("vary: DCZID_EL0 must never vary: guests remember the size that DC ZVA clears")
		return
	}
	if c.Vary[place] != 0 {
		r.fail("vary: %s stands here twice, by two names", register.Name)
	}
	c.Vary[place] = r.hexadecimal(register.Name, int(register.Bits))
}

// ruled reads a register that a contract is complete over, by any of its names.
func (r *documentReader) ruled(what string) arm64.ID {
	name := r.text(what)
	if r.err != nil {
		return 0
	}
	var id arm64.ID
	if encoding, err := arm64.ParseEncoding(string(name)); err == nil {
		id = encoding.ID()
	}
	if place, ok := arm64.PlaceBytes(name); ok {
		id = arm64.ID(arm64.Registers[place].ID)
	}
	if !inSpace(id) {
		r.fail("%s: %q is not an encoding of the feature ID space, nor a firmware register of KVM", what, name)
	}
	return id
}

func (r *documentReader) origin() (o Origin) {
	r.object("madeFrom", func(key []byte) {
		switch string(key) {
		case "name":
			o.Name = string(r.text("name"))
		case "kernel":
			o.Kernel = string(r.text("kernel"))
		case "view":
			o.View = string(r.text("view"))
		default:
			r.unknownKey(key, "madeFrom")
		}
	})
	return o
}
