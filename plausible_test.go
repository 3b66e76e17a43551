package guise

import (
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

// hostForLint is a host with one setup, in which it takes only what it shows.
func hostForLint() *Capture {
	c := &Capture{Name: "h", Host: HostFacts{Kernel: "6.12.95+deb13-arm64"}, Setups: []CapturedSetup{{Setup: Setup{VGIC: 3}, Registers: Read, Accepts: Tried}}}
	s := &c.Setups[0]
	s.View.Put(arm64.IDAA64PFR0EL1, 0x11)
	s.View.Put(arm64.IDAA64ISAR0EL1, 0x20)
	s.Offers = new(arm64.Offers)
	s.Offers.FromView(&s.View)
	return c
}

// TestImplausibleCaptures: what no host can be is an error, which names it.
func TestImplausibleCaptures(t *testing.T) {
	aes, _ := arm64.SlotOf(arm64.IDAA64ISAR0EL1, fieldPlace("ID_AA64ISAR0_EL1", "AES"))
	for name, row := range map[string]struct {
		change func(c *Capture)
		want   string
	}{
		"nothing":         {func(*Capture) {}, ""},
		"a banana":        {func(c *Capture) { c.Host.Kernel = "banana" }, `host: kernel version "banana": want a release such as 6.12`},
		"no host":         {func(c *Capture) { c.Host = HostFacts{} }, "host: has no kernel"},
		"imported":        {func(c *Capture) { c.Host, c.Setups[0].Registers = HostFacts{}, Imported }, ""},
		"outside":         {func(c *Capture) { c.Setups[0].Offers.PutSet(aes, 0b11) }, "setup base/vgic3: ID_AA64ISAR0_EL1.AES: shows 2, and accepts has only 0-1"},
		"outside, a book": {func(c *Capture) { c.Setups[0].Offers.PutSet(aes, 0b11); c.Setups[0].Accepts = Assumed }, ""},
		"no setups":       {func(c *Capture) { c.Setups = nil }, "has no setups"},
	} {
		c := hostForLint()
		row.change(c)
		if err := c.Implausible(); (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}

// fieldPlace is a field's place in its register.
func fieldPlace(register, field string) int {
	for i := range arm64.Named(register).Fields {
		if arm64.Named(register).Fields[i].Name == field {
			return i
		}
	}
	panic(register + "." + field)
}

// TestDoubtfulViews: every row of the table is found, and with what it rests on is
// not.
func TestDoubtfulViews(t *testing.T) {
	for i := range doubtful {
		d := &doubtful[i]
		place, ok := arm64.Place(d.register)
		by, known := arm64.Place(d.deciding)
		if !ok || !known || arm64.Registers[by].Field(d.decides) == nil || d.field != "" && arm64.Registers[place].Field(d.field) == nil {
			t.Errorf("%s.%s by %s.%s: no such field", d.register, d.field, d.deciding, d.decides)
			continue
		}
		c := hostForLint()
		v := &c.Setups[0].View
		v.Put(by, 0)
		v.Put(place, 1)
		if field := arm64.Registers[place].Field(d.field); field != nil {
			v.Put(place, field.Put(0, 1))
		}
		found := func() bool {
			for _, doubt := range c.Doubts() {
				if strings.HasPrefix(doubt.String(), d.register) && doubt.Reason == d.reason {
					return true
				}
			}
			return false
		}
		if !found() {
			t.Errorf("%s.%s is not doubted: %v", d.register, d.field, c.Doubts())
		}
		decides := arm64.Registers[by].Field(d.decides)
		v.Put(by, decides.Put(v.Values[by], d.least))
		if found() {
			t.Errorf("%s.%s is doubted with %s.%s %d", d.register, d.field, d.deciding, d.decides, d.least)
		}
	}
	c := hostForLint()
	c.Setups[0].View.Put(arm64.IDAA64PFR0EL1, 1<<32)
	if got := c.Doubts(); len(got) != 1 || got[0].String() != "ID_AA64PFR0_EL1.SVE: is 1 in setup base/vgic3: the VM is made without SVE" {
		t.Errorf("SVE without SVE: %v", got)
	}
}
