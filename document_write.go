package guise

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/guise-project/guise/isa/arm64"
)

// members is a JSON object to be written with its keys in ascending order.
type members map[string]any

// put adds a member unless its value is the zero value of its type, which
// documents leave out.
func put[T comparable](m members, key string, value T) {
	var zero T
	if value != zero {
		m[key] = value
	}
}

// marshal writes a document: sorted keys, two spaces of indentation, a line
// feed at the end; equal documents give equal bytes.
func marshal(document members) []byte {
	data, err := json.Marshal(document, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		panic(err) // only strings, numbers, lists and maps are put in
	}
	return append(data, '\n')
}

// appendSetup adds the members of a setup.
func appendSetup(m members, s *Setup) {
	features := make([]string, 0, len(s.Features))
	for _, f := range s.Features {
		features = append(features, string(f))
	}
	m["features"] = features
	m["protected"] = s.Protected
	m["vgic"] = s.VGIC
	put(m, "ipaBits", s.IPABits)
	if len(s.Capabilities) > 0 {
		m["capabilities"] = s.Capabilities
	}
	if s.VectorLengths != 0 {
		m["vectorLengths"] = vectorBits(s.VectorLengths)
	}
}

// vectorBits lists the lengths of a set in bits.
func vectorBits(lengths uint16) []int {
	var bits []int
	for i := range 16 {
		if lengths>>i&1 != 0 {
			bits = append(bits, (i+1)*128)
		}
	}
	return bits
}

// viewMembers returns the register and the firmware map of a view.
func viewMembers(v *arm64.View) (registers, firmware members) {
	registers, firmware = members{}, members{}
	for place := range arm64.Registers {
		if v.Present.Has(place) {
			putRegister(registers, firmware, place, v.Values[place])
		}
	}
	return registers, firmware
}

// putRegister adds one register's value to the map it belongs to.
func putRegister(registers, firmware members, place int, value uint64) {
	r := &arm64.Registers[place]
	if firmwareRegister(place) {
		firmware[r.Name] = hexText(value, 64)
	} else {
		registers[r.Name] = hexText(value, int(r.Bits))
	}
}

// idList returns register ids as documents write them.
func idList(ids []arm64.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = hexText(uint64(id), 64)
	}
	return texts
}
