package main

import (
	"maps"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

// common holds what several documents have.
func common() object {
	definitions := object{
		"hex64":    described(matching("0x[0-9a-f]{16}"), "a value of 64 bits"),
		"hex32":    described(matching("0x[0-9a-f]{8}"), "a value of 32 bits"),
		"captured": occasion(),
		"host":     host(),
		"setup":    closed(setupMembers()),
		"setups": described(object{"type": "array", "minItems": 1, "items": capturedSetup()},
			"what was captured, setup by setup; setups after the first are stored as differences from it, but for what they take"),
		"power":    powerHost(),
		"complete": described(boolean, "true where every setup was tried: the host makes no VM of one that is not here"),
		"registers": described(withPattern(registerMap(func(place int) object {
			if firmware(place) {
				return nil
			}
			return valueOf(place)
		}), featureEncoding, hex64), "registers by the architecture's name, or the generic assembler name of the encoding"),
		"firmware": described(registerMap(func(place int) object {
			if !firmware(place) {
				return nil
			}
			return hex64
		}), "KVM's own registers"),
		"ruled":  list(ruledName()),
		"listed": described(list(hex64), "KVM register ids as KVM_GET_REG_LIST gives them, in ascending order"),
	}
	maps.Copy(definitions, sets())
	maps.Copy(definitions, acceptedSets())
	return document("What guise's documents share", "Definitions that the schemas of captures, contracts, proofs and fleets refer to.", object{"$defs": definitions})
}

func occasion() object {
	return described(closed(object{
		"at":     described(text, "when, as RFC 3339 has it"),
		"by":     described(text, "the tool and its version"),
		"source": described(text, "where an imported document came from"),
	}), "where and when; kept apart from the view, so that equal machines have equal view digests")
}

func host() object {
	return described(closed(object{
		"kernel":   described(text, "the release, as uname -r gives it"),
		"mode":     described(text, "kvm-arm.mode: vhe, nvhe, protected, nested"),
		"pageSize": described(integer(0, 1<<16), "the host's page size in bytes"),
		"emulator": described(text, "what emulates the CPU; not there on hardware"),
		"cpus": described(list(closed(object{
			"midr":   hex64,
			"revidr": hex64,
			"count":  described(integer(0, 1<<16), "how many CPUs are of this kind; 0 where that is not known"),
		})), "one entry for each kind of core"),
		"capabilities": described(withPattern(closed(object{}), "KVM_CAP_.*", integer(0, 1<<48)), "what KVM_CHECK_EXTENSION answers for each capability that was asked for; what is not named is not known"),
	}), "what is true of the host whatever the setup")
}

// setupMembers are the members of a setup.
func setupMembers() object {
	return object{
		"features":     described(set(oneOfWords(guise.Features...)), "vCPU features and what else is chosen by name"),
		"protected":    described(boolean, "true for a protected VM"),
		"vgic":         described(object{"enum": []int{0, 2, 3}}, "version of the in-kernel interrupt controller, 0 for none"),
		"ipaBits":      described(object{"anyOf": []object{{"const": 0}, integer(32, 52)}}, "size of the guest-physical address space; 0 for KVM's default"),
		"capabilities": described(set(text), "KVM_CAP_ARM_* enabled on the VM"),
		"vectorLengths": described(list(object{"type": "integer", "minimum": 128, "maximum": 2048, "multipleOf": 128}),
			"SVE vector lengths in bits"),
	}
}

// capturedSetup is one setup of a capture.
func capturedSetup() object {
	members := setupMembers()
	maps.Copy(members, object{
		"registers":     shared("registers"),
		"firmware":      shared("firmware"),
		"absent":        described(list(registerName()), "registers that the first setup has and this one lacks"),
		"listed":        shared("listed"),
		"listedAdded":   described(list(hex64), "KVM register ids that this setup lists and the first one does not"),
		"listedRemoved": described(list(hex64), "KVM register ids that the first setup lists and this one does not"),
		"accepts": described(registerMap(acceptedFields),
			"which values the host takes, and a guest then sees: register, field, set. A field without an entry takes only its limit; without accepts it is not known what the host takes"),
		"basis": described(closed(object{
			"registers": oneOfWords(guise.Read, guise.Imported, guise.Assumed),
			"accepts":   oneOfWords(guise.Tried, guise.Assumed, guise.Imported),
			"kernel":    described(text, "the version whose profile assumed offers rest on"),
		}), "how the facts are known"),
		"masks": described(withPattern(registerMap(func(int) object { return hex64 }), anyEncoding, hex64),
			"what KVM_ARM_GET_REG_WRITABLE_MASKS reports; recorded, never believed"),
		"maskRanges": hex64,
	})
	return closed(members)
}

func capture() object {
	return document("guise capture", "What KVM on one host can give a guest, setup by setup.", oneArchitecture(closed(object{
		"schema":   object{"const": guise.SchemaCapture},
		"captured": shared("captured"),
		"host":     shared("host"),
		"complete": shared("complete"),
		"setups":   shared("setups"),
		"power":    shared("power"),
	}, "schema"), "setups", "complete"))
}

func contract() object {
	return document("guise contract", "The complete, static definition a VM is given, setup included.", oneArchitecture(closed(object{
		"schema":       object{"const": guise.SchemaContract},
		"setup":        shared("setup"),
		"registers":    shared("registers"),
		"firmware":     shared("firmware"),
		"hardware":     described(shared("registers"), "registers that a guest reads from the CPU and nobody can set: a host must have these values"),
		"absent":       described(shared("ruled"), "registers of the feature ID space and of firmware that must not exist"),
		"uncontrolled": described(shared("ruled"), "registers that no VMM controls, that are the VMM's to choose, or that nobody knew; each register of the feature ID space and of firmware stands in exactly one place"),
		"others":       described(object{"const": "0x0000000000000000"}, "the value of what nobody knows yet"),
		"listed":       shared("listed"),
		"vary": described(registerMap(func(place int) object {
			if place == arm64.DCZIDEL0 {
				return nil // guests remember the size that DC ZVA clears
			}
			return valueOf(place)
		}), "bits that are left to each host, by register; 0 in registers"),
		"madeFrom": described(list(closed(object{
			"name":   text,
			"kernel": text,
			"view":   described(text, "the view digest of the host's capture"),
		})), "the hosts it was computed from"),
		"power": powerContract(),
	}, "schema"), "setup", "registers", "firmware", "hardware", "absent", "uncontrolled", "others", "listed", "vary"))
}

func fleet() object {
	return document("guise fleet", "Many captures in one document, each distinct view once.", closed(object{
		"schema": object{"const": guise.SchemaFleet},
		"hosts": list(closed(object{
			"name":     name,
			"view":     described(text, "a key of views"),
			"captured": shared("captured"),
		}, "name", "view")),
		"views": described(object{
			"type":                 "object",
			"additionalProperties": oneArchitecture(closed(object{"host": shared("host"), "complete": shared("complete"), "setups": shared("setups"), "power": shared("power")}), "setups", "complete"),
		}, "views by their digest"),
	}, "schema"))
}

func proof() object {
	schema := oneArchitecture(closed(object{
		"schema":   object{"const": guise.SchemaProof},
		"captured": shared("captured"),
		"contract": described(text, "the contract's digest; not there where the guest was compared with what userspace reads"),
		"view":     described(text, "the digest of the limits that the host showed before anything was written"),
		"setup":    shared("setup"),
		"host":     shared("host"),
		"verdict":  described(verdict(), "what the findings amount to"),
		"findings": list(finding()),
		"trace":    trace(),
		"traps":    traps(),
		"power":    powerTrace(),
	}, "schema", "verdict"), "setup", "trace", "traps")
	delete(schema, "else") // a proof of arm64 may leave out its setup
	return document("guise proof", "What came of giving one VM a contract and having a guest look.", schema)
}

func verdict() object {
	return oneOfWords(guise.Yes.String(), guise.No.String(), guise.Unknown.String())
}

// finding is one reason for a verdict.
func finding() object {
	return closed(object{
		"verdict":  verdict(),
		"kind":     text,
		"register": text,
		"field":    text,
		"wanted":   text,
		"who":      described(text, "who could change it"),
		"means":    described(text, "what it means in a guest"),
		"mend":     described(text, "what would mend it"),
		"rests":    described(text, "what it rests on"),
		"hosts": described(list(closed(object{
			"host":  text,
			"value": text,
			"takes": described(text, "the set of values the host takes"),
		})), "the smallest set of hosts that shows it"),
	}, "verdict")
}

// trace is what a guest saw, one record for each operation.
// operationKinds are the kinds of operation of a guest.
func operationKinds() []string {
	var kinds []string
	for _, kind := range probe.Kinds() {
		kinds = append(kinds, kind.String())
	}
	return kinds
}

// traps are who answered the operations of a trace.
func traps() object {
	named := object{"type": "string", "minLength": 1}
	kinds := object{}
	for _, kind := range operationKinds() {
		kinds[kind] = set(named)
	}
	schema := closed(object{
		"restsOn":    described(named, "the evidence"),
		"unknown":    described(named, "why there is none"),
		"trapped":    described(closed(kinds), "operations that came to the hypervisor"),
		"notTrapped": described(closed(kinds), "operations that the CPU answered"),
	})
	schema["oneOf"] = []object{
		{"required": []string{"restsOn"}, "properties": object{"unknown": false}},
		{"required": []string{"unknown"}, "properties": object{"restsOn": false, "trapped": false, "notTrapped": false}},
	}
	return described(schema, "who answered the operations of the trace, by kind and name; one in neither list is not known")
}

func trace() object {
	var outcomes []string
	for outcome := probe.NotRun; outcome <= probe.Interrupted; outcome++ {
		outcomes = append(outcomes, outcome.String())
	}
	values := list(hex64)
	values["maxItems"] = probe.MaxValues
	record := closed(object{
		"kind":        oneOfWords(operationKinds()...),
		"name":        object{"type": "string", "minLength": 1},
		"outcome":     oneOfWords(outcomes...),
		"values":      described(values, "what the operation gave"),
		"syndrome":    described(hex64, "ESR_ELx of the exception; of a guest in AArch32, which has no such register, what it would be"),
		"address":     described(hex64, "FAR_ELx of an abort"),
		"instruction": described(object{"type": "integer", "minimum": -1, "not": object{"const": 0}}, "position of the instruction that took the exception, where that is not the first; -1 where it lay elsewhere"),
	}, "kind", "name", "outcome")
	tookException := object{"properties": object{"outcome": oneOfWords(probe.Exception.String(), probe.Interrupted.String())}}
	record["if"] = tookException
	record["then"] = object{"required": []string{"syndrome"}, "properties": object{"values": object{"maxItems": 0}}}
	record["else"] = object{"properties": object{"syndrome": false, "address": false, "instruction": false}}
	record["allOf"] = []object{{
		"if":   object{"properties": object{"outcome": object{"const": probe.NotRun.String()}}},
		"then": object{"properties": object{"values": object{"maxItems": 0}}},
	}}
	return described(closed(object{
		"program": object{"type": "string", "minLength": 1},
		"el":      described(object{"enum": []int{1, 2}}, "the exception level the guest ran at"),
		"records": list(record),
	}, "el", "program", "records"), "what the guest saw")
}
