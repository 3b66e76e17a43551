package guise

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Marshal writes the rules of the policy as ReadPolicy reads them: YAML, the rules
// and what they name in order, values in hexadecimal. With, Without, Protected,
// NoVGIC and IdentityOf are no rules of a file, and are left out. A policy without
// rules is an empty map.
func (p *Policy) Marshal() []byte {
	var b bytes.Buffer
	if len(p.Allow) > 0 {
		b.WriteString("allow:\n")
		for _, register := range slices.Sorted(maps.Keys(p.Allow)) {
			fmt.Fprintf(&b, "  %s: [%s]\n", register, strings.Join(p.Allow[register], ", "))
		}
	}
	writeBounds(&b, "force", p.Force)
	if len(p.Hide) > 0 {
		fmt.Fprintf(&b, "hide: [%s]\n", strings.Join(p.Hide, ", "))
	}
	if len(p.Require)+len(p.AtLeast) > 0 {
		b.WriteString("require:\n")
		for _, feature := range p.Require {
			fmt.Fprintf(&b, "  %s: true\n", feature)
		}
		writeMembers(&b, p.AtLeast)
	}
	writeBounds(&b, "restrict", p.Restrict)
	if len(p.Vary) > 0 {
		fmt.Fprintf(&b, "vary: [%s]\n", strings.Join(p.Vary, ", "))
	}
	if b.Len() == 0 {
		b.WriteString("{}\n")
	}
	return b.Bytes()
}

func writeBounds(b *bytes.Buffer, rule string, bounds map[string]uint64) {
	if len(bounds) > 0 {
		fmt.Fprintf(b, "%s:\n", rule)
		writeMembers(b, bounds)
	}
}

func writeMembers(b *bytes.Buffer, values map[string]uint64) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(b, "  %s: %#x\n", name, values[name])
	}
}
