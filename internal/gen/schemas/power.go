package main

import (
	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/power"
)

// oneArchitecture has a document be of arm64, with the first of the members
// named, or of POWER, with power and none of them.
func oneArchitecture(schema object, arm64 ...string) object {
	none := object{}
	for _, member := range arm64 {
		none[member] = false
	}
	schema["if"] = object{"required": []string{"power"}}
	schema["then"] = object{"properties": none}
	schema["else"] = object{"required": arm64[:1]}
	return schema
}

// powerHost is what a capture has of a POWER host.
func powerHost() object {
	levels, tried := object{}, object{power.TriedLargeDecrementer: boolean}
	for _, row := range power.Levels {
		levels[row.Name] = boolean
	}
	return described(closed(object{
		"pvr": described(hex32, "the processor version register"),
		"characteristics": described(closed(object{
			"character": hex64, "characterMask": hex64, "behaviour": hex64, "behaviourMask": hex64,
		}, "character", "characterMask", "behaviour", "behaviourMask"), "what KVM_PPC_GET_CPU_CHAR answers; only bits of the masks are known"),
		"levels":     described(closed(levels), "whether KVM_REG_PPC_ARCH_COMPAT takes a level; what is not named was not tried"),
		"tried":      described(closed(tried), "what else was tried: whether a field of a register takes 1"),
		"facilities": facilitySights(),
	}, "pvr"), "what KVM-HV on a POWER host can give a guest")
}

// levelName is a level of the architecture.
func levelName() object {
	var names []string
	for _, row := range power.Levels {
		names = append(names, row.Name)
	}
	return oneOfWords(names...)
}

// facilityNames are the facilities with a bit in HFSCR.
func facilityNames() []string {
	var names []string
	for _, f := range power.Facilities {
		if f.HFSCR {
			names = append(names, f.Name)
		}
	}
	return names
}

func facilitySights() object {
	outcome := oneOfWords(guise.FacilityOutcomes...)
	sights := object{}
	for _, name := range facilityNames() {
		sights[name] = closed(object{"off": outcome, "on": outcome}, "off", "on")
	}
	return described(closed(sights), "what a nested guest met when it used a facility, with its bit of HFSCR off and on")
}

// powerContract is what a contract has for a VM on POWER.
func powerContract() object {
	capabilities, all := object{}, []string{}
	for i := range power.Capabilities {
		o := &power.Capabilities[i]
		capabilities[o.Name] = described(oneOfWords(o.Values...), o.About)
		all = append(all, o.Name)
	}
	return described(closed(object{
		"level":        described(levelName(), "the level of the architecture, for KVM_REG_PPC_ARCH_COMPAT"),
		"capabilities": described(closed(capabilities, all...), "ordered capabilities at their values"),
		"facilities":   described(set(oneOfWords(facilityNames()...)), "what a nested hypervisor may give its own guests"),
		"character":    described(hex64, "the first word of the answer to H_GET_CPU_CHARACTERISTICS"),
		"behaviour":    described(hex64, "the second word"),
	}, "level", "capabilities", "facilities", "character", "behaviour"), "the contract of a VM on POWER; it stands in the place of setup and registers")
}

// powerTrace is what a guest of a POWER host saw.
func powerTrace() object {
	instructions := object{}
	for _, row := range power.Ladder {
		instructions[row.Mnemonic] = oneOfWords(guise.InstructionOutcomes...)
	}
	schema := closed(object{
		"level":        described(levelName(), "what KVM_REG_PPC_ARCH_COMPAT reads back; not there where KVM refused the contract's level"),
		"pvr":          described(hex32, "the processor version register as the guest read it"),
		"instructions": described(closed(instructions), "what came of an instruction of each level in problem state"),
		"facilities":   facilitySights(),
	})
	schema["dependentRequired"] = map[string][]string{"level": {"pvr"}, "pvr": {"level"}}
	return described(schema, "what a guest of a POWER host saw; it stands in the place of setup and trace")
}
